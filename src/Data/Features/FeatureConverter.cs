using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Writes a set of features as one Parquet file.</summary>
public static class FeatureConverter
{
    /// <summary>The column of features.</summary>
    public const string FeaturesColumn = "features";

    /// <summary>The column of labels.</summary>
    public const string LabelColumn = "label";

    // The library that writes takes several times this while it does.
    private const int GroupBytes = 16 << 20;

    /// <summary>
    /// Writes features as lists of float32, labels if there are any, and the column of ids or paths of the set if it has one. Row groups
    /// have at most 16 MiB of features, and one at a time is in memory.
    /// </summary>
    /// <param name="set">The set, opened without <see cref="FeatureSetOptions.Normalize"/> for the values as they are.</param>
    /// <param name="path">The file; it appears when it is complete.</param>
    /// <param name="stop">Stops the conversion: nothing is left.</param>
    /// <returns>The columns that were written.</returns>
    /// <exception cref="DataException">The set cannot be read, the file cannot be written, or labels are lists of text.</exception>
    public static IReadOnlyList<string> Write(FeatureSet set, string path, CancellationToken stop = default)
    {
        var rows = (int)Math.Clamp(GroupBytes / (sizeof(float) * (long)set.Dimension), 1, set.Rows);
        using var writer = new ParquetRowWriter(path, new ParquetWriterOptions
        {
            RowGroupRows = rows, Metadata = FeatureOrigin.ToMetadata(set.Origin),
        });
        using var reader = set.OpenReader();
        using var others = new RowColumns(set, LabelColumn);
        if (set.HasLabels && !others.HasLabels)
        {
            throw new DataException($"{set.Files[0]}: label column '{set.LabelColumn}' has lists that are not of 32-bit integers, "
                + "which are not written; convert without labels, or name another column");
        }

        var features = new float[checked(rows * set.Dimension)];
        IReadOnlyList<ParquetData> columns = [];
        for (int count; (count = reader.Read(features)) > 0;)
        {
            stop.ThrowIfCancellationRequested();
            columns =
            [
                ParquetData.FloatLists(FeaturesColumn, features.AsMemory(0, count * set.Dimension), set.Dimension),
                .. others.Read(count),
            ];
            writer.Write(columns);
        }

        writer.Commit();
        return [.. columns.Select(column => column.Name)];
    }
}
