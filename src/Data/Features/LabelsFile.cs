using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A file with the labels of rows that are elsewhere, one per row in order; read at once.</summary>
internal sealed class LabelsFile
{
    private readonly LoadedValues _values;
    private readonly Dictionary<FeatureSource, long> _starts;

    private LabelsFile(string path, LoadedValues values, Dictionary<FeatureSource, long> starts) =>
        (Path, _values, _starts) = (path, values, starts);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Reads the labels of all rows of a set.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">Which column or array of it has the labels.</param>
    /// <param name="sources">The files of the set.</param>
    /// <exception cref="DataException">It cannot be read, has no labels, or not one for each row.</exception>
    public static LabelsFile Open(string path, FeatureSetOptions options, IReadOnlyList<FeatureSource> sources)
    {
        var values = Load(path, options.LabelColumn);
        var starts = new Dictionary<FeatureSource, long>(ReferenceEqualityComparer.Instance);
        long rows = 0;
        foreach (var source in sources)
        {
            starts.Add(source, rows);
            rows += source.Rows;
        }

        return values.Count == rows
            ? new LabelsFile(path, values, starts)
            : throw new DataException($"{path}: {values.Count} labels, expected {rows}, one per row of {sources[0].Path}"
                + (sources.Count > 1 ? $" and the {sources.Count - 1} files after it" : string.Empty));
    }

    /// <summary>The labels in the file beside a file of features; null if there is none.</summary>
    /// <exception cref="DataException">It cannot be read, or does not have one label for each row.</exception>
    public static ValueColumn? Beside(FeatureSource source)
    {
        if (source.File.LabelsPath is not { } path)
        {
            return null;
        }

        var values = Load(path, null);
        return values.Count == source.Rows
            ? values.For(source)
            : throw new DataException($"{path}: {values.Count} labels, expected {source.Rows}, one per row of {source.Path}");
    }

    /// <summary>The labels of a file's rows.</summary>
    public ValueColumn For(FeatureSource source) => _values.For(source, _starts[source]);

    private static LoadedValues Load(string path, string? column)
    {
        try
        {
            return System.IO.Path.GetExtension(path).Equals(".txt", StringComparison.OrdinalIgnoreCase) ? LoadLines(path)
                : ArrayFile.IsKnown(path) ? LoadArray(path, column)
                : SourceKinds.OfFile(path) switch
                {
                    SourceKind.Csv => CsvFile.Open(FileBytes.Open(path)).ReadValues(path, column),
                    SourceKind.Parquet => LoadParquet(path, column),
                    var kind => throw new DataException($"{path}: labels are not read from {kind.NameOf()} files; "
                        + "expected .npy, .npz, .pt, .safetensors, .csv, .tsv, .parquet or .txt"),
                };
        }
        catch (UnusableLabelsException exception)
        {
            throw new DataException(exception.Message, exception);
        }
    }

    private static LoadedValues LoadLines(string path)
    {
        try
        {
            return LoadedValues.Of(File.ReadAllLines(path));
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DataException($"{path}: no such file", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot be read: {exception.Message}", exception);
        }
    }

    private static LoadedValues LoadArray(string path, string? name)
    {
        using var file = ArrayFile.Open(path);
        IReadOnlyList<StoredArray> all = [.. file.Arrays, .. (file as TorchFile)?.Lists ?? []];
        if (name is not null && file is not NpyFile && all.All(array => array.Name != name))
        {
            // Names the arrays that there are.
            file.Find(name);
        }

        var vectors = all.Where(array => array.Shape.Count > 0 && array.RowLength == 1).ToList();
        var found = name is not null && file is not NpyFile ? vectors.Where(array => array.Name == name).ToList() : vectors;
        if (found.Count > 1)
        {
            found = found.Where(array => LabelColumns.IsUsualName(array.Name)).ToList();
        }

        return found.Count == 1
            ? ArrayValues.Load(found[0])
            : throw new DataException($"{path}: found {vectors.Count} arrays of one dimension"
                + $"{(vectors.Count > 0 ? $" ({string.Join(", ", vectors.Take(10).Select(array => array.Name))})" : string.Empty)}, "
                + "expected one with labels; name it with LabelColumn", property: nameof(FeatureSetOptions.LabelColumn));
    }

    private static LoadedValues LoadParquet(string path, string? name)
    {
        using var file = ParquetFile.Open(path);
        var column = name is not null ? file.FindColumn(name)
            : file.Columns.Count == 1 ? file.Columns[0]
            : file.Columns.FirstOrDefault(column => LabelColumns.IsUsualName(column.Name));
        if (column is not { IsFlat: true } || !(column.IsString || column.IsNumber))
        {
            throw new DataException($"{path}: no column '{name ?? "label"}' of numbers or text; the columns are: "
                + $"{FeatureColumns.Describe(file)}; "
                + "name one with LabelColumn", property: nameof(FeatureSetOptions.LabelColumn));
        }

        var (numbers, texts) = (new List<Int128>(), new List<string?>());
        for (var group = 0; group < file.RowGroups.Count; group++)
        {
            if (column.IsString)
            {
                FlatColumn.ReadTexts(file, column, group, (value, isNull) => texts.Add(isNull ? null : value));
            }
            else
            {
                FlatColumn.Read(file, column, group, Numbers.WholeNumbers(column),
                    (value, isNull) => numbers.Add(isNull ? WholeNumber.Missing : value));
            }
        }

        return column.IsString
            ? new LoadedValues(LabelKind.Text, column.ToString(), null, [.. texts])
            : new LoadedValues(column.IsBoolean ? LabelKind.Boolean : LabelKind.Number, column.ToString(), [.. numbers], null);
    }
}
