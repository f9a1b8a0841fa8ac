namespace MonoLoss.Tests.Data;

/// <summary>A damaged file is a line of explanation, or is read (a flipped bit may be in a value): never anything else.</summary>
public sealed class ParquetDamageTests
{
    public static TheoryData<string> Files => [.. Directory.GetFiles(Fixtures.Folder, "*.parquet")
        .Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [InlineData("duckdb-snappy-v1.parquet")]
    [InlineData("rust-snappy-v2-delta-split.parquet")]
    public void AFileCutOffAnywhereIsRefused(string name)
    {
        using var folder = new TempFolder();
        var bytes = File.ReadAllBytes(Fixtures.File(name));
        var path = folder["cut.parquet"];
        for (var length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(path, bytes[..length]);
            Assert.False(Damage.Survives($"{name} cut at {length}", () => Damage.ReadAll(path)));
            Assert.False(Damage.Survives($"{name} cut at {length}", () => Damage.ReadFeatures(path, null)));
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void FlippedBitsDoNoHarm(string name)
    {
        const int Times = 300;
        using var folder = new TempFolder();
        var random = new Random(7);
        var original = File.ReadAllBytes(Fixtures.File(name));
        var path = folder["flipped.parquet"];
        var pattern = name.Contains("columns", StringComparison.Ordinal) ? "f*" : null;
        var refused = 0;
        for (var time = 0; time < Times; time++)
        {
            var bytes = (byte[])original.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            }

            File.WriteAllBytes(path, bytes);
            var what = $"{name}, time {time}";
            refused += Damage.Survives(what, () => Damage.ReadAll(path)) ? 0 : 1;
            Damage.Survives(what, () => Damage.ReadFeatures(path, pattern));
        }

        Assert.NotEqual(0, refused);
    }
}
