using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// Rows of features, and their labels, in one or more files: Parquet, Arrow, arrays of numpy and torch, safetensors, CSV, LMDB, saev's
/// shards. Opening reads what files say about their rows, and all labels (4 bytes per label are kept);
/// features are read by <see cref="OpenReader"/> and <see cref="ReadRowGroup"/>, which any number of threads may call.
/// </summary>
public sealed class FeatureSet
{
    private readonly List<(FeatureSource Source, int RowGroup)> _places = [];
    private readonly RowLabels? _labels;

    private FeatureSet(IReadOnlyList<FeatureSource> sources, FeatureSetOptions options, List<string> notices)
    {
        Options = options;
        var first = sources[0];
        FeaturesColumn = options.FeaturesColumn ?? first.Name;
        FeatureNames = first.FeatureNames;
        Dimension = first.Dimension;
        var groups = new List<FeatureRowGroup>();
        foreach (var source in sources)
        {
            for (var g = 0; g < source.RowGroups.Count; g++)
            {
                var rows = source.RowGroups[g];
                if (rows > 0)
                {
                    groups.Add(new FeatureRowGroup(source.Path, g, rows, source.FirstRow(g), Rows));
                    _places.Add((source, g));
                }

                Rows += rows;
            }
        }

        RowGroups = groups;
        Files = [.. sources.Select(source => source.Path)];
        Fingerprints = [.. sources.Select(source => new FileFingerprint(source.Rows, source.Hash))];
        _labels = LabelReader.Read(sources, _places, options, notices);
        Notices = notices;
    }

    /// <summary>Floats in a row.</summary>
    public int Dimension { get; }

    /// <summary>Rows of all files.</summary>
    public long Rows { get; }

    /// <summary>The column of features, or the pattern of the columns.</summary>
    public string FeaturesColumn { get; }

    /// <summary>The columns of features in order, if there is one per dimension; else empty.</summary>
    public IReadOnlyList<string> FeatureNames { get; }

    /// <summary>The column of labels, or null.</summary>
    public string? LabelColumn => _labels?.Column;

    /// <summary>Whether there are labels.</summary>
    public bool HasLabels => _labels is not null;

    /// <summary>Whether a row can have several labels.</summary>
    public bool HasSeveralLabels => _labels is { AreLists: true };

    /// <summary>
    /// The distinct labels as they are shown, numbers by value, text by code unit; a label is given as an index into this list. Where the
    /// files have names for numbers, these are shown.
    /// </summary>
    public IReadOnlyList<string> Classes => _labels?.Classes ?? [];

    /// <summary>The number of each of <see cref="Classes"/>; null if labels are not numbers of 64 bits.</summary>
    public IReadOnlyList<long>? ClassNumbers => _labels?.Numbers;

    /// <summary>Whether the files have names for the numbers of classes.</summary>
    public bool HasClassNames => _labels is { HasNames: true };

    /// <summary>Whether labels are integers and are shown as such.</summary>
    public bool LabelsAreIntegers => _labels is { Numbers: not null, HasNames: false };

    /// <summary>The second column of features, as it is in the files; null if none was asked for. It has the same rows.</summary>
    public FeatureSet? Similarity { get; private set; }

    /// <summary>Bytes of all rows in memory, those of <see cref="Similarity"/> included.</summary>
    public long Bytes => (Rows * Dimension * sizeof(float)) + (Similarity?.Bytes ?? 0);

    /// <summary>
    /// What all files say about the network that the features are of, by the names of <see cref="FeatureOrigin"/>; often nothing.
    /// </summary>
    public IReadOnlyDictionary<string, string> Origin => FeatureOrigin.Common(Sources.Select(source => source.Origin));

    /// <summary>What the user should know about the set, a line each: labels that are not used, and columns that are left out.</summary>
    public IReadOnlyList<string> Notices { get; }

    /// <summary>The names of columns or arrays beside the features.</summary>
    public IReadOnlyList<string> ValueNames => [.. Sources.SelectMany(source => source.ValueNames).Distinct()];

    /// <summary>The columns or arrays of the first file with their types, for a message.</summary>
    public string Contents => Source(0).Contents;

    /// <summary>The row groups that have rows, in the order of the files.</summary>
    public IReadOnlyList<FeatureRowGroup> RowGroups { get; }

    /// <summary>The files that have rows, in order.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>What each of <see cref="Files"/> is known by.</summary>
    public IReadOnlyList<FileFingerprint> Fingerprints { get; }

    /// <summary>How the set was opened.</summary>
    public FeatureSetOptions Options { get; }

    /// <summary>Opens feature files.</summary>
    /// <param name="paths">Files, folders (all files of one kind in them and below, or a store) or patterns with *, ? and **.</param>
    /// <param name="options">Which columns; null for the usual ones.</param>
    /// <exception cref="DataException">
    /// There is no such file; one is damaged, or has no column that fits or several; none has rows; files differ in their columns, their
    /// dimension or their labels; the label column that was asked for cannot be used.
    /// </exception>
    public static FeatureSet Open(IEnumerable<string> paths, FeatureSetOptions? options = null) =>
        OpenFiles([.. FilePatterns.Expand(paths)], options ?? new FeatureSetOptions());

    /// <summary>Opens one path.</summary>
    /// <inheritdoc cref="Open(IEnumerable{string}, FeatureSetOptions?)"/>
    public static FeatureSet Open(string path, FeatureSetOptions? options = null) => Open([path], options);

    /// <summary>Opens a file whose content is in memory.</summary>
    /// <param name="name">What the file is called in messages.</param>
    /// <param name="content">The file.</param>
    /// <param name="options">Which columns; null for the usual ones.</param>
    /// <inheritdoc cref="Open(IEnumerable{string}, FeatureSetOptions?)"/>
    public static FeatureSet Open(string name, ReadOnlyMemory<byte> content, FeatureSetOptions? options = null) =>
        Open([(FeatureFile.Of(name), FileBytes.InMemory(name, content))], options ?? new FeatureSetOptions());

    private static FeatureSet OpenFiles(IReadOnlyList<FeatureFile> files, FeatureSetOptions options)
    {
        var set = Open(files.Select(file => (file, (FileBytes?)null)), options);
        if (options.SimilarityColumn is { } column)
        {
            set.Similarity = Open(files.Select(file => (file, (FileBytes?)null)), new FeatureSetOptions
            {
                FeaturesColumn = column, ReadLabels = false, Normalize = false,
            });
        }

        return set;
    }

    private static FeatureSet Open(IEnumerable<(FeatureFile File, FileBytes? Content)> files, FeatureSetOptions options)
    {
        var notices = new List<string>();
        return new FeatureSet(FeatureSources.Open(files, options, notices), options, notices);
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
    /// <param name="labels">Room for as many class indexes as rows, −1 for a row without a label; or empty.</param>
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

    /// <summary>Gives the labels of consecutive rows, which are in memory since the set was opened.</summary>
    /// <param name="firstRow">The number of the first row within the set.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="labels">Becomes their labels.</param>
    /// <exception cref="InvalidOperationException">The set has no labels.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The set does not have all of these rows.</exception>
    public void GetLabels(long firstRow, int rows, LabelBatch labels)
    {
        if (_labels is null)
        {
            throw new InvalidOperationException("the set has no labels");
        }

        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstRow + rows, Rows, nameof(firstRow));
        labels.Clear();
        for (var g = FindGroup(firstRow); labels.Rows < rows; g++)
        {
            var start = firstRow + labels.Rows - RowGroups[g].Start;
            _labels.AddTo(g, (int)start, (int)Math.Min(rows - labels.Rows, RowGroups[g].Rows - start), labels);
        }
    }

    /// <summary>
    /// Names to look for values beside the features by, in their order: as columns or arrays write them, in any case, or as they are where
    /// none is called so. Formats have values that they do not list.
    /// </summary>
    public IEnumerable<string> ValueNamesLike(IEnumerable<string> names)
    {
        var all = ValueNames;
        return names.SelectMany(wanted =>
            all.Where(name => name.Equals(wanted, StringComparison.OrdinalIgnoreCase)).DefaultIfEmpty(wanted));
    }

    /// <summary>Copies the class indexes of rows of a row group, one each.</summary>
    internal void CopyLabels(int rowGroup, int start, Span<int> labels) => _labels!.CopyTo(rowGroup, start, labels);

    /// <summary>The files that have rows.</summary>
    internal IEnumerable<FeatureSource> Sources => _places.Select(place => place.Source).Distinct();

    internal FeatureSource Source(int rowGroup) => _places[rowGroup].Source;

    // The last row group that starts at or before a row.
    private int FindGroup(long row)
    {
        var (low, high) = (0, RowGroups.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = RowGroups[middle].Start <= row ? (middle, high) : (low, middle - 1);
        }

        return low;
    }
}
