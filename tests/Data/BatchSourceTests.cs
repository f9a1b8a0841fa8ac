using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

public sealed class BatchSourceTests : IDisposable
{
    private const int Rows = 1000;
    private const int Width = 5;
    private const int Batch = 64;

    private readonly TempFolder _folder = new();
    private readonly FeatureSet _set;

    public BatchSourceTests()
    {
        // Row i is (i, 2i, …), in two files with row groups of 90 rows.
        foreach (var (name, first, count) in new[] { ("a.parquet", 0, 410), ("b.parquet", 410, 590) })
        {
            var floats = Enumerable.Range(0, count * Width).Select(i => (float)((first + (i / Width)) * ((i % Width) + 1))).ToArray();
            ParquetWriter.Write(
                _folder[name],
                [ParquetData.FloatLists("x", floats, Width)],
                new ParquetWriterOptions { RowGroupRows = 90 });
        }

        _set = FeatureSet.Open(_folder.Path, new FeatureSetOptions { Normalize = false });
    }

    public static TheoryData<string> Kinds => ["memory", "streaming"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Epoch_has_every_row_once_in_its_own_order(string kind)
    {
        using var source = Create(kind);
        Assert.Equal((Width, (long)Rows, Batch), (source.Dimension, source.Rows, source.BatchSize));
        Assert.Equal(15, source.BatchesPerEpoch);
        var epochs = Enumerable.Range(0, 3).Select(epoch => Draw(source, epoch)).ToArray();
        foreach (var rows in epochs)
        {
            Assert.Equal(Rows / Batch * Batch, rows.Distinct().Count());
        }

        Assert.NotEqual(epochs[0], epochs[1]);
        Assert.NotEqual(epochs[1], epochs[2]);
        Assert.Equal(epochs[1], Draw(source, 1));
        using var again = Create(kind);
        Assert.Equal(epochs[2], Draw(again, 2));
        using var other = Create(kind, seed: 8);
        Assert.NotEqual(epochs[2], Draw(other, 2));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Skipped_batches_change_nothing(string kind)
    {
        foreach (var shuffle in new[] { true, false })
        {
            using var source = Create(kind, shuffle: shuffle);
            var all = Draw(source, 3);
            foreach (var skip in new[] { 1, 7, 14, 15 })
            {
                Assert.Equal(all[(skip * Batch)..], Draw(source, 3, skip));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Rows_without_shuffling_come_in_file_order(string kind)
    {
        using var source = Create(kind, shuffle: false);
        Assert.Equal(Enumerable.Range(0, Rows / Batch * Batch), Draw(source, 0));
        Assert.Equal(Enumerable.Range(0, Rows / Batch * Batch), Draw(source, 1));
    }

    [Fact]
    public void Streaming_shuffles_across_row_groups()
    {
        using var source = Create("streaming");
        var rows = Draw(source, 0);
        // With room for 200 rows, a batch of 64 comes from more than the two row groups it would without a buffer.
        Assert.True(rows[..Batch].Select(row => row < 410 ? row / 90 : 5 + ((row - 410) / 90)).Distinct().Count() >= 3);
        var ascending = rows.Zip(rows.Skip(1)).Count(pair => pair.Second == pair.First + 1);
        Assert.True(ascending < Rows / 20);
    }

    [Fact]
    public void Shuffled_rows_are_equally_likely_anywhere()
    {
        // Over 400 epochs the mean place of a row is the middle, within five standard errors.
        using var source = Create("memory");
        var sums = new double[Rows];
        const int Epochs = 400;
        for (var epoch = 0; epoch < Epochs; epoch++)
        {
            var order = Enumerable.Range(0, Rows).ToArray();
            new Xoshiro256(5, (ulong)epoch).Shuffle(order);
            for (var place = 0; place < Rows; place++)
            {
                sums[order[place]] += place;
            }
        }

        var error = 5 * Rows / Math.Sqrt(12 * Epochs);
        Assert.All(sums, sum => Assert.InRange(sum / Epochs, (Rows / 2.0) - error, (Rows / 2.0) + error));
    }

    [Fact]
    public void Random_numbers_are_those_of_the_reference()
    {
        // splitmix64 and xoshiro256** computed by hand with arbitrary-precision integers from their authors' C code.
        var random = new Xoshiro256(0);
        Assert.Equal([0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0], new[] { random.Next(), random.Next(), random.Next() });
    }

    [Fact]
    public void Factory_chooses_the_source_by_memory()
    {
        using var small = BatchSource.Create(_set, new BatchOptions { BatchSize = 10, MemoryBytes = Rows * Width * sizeof(float) });
        using var large = BatchSource.Create(_set, new BatchOptions { BatchSize = 10, MemoryBytes = (Rows * Width * sizeof(float)) - 1 });
        Assert.IsType<InMemoryBatchSource>(small);
        Assert.IsType<StreamingBatchSource>(large);
        using var memory = new InMemoryBatchSource(_set, new BatchOptions { BatchSize = 10 });
        Assert.Equal([900f, 1800, 2700, 3600, 4500], memory.Row(900).ToArray());
        Throws.Line(() => BatchSource.Create(_set, new BatchOptions { BatchSize = 1001 }), "1000 rows", "1001");
        Throws.Line(() => BatchSource.Create(_set, new BatchOptions { BatchSize = 0 }), "batch size 0");
    }

    [Fact]
    public void Damage_after_opening_is_reported_and_the_source_goes_on_when_it_is_mended()
    {
        using var source = Create("streaming");
        Assert.NotEmpty(Draw(source, 0));
        var bytes = File.ReadAllBytes(_folder["b.parquet"]);
        File.WriteAllBytes(_folder["b.parquet"], new byte[bytes.Length]);
        Throws.Line(() => Draw(source, 1), "b.parquet", "column 'x'");
        File.WriteAllBytes(_folder["b.parquet"], bytes);
        Assert.NotEmpty(Draw(source, 2));
        File.Delete(_folder["b.parquet"]);
        Throws.Line(() => Draw(source, 3), "b.parquet: no such file");
    }

    [Fact]
    public void Batch_allocates_nothing()
    {
        using var source = Create("memory");
        var x = new float[Batch * Width];
        source.StartEpoch(0);
        source.Next(x);
        var before = GC.GetAllocatedBytesForCurrentThread();
        while (source.Next(x))
        {
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private BatchSource Create(string kind, ulong seed = 7, bool shuffle = true)
    {
        var options = new BatchOptions { BatchSize = Batch, Seed = seed, Shuffle = shuffle, MemoryBytes = 200 * Width * sizeof(float) };
        return kind switch
        {
            "memory" => new InMemoryBatchSource(_set, options),
            _ => new StreamingBatchSource(_set, options),
        };
    }

    // The indexes of the rows, checked against all their features.
    private static int[] Draw(BatchSource source, int epoch, long skip = 0)
    {
        var rows = new List<int>();
        var x = new float[Batch * Width];
        source.StartEpoch(epoch, skip);
        while (source.Next(x))
        {
            for (var i = 0; i < Batch; i++)
            {
                var row = (int)x[i * Width];
                rows.Add(row);
                for (var j = 0; j < Width; j++)
                {
                    Assert.Equal(row * (j + 1), x[(i * Width) + j]);
                }
            }
        }

        Assert.False(source.Next(x));
        return [.. rows];
    }
}
