using System.Text;
using MonoLoss.Bench;

namespace MonoLoss.Tests.Data.Sources;

/// <summary>Damaged Arrow, LMDB and CSV files are read or refused by one line; see the verb <c>fuzz</c> of the benchmarks.</summary>
public sealed class SourceDamageTests
{
    [Theory]
    [InlineData("file.arrow")]
    [InlineData("stream.arrows")]
    [InlineData("lz4.feather")]
    [InlineData("data.mdb")]
    [InlineData("x.csv")]
    public void Mutations_are_read_or_refused(string name)
    {
        const int Mutations = 3000;
        var original = Create(name);
        var mutator = FileMutator.For(name, original, [original], seed: 7);
        var outcomes = new int[3];
        Assert.Equal(FuzzOutcome.Read, FuzzTarget.Read(name, original, 0, out _));
        for (var number = 0; number < Mutations; number++)
        {
            outcomes[(int)FuzzTarget.Read(name, mutator.Mutate(number), number, out var failure)]++;
            Assert.True(failure is null, $"{name}, mutation {number}: {failure}");
        }

        Assert.NotEqual(0, outcomes[(int)FuzzOutcome.Read]);
        Assert.NotEqual(0, outcomes[(int)FuzzOutcome.Refused]);
    }

    private static byte[] Create(string name)
    {
        if (name == "data.mdb")
        {
            return SourceFiles.Lmdb([.. SourceFiles.Values.Chunk(SourceFiles.Dimension)], "(8,)", overflow: false);
        }

        if (name == "x.csv")
        {
            return Encoding.UTF8.GetBytes("id,f0,f1,label\n1,2.5,3e2,\"a, b\"\n2,-1,0.5,c\n3,4,5,c\n");
        }

        using var folder = new TempFolder();
        SourceFiles.WriteArrow(
            folder[name], name != "stream.arrows", name == "lz4.feather" ? Apache.Arrow.Ipc.CompressionCodecType.Lz4Frame : null, 12, 8);
        return File.ReadAllBytes(folder[name]);
    }
}
