using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Rows in file order, in batches of which the last may be smaller. A batch is valid until the next.</summary>
internal static class SequentialBatches
{
    /// <summary>Reads a set from its files.</summary>
    /// <param name="set">The set.</param>
    /// <param name="device">The device to bring the batches to.</param>
    /// <param name="batchSize">Rows per batch.</param>
    /// <exception cref="ConfigurationException">A batch is longer than an array can be.</exception>
    public static IEnumerable<Batch> Read(FeatureSet set, Device device, int batchSize)
    {
        var values = Math.Min(batchSize, set.Rows) * set.Dimension;
        if (values > Array.MaxLength)
        {
            throw new ConfigurationException(
                $"BatchSize {batchSize} is too large for features of dimension {set.Dimension}: at most {Array.MaxLength / set.Dimension}",
                nameof(TrainingOptions.BatchSize));
        }

        using var reader = set.OpenReader();
        using var batch = device.Tensor(0, 0);
        using var similarity = set.Similarity is null ? null : device.Tensor(0, 0);
        var rows = new float[values];
        var width = set.Similarity?.Dimension ?? 0;
        var similarityRows = new float[checked(Math.Min(batchSize, set.Rows) * width)];
        int count;
        while ((count = reader.Read(rows, default, similarityRows)) > 0)
        {
            batch.Resize(count, set.Dimension);
            similarity?.Resize(count, width);
            yield return new Batch(
                batch.Set(rows.AsSpan(0, count * set.Dimension)), similarity?.Set(similarityRows.AsSpan(0, count * width)));
        }
    }

    /// <summary>Takes rows from the host's memory.</summary>
    /// <param name="features">N×D values in rows.</param>
    /// <param name="dimension">D.</param>
    /// <param name="similarity">N×E values in rows of the second column; null if there is none.</param>
    /// <param name="similarityDimension">E; 0 if there is no second column.</param>
    /// <param name="device">The device to bring the batches to.</param>
    /// <param name="batchSize">Rows per batch.</param>
    public static IEnumerable<Batch> Read(
        NativeBuffer features, int dimension, NativeBuffer? similarity, int similarityDimension, Device device, int batchSize)
    {
        using var batch = device.Tensor(0, 0);
        using var compared = similarity is null ? null : device.Tensor(0, 0);
        var rows = features.Count / dimension;
        for (var row = 0L; row < rows; row += batchSize)
        {
            var count = (int)Math.Min(batchSize, rows - row);
            batch.Resize(count, dimension);
            compared?.Resize(count, similarityDimension);
            yield return new Batch(
                batch.Set(features.Slice(row * dimension, count * dimension)),
                compared?.Set(similarity!.Slice(row * similarityDimension, count * similarityDimension)));
        }
    }
}
