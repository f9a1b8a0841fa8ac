namespace MonoLoss.Data;

/// <summary>Finds the features among the arrays of a file, and what belongs to their rows.</summary>
internal static class ArrayChoice
{
    private static readonly string[] FeatureNames = ["features", "embeddings", "x"];
    private static readonly string[] PathNames = ["paths", "path", "files", "file_names", "filenames", "filename", "file", "image_paths",
        "names"];

    /// <summary>Whether the file's only array has no name of its own, so that none can be asked for.</summary>
    public static bool IsNameless(ArrayFile file) => file is NpyFile || (file is TorchFile torch && torch.Root.Kind == TorchKind.Tensor);

    /// <summary>Finds the features.</summary>
    /// <param name="file">The file.</param>
    /// <param name="options">The array that is asked for, if one is.</param>
    /// <exception cref="DataException">There is no array of rows of numbers, or there are several.</exception>
    public static StoredArray Find(ArrayFile file, FeatureSetOptions options)
    {
        if (options.FeaturesColumn is { } name && !IsNameless(file) && !(file.Stack() is not null && !file.Contains(name)))
        {
            return Checked(file.Find(name));
        }

        var tables = file.Arrays.Where(array => array.Shape.Count >= 2).ToList();
        if (tables.Count == 0 || file.Arrays.Count > 1)
        {
            if (file.Stack() is { } stacked)
            {
                // Rows of a safetensors file are in the order of their names, not in that in which they were written.
                return file is TorchFile ? Checked(stacked) : throw new DataException($"{file.Path}: it has {stacked.Rows} arrays of one "
                    + "dimension, "
                    + "whose order is that of their names; write one array of rows, or a .pt file with a dict of path to tensor");
            }
        }

        return tables.Count switch
        {
            1 => Checked(tables[0]),
            0 when file.Arrays.Count == 0 => throw new DataException($"{file.Path}: it has no array"),
            0 => throw Refusal(file, file.Arrays[0], $"has {(file.Arrays[0].Shape.Count == 0 ? "no dimension" : "one dimension")} "
                + $"({file.Arrays[0].ShapeText}): no rows; reshape it, such as by x.reshape(-1, D)"),
            _ => Checked(Preferred(tables) ?? throw new DataException(
                $"{file.Path}: {tables.Count} arrays have rows of numbers: "
                    + string.Join(", ", tables.Take(10).Select(array => $"{array.Name} ({array.TypeText}, {array.ShapeText})"))
                    + $"{(tables.Count > 10 ? " and others" : string.Empty)}; choose one with FeaturesColumn",
                property: nameof(FeatureSetOptions.FeaturesColumn))),
        };
    }

    /// <summary>The texts that are the paths of rows; null if there are none.</summary>
    public static StoredArray? Paths(IEnumerable<StoredArray> arrays, long rows) => arrays.FirstOrDefault(array =>
        array.Type == ElementType.Text && array.Shape.Count == 1 && array.Rows == rows && PathNames.Contains(LastName(array.Name)));

    /// <summary>The folder in a path, which is the class of an image; null if there is none.</summary>
    public static string? FolderOf(string path)
    {
        var end = path.LastIndexOfAny(['/', '\\']);
        return end > 0 ? path[(path.LastIndexOfAny(['/', '\\'], end - 1) + 1)..end] : null;
    }

    // What is nested in dicts has the names of all of them.
    private static string LastName(string name) => name[(name.LastIndexOf('.') + 1)..];

    private static StoredArray? Preferred(IReadOnlyList<StoredArray> tables)
    {
        var found = tables.Where(array => FeatureNames.Contains(LastName(array.Name), StringComparer.OrdinalIgnoreCase)).ToList();
        return found.Count == 1 && tables.All(array => array == found[0] || LabelColumns.IsUsualName(LastName(array.Name))
            || ColumnPattern.IsId(LastName(array.Name)))
            ? found[0]
            : null;
    }

    private static StoredArray Checked(StoredArray array)
    {
        if (array.Problem is { } problem)
        {
            throw array.Failure(problem);
        }

        if (!array.Type.IsNumber())
        {
            throw array.Failure($"it is {array.TypeText}, expected numbers");
        }

        if (array.Shape.Count < 2)
        {
            throw array.Failure($"it has {(array.Shape.Count == 0 ? "no dimension" : "one dimension")} ({array.ShapeText}): no rows; "
                + "reshape it, such as by x.reshape(-1, D)");
        }

        long[] inner = [.. array.Shape.Skip(1).Where(size => size != 1)];
        if (inner.Length > 1)
        {
            throw array.Failure($"it has the shape {array.ShapeText}: {string.Join("×", inner[..^1])} tokens of {inner[^1]} values a row, "
                + $"expected one; flatten it, by x.reshape(-1, {inner[^1]}) for one row per token, or x.reshape({array.Rows}, -1) for one "
                + "row per sample");
        }

        return array.RowLength is > 0 and <= int.MaxValue / sizeof(double)
            ? array
            : throw array.Failure($"its rows have {array.RowLength} values");
    }

    private static DataException Refusal(ArrayFile file, StoredArray array, string why) => array.Problem is { } problem
        ? array.Failure(problem)
        : new DataException($"{file.Path}: array '{array.Name}' {why}");
}
