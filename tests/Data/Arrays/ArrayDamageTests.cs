using System.Buffers.Binary;
using MonoLoss.Bench;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Arrays;

/// <summary>
/// A damaged file is read (a flipped bit may be in a value) or refused by one line. This is a short run of the mutations that the verb
/// <c>fuzz</c> of the benchmarks makes for as long as it is told.
/// </summary>
public sealed class ArrayDamageTests
{
    [Theory]
    [InlineData("a.npy")]
    [InlineData("text.npy")]
    [InlineData("stored.npz")]
    [InlineData("deflated.npz")]
    [InlineData("a.pt")]
    [InlineData("line.pt")]
    [InlineData("a.safetensors")]
    public void Mutations_are_read_or_refused(string name)
    {
        const int Mutations = 3000;
        var original = Create(name);
        var mutator = FileMutator.For(name, original, [Create("a.pt"), original], seed: 7);
        var outcomes = new int[3];
        // Odd numbers read arrays, even ones features, which a file of texts has none of.
        Assert.Equal(FuzzOutcome.Read, FuzzTarget.Read(name, original, 1, out _));
        for (var number = 0; number < Mutations; number++)
        {
            outcomes[(int)FuzzTarget.Read(name, mutator.Mutate(number), number, out var failure)]++;
            Assert.True(failure is null, $"{name}, mutation {number}: {failure}");
        }

        Assert.NotEqual(0, outcomes[(int)FuzzOutcome.Read]);
        Assert.NotEqual(0, outcomes[(int)FuzzOutcome.Refused]);
    }

    [Fact]
    public void No_memory_is_given_to_what_a_zip_directory_claims()
    {
        const int Claimed = 400 << 20;
        var file = new TestZip { Deflated = true }.Add("a/data.pkl", new byte[1000]).Build();
        var directory = file.AsSpan().IndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(directory + 24), Claimed);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Throws.Line(() => ArrayFile.Open("a.pt", file), $"'a/data.pkl' is {Claimed} bytes in");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    private static byte[] Create(string name)
    {
        using var folder = new TempFolder();
        var numbers = Enumerable.Range(0, 24).Select(i => i / 3f).ToArray();
        byte[] bytes = [.. numbers.SelectMany(BitConverter.GetBytes)];
        SafeTensor[] tensors =
            [SafeTensor.Create("x", [6, 4], numbers), SafeTensor.Create("y", [6], new long[6]), SafeTensor.Create("k", [], new[] { 7 })];
        switch (name)
        {
            case "a.npy":
                return TestNpy.File("'>f4'", "(6, 4)", bytes, fortran: true);
            case "text.npy":
                return TestNpy.File("'<U4'", "(6,)", [.. Enumerable.Repeat<byte[]>([97, 0, 0, 0], 24).SelectMany(character => character)]);
            case "stored.npz" or "deflated.npz":
                return new TestZip { Deflated = name[0] == 'd', Zip64 = name[0] == 'd' }
                    .Add("x.npy", TestNpy.File("'<f4'", "(6, 4)", bytes)).Add("y.npy", TestNpy.File("'|u1'", "(96,)", bytes)).Build();
            case "a.safetensors":
                SafetensorsWriter.Write(folder["a"], tensors);
                break;
            default:
                var paths = TorchItem.List(TorchItem.Of("a/1.jpg"), TorchItem.Of("b/2.jpg"));
                var root = TorchItem.Dictionary(
                    KeyValuePair.Create("paths", paths), KeyValuePair.Create("x", TorchItem.Dictionary(tensors)));
                TorchWriter.Write(folder["a"], root, name == "line.pt" ? "{}" : null);
                break;
        }

        return File.ReadAllBytes(folder["a"]);
    }
}
