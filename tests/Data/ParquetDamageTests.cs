using System.Buffers.Binary;
using MonoLoss.Bench;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

/// <summary>
/// A damaged file is read (a flipped bit may be in a value) or refused by one line, never anything else. This is a short run of the
/// mutations that the verb <c>fuzz</c> of the benchmarks makes for as long as it is told.
/// </summary>
public sealed class ParquetDamageTests
{
    public static TheoryData<string> Files => [.. Directory.GetFiles(Fixtures.Folder, "*.parquet")
        .Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [InlineData("duckdb-snappy-v1.parquet")]
    [InlineData("rust-snappy-v2-delta-split.parquet")]
    public void Truncated_file_is_refused(string name)
    {
        var bytes = File.ReadAllBytes(Fixtures.File(name));
        for (var length = 0; length < bytes.Length; length++)
        {
            var cut = bytes[..length];
            Assert.False(Damage.Survives($"{name} cut at {length}", () => Damage.ReadAll(FileBytes.InMemory(name, cut))));
            Assert.False(Damage.Survives($"{name} cut at {length}", () => FeatureSet.Open(name, cut)));
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Mutations_are_read_or_refused(string name)
    {
        const int Mutations = 2000;
        byte[][] others = [.. Directory.GetFiles(Fixtures.Folder, "*.parquet").Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
        var mutator = new ParquetMutator(File.ReadAllBytes(Fixtures.File(name)), others, seed: 7);
        var outcomes = new int[3];
        for (var number = 0; number < Mutations; number++)
        {
            outcomes[(int)FuzzTarget.Read(name, mutator.Mutate(number), number, out var failure)]++;
            Assert.True(failure is null, $"{name}, mutation {number}: {failure}");
        }

        Assert.NotEqual(0, outcomes[(int)FuzzOutcome.Read]);
        Assert.NotEqual(0, outcomes[(int)FuzzOutcome.Refused]);
    }

    [Theory]
    [InlineData("duckdb-gzip-v1.parquet")]
    [InlineData("duckdb-brotli-v1.parquet")]
    [InlineData("duckdb-snappy-v1.parquet")]
    [InlineData("duckdb-zstd-v1.parquet")]
    [InlineData("duckdb-lz4raw-v1.parquet")]
    public void Page_without_bytes_is_refused(string name)
    {
        // The pages of the features are made empty one by one: the compressed size in a header becomes 0, in as many bytes as before.
        var bytes = File.ReadAllBytes(Fixtures.File(name));
        var footer = bytes.Length - 8 - BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(bytes.Length - 8));
        var pages = 0;
        for (var at = 4; at < footer; pages++)
        {
            // Behind the pages are indexes, whose structures no page header has.
            if (Record.Exception(() => PageHeader.Read(bytes.AsSpan(at, footer - at), out _)) is not null)
            {
                break;
            }

            var header = PageHeader.Read(bytes.AsSpan(at, footer - at), out var length);
            var emptied = (byte[])bytes.Clone();
            var reader = new ThriftReader(bytes.AsSpan(at, length));
            short id = 0;
            while (id < 3 && reader.NextField(ref id, out var type))
            {
                var start = at + reader.Position;
                reader.Skip(type);
                if (id == 3)
                {
                    emptied.AsSpan(start, at + reader.Position - start - 1).Fill(0x80);
                    emptied[at + reader.Position - 1] = 0;
                }
            }

            Damage.Survives($"{name}, page {pages}", () => Damage.ReadAll(FileBytes.InMemory(name, emptied)));
            at += length + header.CompressedSize;
        }

        Assert.InRange(pages, 8, 100);
        var codec = Enum.Parse<Parquet.Meta.CompressionCodec>(
            name.Split('-')[1].ToUpperInvariant().Replace("LZ4RAW", "LZ4_RAW", StringComparison.Ordinal));
        using var codecs = new Codec();
        using var buffer = new NativeBytes();
        Assert.Throws<CorruptException>(() => codecs.Decompress(codec, default, buffer, 100));
        Assert.Equal(0, buffer.Length);
    }
}
