using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Bench;

/// <summary>How the reading of a file ended.</summary>
internal enum FuzzOutcome
{
    /// <summary>The file was read: not every bit matters.</summary>
    Read,

    /// <summary>The file was rejected by a <see cref="DataException"/> of one line.</summary>
    Refused,

    /// <summary>Reading ended in another exception, or took more memory than the file accounts for.</summary>
    Failed,
}

/// <summary>Reads files that may be damaged, as training and the report do.</summary>
internal static class FuzzTarget
{
    // The reader's fixed buffers, batches of Arrow, and the largest size to which a page of the fixtures can decompress.
    private const long MemoryAllowed = 64 << 20;
    private const int BatchFloats = 1 << 12;
    private const int MostArrays = 100;

    private static readonly string?[] LabelColumns = [null, "id", "label", "name", "kind", "big"];

    /// <summary>Reads a file.</summary>
    /// <param name="name">The name of the original file.</param>
    /// <param name="content">The file's bytes.</param>
    /// <param name="number">The mutation's number, which selects the label column.</param>
    /// <param name="failure">What went wrong, or null.</param>
    public static FuzzOutcome Read(string name, byte[] content, long number, out string? failure)
    {
        failure = null;
        var before = GC.GetAllocatedBytesForCurrentThread();
        var outcome = FuzzOutcome.Read;
        try
        {
            if (ArrayFile.IsKnown(name) && number % 2 == 1)
            {
                ReadArrays(name, content);
            }
            else if (number % 8 == 7 && Path.GetExtension(name) == ".parquet")
            {
                // A table of one value per row, as our own files are.
                ReadTable(name, content);
            }
            else
            {
                ReadFeatures(name, content, LabelColumns[number % LabelColumns.Length]);
            }
        }
        catch (DataException exception)
        {
            outcome = FuzzOutcome.Refused;
            failure = exception.Message.Contains('\n', StringComparison.Ordinal) ? $"more than one line: {exception.Message}" : null;
        }
        catch (Exception exception)
        {
            failure = exception.ToString();
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (failure is null && allocated > MemoryAllowed)
        {
            failure = $"{allocated} bytes were allocated for a file of {content.Length}";
        }

        return failure is null ? outcome : FuzzOutcome.Failed;
    }

    private static void ReadFeatures(string name, byte[] content, string? labels)
    {
        var set = FeatureSet.Open(name, content, new FeatureSetOptions
        {
            FeaturesColumn = name.Contains("columns", StringComparison.Ordinal) || name.Contains("wide", StringComparison.Ordinal)
                ? "f*"
                : null,
            LabelColumn = name.Contains("columns", StringComparison.Ordinal) ? null : labels,
        });
        if (set.Dimension > BatchFloats)
        {
            return;
        }

        using var reader = set.OpenReader();
        var x = new float[Math.Max(1, BatchFloats / set.Dimension) * set.Dimension];
        var y = set is { HasLabels: true, HasSeveralLabels: false } ? new int[x.Length / set.Dimension] : [];
        while (reader.Read(x, y) > 0)
        {
        }
    }

    private static void ReadTable(string name, byte[] content)
    {
        var table = ParquetTable.Read(name, content);
        table.ReadIntegers("id");
        table.ReadIntegers("big");
        table.ReadTexts("name");
        table.ReadNullableDoubles("score");
    }

    private static void ReadArrays(string name, byte[] content)
    {
        using var file = ArrayFile.Open(name, content);
        var lists = (file as TorchFile)?.Lists ?? [];
        StoredArray[] arrays = [.. file.Arrays.Take(MostArrays), .. lists.Take(MostArrays)];
        if (file.Stack() is { } stacked)
        {
            arrays = [.. arrays, stacked];
        }

        var refused = default(DataException);
        foreach (var array in arrays)
        {
            try
            {
                ReadArray(array);
            }
            catch (DataException exception)
            {
                // The others must still be read or refused.
                refused ??= exception;
            }
        }

        if (refused is not null)
        {
            throw refused;
        }
    }

    // The first rows and the last one: a file may describe many more elements than it has bytes.
    private static void ReadArray(StoredArray array)
    {
        if (array.RowLength is 0 or > BatchFloats || array.Rows == 0)
        {
            return;
        }

        var count = (int)(Math.Min(array.Rows, BatchFloats / array.RowLength) * array.RowLength);
        if (array.Type == ElementType.Text)
        {
            array.ReadRows(0, new string[count]);
            array.ReadRows(array.Rows - 1, new string[array.RowLength]);
            return;
        }

        array.ReadRows(0, new float[count]);
        array.ReadRows(array.Rows - 1, new double[array.RowLength]);
        if (array.Type is >= ElementType.Int8 and <= ElementType.Boolean)
        {
            array.ReadRows(0, new Int128[count]);
        }
    }
}
