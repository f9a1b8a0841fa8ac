namespace MonoLoss.Cli;

/// <summary>What the options that name features and labels have in common.</summary>
internal static class FeatureOptions
{
    /// <summary>What a path may be.</summary>
    public const string Paths = "files (Parquet, Arrow, .npy, .npz, .pt, .safetensors, CSV), LMDB stores, folders or patterns.";

    /// <summary>How features are chosen.</summary>
    public const string ColumnHelp =
        "Column with lists of numbers or array, or a pattern for one column per dimension: 'f*', 'f[0-767]', '0..23', 'f*,!f_id'; "
        + "for saev 'layer 11, cls' [the only one]";

    /// <summary>How labels are chosen.</summary>
    public const string LabelHelp = "Column with class labels, for class purity [label, labels, class, target or y, if present]";

    /// <summary>How labels in a second file are named.</summary>
    public const string LabelsFileHelp = "File with a label for each row in order: .npy, .npz, .pt, .safetensors, .csv, .parquet or .txt";

    /// <summary>Checks that options about labels do not contradict each other.</summary>
    /// <exception cref="UsageException">They do.</exception>
    public static void CheckLabels(bool noLabels, string? labelColumn, params string?[] labelsFiles)
    {
        if (noLabels && (labelColumn is not null || labelsFiles.Any(file => file is not null)))
        {
            throw new UsageException($"--no-labels cannot be combined with {(labelColumn is not null ? "--label-column" : "--labels")}");
        }
    }
}
