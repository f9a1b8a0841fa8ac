using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using Parquet;
using ParquetWriter = MonoLoss.Data.Parquet.ParquetWriter;

namespace MonoLoss.Tests.Data;

/// <summary>Counts native allocations of the process: no other test may run meanwhile.</summary>
[CollectionDefinition(nameof(MemoryBoundTests), DisableParallelization = true)]
[Collection(nameof(MemoryBoundTests))]
public sealed class MemoryBoundTests : IDisposable
{
    private const int Rows = 20_000;
    private const int Width = 128;
    private const int Batch = 256;
    private const long Limit = 1 << 20;
    private const int Page = Rows / 2 * Width * sizeof(float);

    // What is read ahead where pages are small, and the levels of a page.
    private const int Fixed = 2 << 20;

    private readonly TempFolder _folder = new();

    public static TheoryData<CompressionMethod> Codecs =>
        [CompressionMethod.None, CompressionMethod.Snappy, CompressionMethod.Zstd, CompressionMethod.Gzip];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Codecs))]
    public void Streaming_takes_the_limit_and_twice_the_largest_page(CompressionMethod codec)
    {
        // Parquet.Net writes a row group as one page, as DuckDB does. Every third value is random, so that pages can be compressed.
        var random = new Random(5);
        var values = Enumerable.Range(0, Rows * Width).Select(i => i % 3 == 0 ? random.NextSingle() : 0.5f).ToArray();
        var path = _folder["x.parquet"];
        ParquetWriter.Write(
            path, [ParquetData.FloatLists("x", values, Width)], new ParquetWriterOptions { RowGroupRows = Rows / 2, Compression = codec });
        // Half of the file is one page; without a codec, the page as it is in the file is used where it is.
        var (compressed, decompressed) = (new FileInfo(path).Length / 2, codec == CompressionMethod.None ? 0 : Page);
        var before = NativeBlock.Allocated;
        NativeBlock.ResetPeak();
        var managed = GC.GetAllocatedBytesForCurrentThread();
        using (var source = BatchSource.Create(
            FeatureSet.Open(path), new BatchOptions { BatchSize = Batch, MemoryBytes = Limit }))
        {
            Assert.IsType<StreamingBatchSource>(source);
            var batch = new float[Batch * Width];
            for (var epoch = 0; epoch < 2; epoch++)
            {
                source.StartEpoch(epoch);
                while (source.Next(batch))
                {
                }
            }
        }

        var peak = NativeBlock.Peak - before;
        Assert.InRange(peak, Limit + decompressed, Limit + (2 * (compressed + decompressed)) + Fixed);
        // Pages and levels are not in managed memory, where what is freed stays for a while.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - managed, 0, 4 << 20);
        Assert.Equal(before, NativeBlock.Allocated);
    }
}
