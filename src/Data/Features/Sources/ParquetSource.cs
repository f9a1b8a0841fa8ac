using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A Parquet file: what its footer says, and the columns of its features.</summary>
internal sealed class ParquetSource : FeatureSource
{
    private readonly ParquetFile _file;
    private readonly HashSet<string> _features;

    private ParquetSource(FeatureFile place, ParquetFile file, IReadOnlyList<ParquetColumn> columns)
        : base(place)
    {
        (_file, Columns) = (file, columns);
        _features = columns.Select(column => column.Name).ToHashSet(StringComparer.Ordinal);
        FeatureNames = columns[0].IsFlat ? [.. columns.Select(column => column.Name)] : [];
        Dimension = FindDimension(file, columns);
    }

    /// <summary>One column of lists, or one column per dimension.</summary>
    public IReadOnlyList<ParquetColumn> Columns { get; }

    /// <inheritdoc/>
    public override int Dimension { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<long> RowGroups => _file.RowGroups;

    /// <inheritdoc/>
    public override ulong Hash => _file.Hash;

    /// <inheritdoc/>
    public override string Name => Columns[0].Name;

    /// <inheritdoc/>
    public override IReadOnlyList<string> FeatureNames { get; }

    /// <inheritdoc/>
    public override string TypeText => Columns[0].ToString();

    /// <inheritdoc/>
    public override IEnumerable<string> ValueNames =>
        _file.Columns.Where(column => column.IsTopLevel).Select(column => column.Name).Where(name => !_features.Contains(name));

    /// <inheritdoc/>
    public override string Contents => FeatureColumns.Describe(_file);

    /// <inheritdoc/>
    public override object Metadata => _file.Metadata;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Origin => FeatureOrigin.FromMetadata(_file.Metadata);

    /// <summary>Reads a footer; the file is closed after.</summary>
    /// <param name="place">The file.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="previous">The source before, if it is a Parquet file: what both have in common is kept once.</param>
    /// <param name="options">Which columns.</param>
    /// <param name="leftOut">Receives the columns that a pattern left out for their names.</param>
    /// <returns>Null if it has no rows.</returns>
    /// <exception cref="DataException">It is damaged, or has no column that fits or several.</exception>
    public static ParquetSource? Open(
        FeatureFile place, FileBytes bytes, ParquetSource? previous, FeatureSetOptions options, ICollection<string> leftOut)
    {
        // There may be more files than a process may have open.
        using var file = ParquetFile.Open(bytes);
        if (file.Rows == 0)
        {
            return null;
        }

        var columns = FeatureColumns.Find(file, options, leftOut);
        if (previous is not null)
        {
            file.ShareWith(previous._file);
            columns = columns.SequenceEqual(previous.Columns) ? previous.Columns : columns;
        }

        return new ParquetSource(place, file, columns);
    }

    /// <inheritdoc/>
    public override ValueColumn? FindValues(string name)
    {
        if (_file.FindColumn(name) is not { } column)
        {
            return null;
        }

        if (_file.Problem(column) is { } problem)
        {
            throw new UnusableLabelsException($"{Path}: label column '{name}': {problem}");
        }

        if (column.IsFlat || column.IsList)
        {
            if (column.IsString)
            {
                return new ParquetValues(_file, column, LabelKind.Text);
            }

            if (column.IsNumber || LabelColumns.IsInt128(_file, column))
            {
                return new ParquetValues(_file, column, column.IsBoolean ? LabelKind.Boolean : LabelKind.Number);
            }
        }

        throw new UnusableLabelsException($"{Path}: label column '{name}' holds {column}, expected whole numbers, text or lists of them");
    }

    /// <summary>Opens the file for reading.</summary>
    public ParquetFile Reopen() => _file.Reopen();

    /// <inheritdoc/>
    public override FeatureCursor OpenCursor(FeatureCursor? previous)
    {
        // Buffers are kept from one file to the next of the same schema.
        if (previous is ParquetCursor cursor && cursor.CanRead(this))
        {
            cursor.Start(this);
            return cursor;
        }

        previous?.Dispose();
        return new ParquetCursor(this);
    }

    /// <summary>
    /// Checks the counts in the footer, which show if rows have too many or too few values: better to find them now than in the middle of
    /// training.
    /// </summary>
    /// <exception cref="DataException">A row has another number of values; or none shows, but the counts are wrong.</exception>
    public void CheckCounts()
    {
        var column = Columns[0];
        if (column.IsFlat)
        {
            return;
        }

        for (var g = 0; g < RowGroups.Count; g++)
        {
            var values = _file.ValueCount(column, g);
            if ((Int128)RowGroups[g] * Dimension != values)
            {
                using var file = _file.Reopen();
                using var cursor = new FloatColumn(column, Dimension);
                cursor.Open(file, g, FirstRow(g));
                cursor.CheckAll();
                throw _file.Failure(column, g, new CorruptException($"{values} values, expected {RowGroups[g]} rows of {Dimension}"));
            }
        }
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
}
