using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Opens the files of a set, one after another: each is closed once what is needed of it is known, or the first few are.</summary>
internal sealed class FeatureSources
{
    // Array files whose directory, pickle or unpacked arrays need not be read again; others are opened when their rows are.
    private const int MostKeptOpen = 16;

    private readonly FeatureSetOptions _options;
    private readonly SortedSet<string> _leftOut = new(StringComparer.Ordinal);
    private readonly List<FeatureSource> _sources = [];
    private string? _empty;

    private FeatureSources(FeatureSetOptions options) => _options = options;

    /// <summary>Opens files.</summary>
    /// <param name="files">The files, and the content of those that are in memory.</param>
    /// <param name="options">Which columns.</param>
    /// <param name="notices">Receives what the user should know.</param>
    /// <returns>The files that have rows.</returns>
    /// <exception cref="DataException">One is damaged, or has no column that fits or several; or they differ; or none has rows.</exception>
    public static IReadOnlyList<FeatureSource> Open(
        IEnumerable<(FeatureFile File, FileBytes? Content)> files, FeatureSetOptions options, ICollection<string> notices)
    {
        var all = new FeatureSources(options);
        foreach (var (file, content) in files)
        {
            all.Add(file, content);
        }

        if (all._leftOut.Count > 0)
        {
            notices.Add($"'{options.FeaturesColumn}' leaves out {string.Join(", ", all._leftOut)}, no feature by its name; "
                + "a column that is named in full is taken");
        }

        return all._sources.Count > 0
            ? all._sources
            : throw new DataException(all._empty is null ? "no feature file is given" : $"{all._empty}: it has no rows");
    }

    private FeatureSource? OpenSource(FeatureFile file, FileBytes? content)
    {
        var path = file.Path;
        var last = _sources.Count > 0 ? _sources[^1] : null;
        return file.Kind switch
        {
            SourceKind.Arrow => ArrowSource.Open(file, content ?? FileBytes.Open(path), _options, _leftOut),
            SourceKind.Csv => CsvSource.Open(file, content ?? FileBytes.Open(path), _options, _leftOut),
            SourceKind.Lmdb => LmdbSource.Open(file, content ?? FileBytes.Open(LmdbSource.DataPath(path))),
            SourceKind.Saev => SaevSource.Open(file, _options),
            SourceKind.Parquet => ParquetSource.Open(file, content ?? FileBytes.Open(path), last as ParquetSource, _options, _leftOut),
            _ => ArraySource.Open(file, content, _options, keepOpen: _sources.Count < MostKeptOpen),
        };
    }

    private void Add(FeatureFile file, FileBytes? content)
    {
        if (OpenSource(file, content) is not { } source)
        {
            _empty ??= file.Path;
            return;
        }

        var first = _sources.Count > 0 ? _sources[0] : source;
        if (first.IsWide != source.IsWide)
        {
            throw new DataException($"{source.Path}: {source.Noun} '{source.Name}' holds {source.TypeText}, but '{first.Name}' of "
                + $"{first.Path} "
                + first.TypeText);
        }

        if (source.IsWide && _options.FeatureNames is { Count: > 0 } names)
        {
            CheckNames(source, names, "the training set");
        }
        else if (source.IsWide && first != source)
        {
            CheckNames(source, first.FeatureNames, first.Path);
        }

        if (source.Dimension != first.Dimension)
        {
            throw new DataException($"{source.Path}: {source.Noun} '{source.Name}', row 0: found {source.Dimension} values, expected "
                + $"{first.Dimension} as in {first.Path}");
        }

        (source as ParquetSource)?.CheckCounts();
        _sources.Add(source);
    }

    private static void CheckNames(FeatureSource source, IReadOnlyList<string> expected, string where)
    {
        var names = source.FeatureNames;
        if (names.SequenceEqual(expected))
        {
            return;
        }

        var missing = expected.Except(names).ToList();
        var more = names.Except(expected).ToList();
        if (missing.Count + more.Count == 0)
        {
            return;
        }

        throw new DataException($"{source.Path}: its columns of features are not those of {where}: "
            + string.Join("; ", new[] { Some("missing", missing), Some("only here", more) }.Where(text => text.Length > 0)));

        static string Some(string what, List<string> all) => all.Count == 0 ? string.Empty
            : $"{what}: {string.Join(", ", all.Take(5))}{(all.Count > 5 ? $" and {all.Count - 5} more" : string.Empty)}";
    }
}
