using System.Globalization;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>What to read from feature files, and how.</summary>
public sealed record FeatureSetOptions
{
    /// <summary>
    /// The column of features: lists of floats; or a pattern such as <c>f*</c> that matches columns of floats, one per dimension, taken in
    /// the order of the numbers in their names. Null: the only column that holds lists of floats.
    /// </summary>
    public string? FeaturesColumn { get; init; }

    /// <summary>The column of labels, integers or text. Null: the one named label, labels, class, target or y, if any.</summary>
    public string? LabelColumn { get; init; }

    /// <summary>Whether labels are read.</summary>
    public bool ReadLabels { get; init; } = true;

    /// <summary>Whether rows are scaled to unit length (see <see cref="UnitLength"/>).</summary>
    public bool Normalize { get; init; } = true;
}

/// <summary>A row group of a <see cref="FeatureSet"/>.</summary>
/// <param name="File">The file.</param>
/// <param name="Index">Its index in the file.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="FirstRow">The number of its first row within the file.</param>
/// <param name="Start">The number of its first row within the set.</param>
public sealed record FeatureRowGroup(string File, int Index, long Rows, long FirstRow, long Start);

/// <summary>
/// Rows of features, and their labels, in one or more Parquet files. Opening reads the footers and all labels (4 bytes per row are kept);
/// features are read by <see cref="OpenReader"/> and <see cref="ReadRowGroup"/>, which any number of threads may call.
/// </summary>
public sealed class FeatureSet
{
    private static readonly string[] LabelNames = ["label", "labels", "class", "target", "y"];

    private readonly List<Source> _sources;
    private readonly List<(Source Source, int RowGroup)> _places = [];
    private readonly int[][] _labels;

    private FeatureSet(List<Source> sources, FeatureSetOptions options)
    {
        _sources = sources;
        Options = options;
        FeaturesColumn = options.FeaturesColumn ?? sources[0].Columns[0].Name;
        Dimension = sources[0].Dimension;
        var groups = new List<FeatureRowGroup>();
        foreach (var source in sources)
        {
            long first = 0;
            for (var g = 0; g < source.File.RowGroups.Count; g++)
            {
                var rows = source.File.RowGroups[g];
                if (rows > 0)
                {
                    groups.Add(new FeatureRowGroup(source.File.Path, g, rows, first, Rows));
                    _places.Add((source, g));
                }

                first += rows;
                Rows += rows;
            }
        }

        RowGroups = groups;
        Files = [.. sources.Select(source => source.File.Path)];
        Fingerprints = [.. sources.Select(source => new FileFingerprint(source.File.Rows, source.File.Hash))];
        LabelColumn = FindLabelColumn(sources, options);
        _labels = LabelColumn is null ? [] : ReadLabels(LabelColumn);
    }

    /// <summary>Floats in a row.</summary>
    public int Dimension { get; }

    /// <summary>Rows of all files.</summary>
    public long Rows { get; }

    /// <summary>The column of features, or the pattern of the columns.</summary>
    public string FeaturesColumn { get; }

    /// <summary>The column of labels, or null.</summary>
    public string? LabelColumn { get; }

    /// <summary>Whether there are labels.</summary>
    public bool HasLabels => LabelColumn is not null;

    /// <summary>The distinct labels, integers by value, text by code unit; a label is given as an index into this list.</summary>
    public IReadOnlyList<string> Classes { get; private set; } = [];

    /// <summary>Whether labels are integers in the files.</summary>
    public bool LabelsAreIntegers { get; private set; }

    /// <summary>The row groups that have rows, in the order of the files.</summary>
    public IReadOnlyList<FeatureRowGroup> RowGroups { get; }

    /// <summary>The files, in order.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>What each of <see cref="Files"/> is known by.</summary>
    public IReadOnlyList<FileFingerprint> Fingerprints { get; }

    /// <summary>How the set was opened.</summary>
    public FeatureSetOptions Options { get; }

    /// <summary>Opens feature files.</summary>
    /// <param name="paths">Files, folders (all *.parquet in them, by name) or patterns with * and ?.</param>
    /// <param name="options">Which columns; null for the usual ones.</param>
    /// <exception cref="DataException">
    /// There is no such file; one is damaged, empty, or has no column that fits or several; dimensions differ; a label is missing.
    /// </exception>
    public static FeatureSet Open(IEnumerable<string> paths, FeatureSetOptions? options = null) =>
        Open(FilePatterns.Expand(paths).Select(ParquetFile.Open), options ?? new FeatureSetOptions());

    /// <summary>Opens one path.</summary>
    /// <inheritdoc cref="Open(IEnumerable{string}, FeatureSetOptions?)"/>
    public static FeatureSet Open(string path, FeatureSetOptions? options = null) => Open([path], options);

    /// <summary>Opens a file whose content is in memory.</summary>
    /// <param name="name">What the file is called in messages.</param>
    /// <param name="content">The file.</param>
    /// <param name="options">Which columns; null for the usual ones.</param>
    /// <inheritdoc cref="Open(IEnumerable{string}, FeatureSetOptions?)"/>
    public static FeatureSet Open(string name, ReadOnlyMemory<byte> content, FeatureSetOptions? options = null) =>
        Open([ParquetFile.Open(FileBytes.InMemory(name, content))], options ?? new FeatureSetOptions());

    private static FeatureSet Open(IEnumerable<ParquetFile> files, FeatureSetOptions options)
    {
        var sources = new List<Source>();
        try
        {
            foreach (var file in files)
            {
                var path = file.Path;
                sources.Add(new Source(file, [], 0));
                var columns = FindFeatures(file, options.FeaturesColumn);
                if (file.Rows == 0)
                {
                    throw new DataException($"{path}: it has no rows");
                }

                sources[^1] = new Source(file, columns, FindDimension(file, columns));
                var first = sources[0];
                if (sources[^1].Dimension != first.Dimension)
                {
                    throw new DataException($"{path}: column '{options.FeaturesColumn ?? columns[0].Name}', row 0: found "
                        + $"{sources[^1].Dimension} floats, expected {first.Dimension} as in {first.File.Path}");
                }

                CheckCounts(sources[^1]);
            }

            return new FeatureSet(sources, options);
        }
        finally
        {
            // Only what their footers say is kept: there may be thousands of files.
            sources.ForEach(source => source.File.Dispose());
        }
    }

    /// <summary>Starts reading from the first row.</summary>
    /// <param name="order">Indexes of the row groups to read; null for all in order.</param>
    public FeatureReader OpenReader(IReadOnlyList<int>? order = null) => new(this, order);

    /// <summary>Reads all features, in the order of the files.</summary>
    /// <returns>Rows × dimension floats; the caller disposes them.</returns>
    /// <exception cref="DataException">The set cannot be read, or there is not enough memory.</exception>
    public NativeBuffer ReadAll()
    {
        const int FloatsPerRead = 1 << 24;
        var features = new NativeBuffer(Rows * Dimension);
        try
        {
            using var reader = OpenReader();
            var rowsPerRead = Math.Max(1, FloatsPerRead / Dimension);
            for (var row = 0L; row < Rows;)
            {
                var count = (int)Math.Min(rowsPerRead, Rows - row);
                row += reader.Read(features.Slice(row * Dimension, count * Dimension));
            }

            return features;
        }
        catch
        {
            features.Dispose();
            throw;
        }
    }

    /// <summary>Reads a row group.</summary>
    /// <param name="index">Its index in <see cref="RowGroups"/>.</param>
    /// <param name="features">Rows × dimension floats.</param>
    /// <param name="labels">Room for as many class indexes as rows; or empty.</param>
    /// <exception cref="DataException">The data are damaged, null, ragged, or not finite.</exception>
    public void ReadRowGroup(int index, Span<float> features, Span<int> labels = default)
    {
        var rows = RowGroups[index].Rows;
        if (features.Length != rows * Dimension)
        {
            throw new ArgumentException($"{features.Length} floats for {rows} rows of {Dimension}", nameof(features));
        }

        using var reader = new FeatureReader(this, [index]);
        reader.Read(features, labels);
    }

    /// <summary>Copies the class indexes of consecutive rows, which are in memory since the set was opened.</summary>
    /// <param name="firstRow">The number of the first row within the set.</param>
    /// <param name="labels">Becomes the class indexes, one per row.</param>
    /// <exception cref="InvalidOperationException">The set has no labels.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The set does not have all of these rows.</exception>
    public void CopyLabels(long firstRow, Span<int> labels)
    {
        if (!HasLabels)
        {
            throw new InvalidOperationException("the set has no labels");
        }

        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstRow + labels.Length, Rows, nameof(firstRow));
        for (var g = 0; g < _labels.Length && !labels.IsEmpty; g++)
        {
            var start = firstRow - RowGroups[g].Start;
            if (start < _labels[g].Length)
            {
                var part = _labels[g].AsSpan((int)start);
                part = part[..Math.Min(part.Length, labels.Length)];
                part.CopyTo(labels);
                labels = labels[part.Length..];
                firstRow += part.Length;
            }
        }
    }

    /// <summary>The class indexes of the rows of a row group.</summary>
    internal ReadOnlySpan<int> Labels(int rowGroup) => _labels[rowGroup];

    internal ParquetFile OpenFile(int rowGroup) => _places[rowGroup].Source.File.Reopen();

    internal IReadOnlyList<ParquetColumn> Columns(int rowGroup) => _places[rowGroup].Source.Columns;

    private static List<ParquetColumn> FindFeatures(ParquetFile file, string? name)
    {
        if (name is null)
        {
            var lists = file.Columns.Where(column => column is { IsList: true, IsFloat: true }).ToList();
            return lists.Count switch
            {
                1 => lists,
                0 => throw new DataException(
                    $"{file.Path}: no column holds lists of floats; the columns are {Describe(file)}; "
                        + "set FeaturesColumn to a pattern such as 'f*' if there is one column per feature",
                    property: nameof(FeatureSetOptions.FeaturesColumn)),
                _ => throw new DataException(
                    $"{file.Path}: {lists.Count} columns hold lists of floats: "
                        + $"{string.Join(", ", lists.Select(column => column.Name))}; choose one with FeaturesColumn",
                    property: nameof(FeatureSetOptions.FeaturesColumn)),
            };
        }

        if (file.FindColumn(name) is { } found)
        {
            return found is { IsList: true, IsFloat: true }
                ? [found]
                : throw new DataException($"{file.Path}: column '{name}' holds {found}, expected lists of floats");
        }

        if (!FilePatterns.IsPattern(name))
        {
            throw new DataException($"{file.Path}: no column '{name}'; the columns are: {Describe(file)}");
        }

        var matches = file.Columns.Where(column => FilePatterns.Matches(name, column.Name)).ToList();
        var columns = matches.Where(column => column is { IsFloat: true, IsList: false, IsNested: false }).ToList();
        if (columns.Count == 0)
        {
            throw new DataException($"{file.Path}: no column of floats matches '{name}'; there are: {Describe(file)}");
        }

        columns.Sort((a, b) => NaturalOrder.Compare(a.Name, b.Name));
        return columns;
    }

    private static string Describe(ParquetFile file)
    {
        const int Most = 20;
        var all = string.Join(", ", file.Columns.Take(Most).Select(column => $"{column.Name} ({column})"));
        return file.Columns.Count > Most ? $"{all} and {file.Columns.Count - Most} more" : all;
    }

    private static int FindDimension(ParquetFile file, List<ParquetColumn> columns)
    {
        if (!columns[0].IsList)
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

    // The footer shows if rows have too many or too few floats: better to find them now than in the middle of training.
    private static void CheckCounts(Source source)
    {
        var column = source.Columns[0];
        if (!column.IsList)
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
                    column, g, new CorruptException($"{values} floats, expected {rows} rows of {source.Dimension}"));
            }

            first += rows;
        }
    }

    private static string? FindLabelColumn(List<Source> sources, FeatureSetOptions options)
    {
        if (!options.ReadLabels)
        {
            return null;
        }

        var name = options.LabelColumn
            ?? sources.Select(source => GuessLabelColumn(source.File)).FirstOrDefault(guess => guess is not null);
        if (name is null)
        {
            return null;
        }

        var first = sources[0].File.FindColumn(name);
        foreach (var (file, _, _) in sources)
        {
            var column = file.FindColumn(name) ?? throw new DataException(
                $"{file.Path}: no label column '{name}'; the columns are: {Describe(file)}");
            if (!IsLabel(column))
            {
                throw new DataException($"{file.Path}: label column '{name}' holds {column}, expected integers or text");
            }

            if (column.IsInteger != first!.IsInteger)
            {
                throw new DataException($"{file.Path}: label column '{name}' holds {column}, in {sources[0].File.Path} {first}");
            }
        }

        return name;
    }

    private static string? GuessLabelColumn(ParquetFile file) => LabelNames
        .SelectMany(name => file.Columns.Where(column =>
            IsLabel(column) && string.Equals(column.Name, name, StringComparison.OrdinalIgnoreCase)))
        .FirstOrDefault()?.Name;

    private static bool IsLabel(ParquetColumn column) =>
        column is { IsList: false, IsNested: false } && (column.IsInteger || column.IsString);

    private int[][] ReadLabels(string name)
    {
        LabelsAreIntegers = _sources[0].File.FindColumn(name)!.IsInteger;
        return LabelsAreIntegers
            ? ReadLabels<long>(
                name, FlatColumn.ReadIntegers, Comparer<long>.Default, label => label.ToString(CultureInfo.InvariantCulture))
            : ReadLabels<string>(name, FlatColumn.ReadTexts, StringComparer.Ordinal, label => label);
    }

    private int[][] ReadLabels<T>(
        string name, Action<ParquetFile, ParquetColumn, int, RowReader<T>> read, IComparer<T> order, Func<T, string> text)
        where T : notnull
    {
        var ids = new Dictionary<T, int>();
        var labels = new int[_places.Count][];
        for (var g = 0; g < labels.Length; g++)
        {
            var (source, rowGroup) = _places[g];
            var found = new List<int>();
            read(source.File, source.File.FindColumn(name)!, rowGroup, (label, isNull) =>
            {
                if (isNull)
                {
                    throw new DataException($"{source.File.Path}: column '{name}', row {RowGroups[g].FirstRow + found.Count}: "
                        + "the label is null, expected a label");
                }

                if (!ids.TryGetValue(label, out var id))
                {
                    id = ids.Count;
                    ids.Add(label, id);
                }

                found.Add(id);
            });
            labels[g] = [.. found];
        }

        var sorted = ids.Keys.Order(order).ToArray();
        var places = new int[sorted.Length];
        for (var i = 0; i < sorted.Length; i++)
        {
            places[ids[sorted[i]]] = i;
        }

        foreach (var group in labels)
        {
            for (var i = 0; i < group.Length; i++)
            {
                group[i] = places[group[i]];
            }
        }

        Classes = [.. sorted.Select(text)];
        return labels;
    }

    private sealed record Source(ParquetFile File, IReadOnlyList<ParquetColumn> Columns, int Dimension);
}
