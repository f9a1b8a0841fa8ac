namespace MonoLoss.Data;

/// <summary>
/// A file or store of a set, closed: how many rows it has, and where its features and values beside them are. Each format has its own.
/// </summary>
/// <param name="file">The file or folder.</param>
internal abstract class FeatureSource(FeatureFile file)
{
    private long[]? _firstRows;

    /// <summary>The file or folder, as given.</summary>
    public string Path => File.Path;

    /// <summary>The file or folder, with what the names of folders say about its rows.</summary>
    public FeatureFile File { get; } = file;

    /// <summary>Floats in a row.</summary>
    public abstract int Dimension { get; }

    /// <summary>
    /// The number of rows of each row group: what a shuffled reader takes in any order. Formats without any have blocks.
    /// </summary>
    public abstract IReadOnlyList<long> RowGroups { get; }

    /// <summary>What <see cref="FileFingerprint"/> keeps of it.</summary>
    public abstract ulong Hash { get; }

    /// <summary>What the format calls a set of values with a name: a column or an array.</summary>
    public virtual string Noun => "column";

    /// <summary>The column or array of features.</summary>
    public abstract string Name { get; }

    /// <summary>The columns of features in order, if there is one per dimension; else empty.</summary>
    public virtual IReadOnlyList<string> FeatureNames => [];

    /// <summary>What the features are stored as, for a message.</summary>
    public abstract string TypeText { get; }

    /// <summary>The names of all columns or arrays of one value per row, or a list, that are not features.</summary>
    public abstract IEnumerable<string> ValueNames { get; }

    /// <summary>Names beside the usual ones that stand for labels in this file, best first.</summary>
    public virtual IEnumerable<string> OtherLabelNames => [];

    /// <summary>All columns or arrays with their types, for a message.</summary>
    public abstract string Contents { get; }

    /// <summary>Where names of classes come from: sources that share the object have the same.</summary>
    public virtual object Metadata => this;

    /// <summary>What it says about the network that its features are of (<see cref="FeatureOrigin"/>).</summary>
    public virtual IReadOnlyDictionary<string, string> Origin => FeatureOrigin.None;

    /// <summary>Rows of all row groups.</summary>
    public long Rows => FirstRow(RowGroups.Count);

    /// <summary>Whether there is a column per dimension.</summary>
    public bool IsWide => FeatureNames.Count > 0;

    /// <summary>The number within the file of a row group's first row.</summary>
    public long FirstRow(int rowGroup)
    {
        if (_firstRows is null)
        {
            var first = new long[RowGroups.Count + 1];
            for (var g = 0; g < RowGroups.Count; g++)
            {
                first[g + 1] = first[g] + RowGroups[g];
            }

            _firstRows = first;
        }

        return _firstRows[rowGroup];
    }

    /// <summary>The value of a feature in words that a message continues, such as <c>column 'f3'</c> or <c>array 'x'</c>.</summary>
    public string Describe(int element) => $"{Noun} '{(IsWide ? FeatureNames[element] : Name)}'";

    /// <summary>Finds the values of a column or array.</summary>
    /// <returns>Null if there is none with this name.</returns>
    /// <exception cref="UnusableLabelsException">It does not hold one value, or a list of them, for each row.</exception>
    public abstract ValueColumn? FindValues(string name);

    /// <summary>Prepares to read features.</summary>
    /// <param name="previous">The cursor of another source, or null: it is used again or disposed.</param>
    public abstract FeatureCursor OpenCursor(FeatureCursor? previous);

    /// <summary>Splits rows into blocks of about 64 MB as float32.</summary>
    protected static IReadOnlyList<long> Blocks(long rows, int dimension)
    {
        const long BlockBytes = 64L << 20;
        var size = Math.Max(1, BlockBytes / (sizeof(float) * (long)dimension));
        var blocks = new List<long>();
        for (; rows > 0; rows -= blocks[^1])
        {
            blocks.Add(Math.Min(size, rows));
        }

        return blocks;
    }
}

/// <summary>Reads rows of features, one row group after another. Not thread-safe.</summary>
internal abstract class FeatureCursor : IDisposable
{
    /// <summary>Starts a row group.</summary>
    /// <param name="rowGroup">Its index.</param>
    /// <exception cref="DataException">It cannot be read.</exception>
    public abstract void Open(int rowGroup);

    /// <summary>Reads the next rows of the row group.</summary>
    /// <param name="rows">Receives rows × dimension floats.</param>
    /// <exception cref="DataException">The data are damaged, missing, or rows have another length.</exception>
    public abstract void Read(Span<float> rows);

    /// <summary>Closes the file and frees the buffers.</summary>
    public abstract void Dispose();
}
