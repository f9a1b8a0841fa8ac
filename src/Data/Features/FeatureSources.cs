using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Opens the files of a set, one after another: each is closed once what is needed of it is known.</summary>
internal sealed class FeatureSources
{
    private readonly FeatureSetOptions _options;
    private readonly SortedSet<string> _leftOut = new(StringComparer.Ordinal);
    private readonly List<FeatureSource> _sources = [];
    private string? _empty;

    private FeatureSources(FeatureSetOptions options) => _options = options;

    /// <summary>Opens files.</summary>
    /// <param name="files">The files, each opened when it is asked for.</param>
    /// <param name="options">Which columns.</param>
    /// <param name="notices">Receives what the user should know.</param>
    /// <returns>The files that have rows.</returns>
    /// <exception cref="DataException">One is damaged, or has no column that fits or several; or they differ; or none has rows.</exception>
    public static IReadOnlyList<FeatureSource> Open(IEnumerable<ParquetFile> files, FeatureSetOptions options, ICollection<string> notices)
    {
        var all = new FeatureSources(options);
        foreach (var file in files)
        {
            // There may be more files than a process may have open.
            using (file)
            {
                all.Add(file);
            }
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

    private void Add(ParquetFile file)
    {
        if (file.Rows == 0)
        {
            _empty ??= file.Path;
            return;
        }

        var columns = FeatureColumns.Find(file, _options, _leftOut);
        if (_sources.Count > 0)
        {
            file.ShareWith(_sources[^1].File);
            columns = columns.SequenceEqual(_sources[^1].Columns) ? _sources[^1].Columns : columns;
        }

        var wide = columns[0].IsFlat;
        if (_sources.Count > 0 && _sources[0].IsWide != wide)
        {
            throw new DataException($"{file.Path}: column '{columns[0].Name}' holds {columns[0]}, but '{_sources[0].Columns[0].Name}' of "
                + $"{_sources[0].File.Path} {_sources[0].Columns[0]}");
        }

        if (wide && _options.FeatureNames is { Count: > 0 } names)
        {
            FeatureColumns.CheckNames(file.Path, columns, names, "the training set");
        }
        else if (wide && _sources.Count > 0)
        {
            FeatureColumns.CheckNames(
                file.Path, columns, [.. _sources[0].Columns.Select(column => column.Name)], _sources[0].File.Path);
        }

        var source = new FeatureSource(file, columns, FindDimension(file, columns));
        if (_sources.Count > 0 && source.Dimension != _sources[0].Dimension)
        {
            throw new DataException($"{file.Path}: column '{columns[0].Name}', row 0: found {source.Dimension} values, expected "
                + $"{_sources[0].Dimension} as in {_sources[0].File.Path}");
        }

        CheckCounts(source);
        _sources.Add(source);
    }

    private static int FindDimension(ParquetFile file, IReadOnlyList<ParquetColumn> columns)
    {
        if (columns[0].IsFlat)
        {
            return columns.Count;
        }

        var first = 0;
        while (file.RowGroups[first] == 0)
        {
            first++;
        }

        return FloatColumn.FirstLength(file, columns[0], first);
    }

    // The footer shows if rows have too many or too few values: better to find them now than in the middle of training.
    private static void CheckCounts(FeatureSource source)
    {
        var column = source.Columns[0];
        if (column.IsFlat)
        {
            return;
        }

        long first = 0;
        for (var g = 0; g < source.File.RowGroups.Count; g++)
        {
            var rows = source.File.RowGroups[g];
            var values = source.File.ValueCount(column, g);
            if ((Int128)rows * source.Dimension != values)
            {
                using var cursor = new FloatColumn(column, source.Dimension);
                cursor.Open(source.File, g, first);
                cursor.CheckAll();
                throw source.File.Failure(
                    column, g, new CorruptException($"{values} values, expected {rows} rows of {source.Dimension}"));
            }

            first += rows;
        }
    }
}
