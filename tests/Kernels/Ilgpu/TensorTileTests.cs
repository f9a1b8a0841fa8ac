using ILGPU;
using ILGPU.Runtime;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>
/// Checks which sums of the TF32 tile each lane holds, with the tensor cores' instruction simulated as the PTX ISA defines it.
/// </summary>
[Collection(IlgpuTests.Name)]
public sealed class TensorTileTests(IlgpuFixture ilgpu)
{
    private const int Size = 128, Step = 16;

    private readonly IlgpuDevice _device = ilgpu.Device;

    [Theory]
    [InlineData(0, false)]
    [InlineData(3, true)]
    public void Warp_computes_its_part_of_the_tile(int warp, bool acrossTerms)
    {
        var random = new Random(5);
        float[] Values() => Enumerable.Range(0, Size * Step).Select(_ => (float)((2 * random.NextDouble()) - 1)).ToArray();
        var (a, b) = (Values(), Values());
        using var left = _device.Tensor(1, Size * Step).Set(a);
        using var right = _device.Tensor(1, Size * Step).Set(b);
        using var result = _device.Tensor(Size, Size).Set(Enumerable.Repeat(float.NaN, Size * Size).ToArray());
        var kernel = _device.Accelerator
            .LoadStreamKernel<ArrayView<float>, ArrayView<float>, ArrayView<float>, int, int>(TensorTileKernel.Warp);
        kernel(new KernelConfig(1, 32), View(left), View(right), View(result), warp, acrossTerms ? 1 : 0);
        var actual = result.ToArray();
        for (var i = 0; i < Size; i++)
        {
            for (var j = 0; j < Size; j++)
            {
                if (i / 64 != warp / 2 || j / 64 != warp % 2)
                {
                    Assert.True(float.IsNaN(actual[(i * Size) + j]), $"({i}, {j}) is another warp's");
                    continue;
                }

                var expected = 0.0;
                for (var term = 0; term < Step; term++)
                {
                    int At(int row) => acrossTerms ? (term * Size) + row : (row * Step) + term;
                    expected += (double)Tf32(a[At(i)]) * Tf32(b[At(j)]);
                }

                Assert.True(Math.Abs(actual[(i * Size) + j] - expected) < 1e-5, $"({i}, {j}): {actual[(i * Size) + j]} is not {expected}");
            }
        }
    }

    [Fact]
    public void TF32_rounds_to_the_nearest_with_ten_bits_and_truncates_denormal_numbers()
    {
        var random = new Random(6);
        foreach (var value in Enumerable.Range(0, 1000)
            .Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)))
            .Where(value => float.IsNormal(value))
            .Concat([0, -0f, 1, 1 + 4.8828125e-4f, 1 + 2.44140625e-4f, float.PositiveInfinity, float.NegativeInfinity]))
        {
            Assert.Equal(Tf32(value), BitConverter.Int32BitsToSingle(TensorCore.Round(value)));
        }

        foreach (var bits in Enumerable.Range(0, 1000).Select(_ => random.Next(1 << 23)))
        {
            Assert.Equal(bits & ~0x1FFF, TensorCore.Round(BitConverter.Int32BitsToSingle(bits)));
        }

        foreach (var nan in new[] { int.MaxValue, -1, 0x7F800001, 0x7FC00000 })
        {
            Assert.True(float.IsNaN(BitConverter.Int32BitsToSingle(TensorCore.Round(BitConverter.Int32BitsToSingle(nan)))));
        }
    }

    /// <summary>The nearest number with 10 bits of mantissa, ties away from zero, by arithmetic.</summary>
    private static float Tf32(float value)
    {
        if (value == 0 || !float.IsFinite(value))
        {
            return value;
        }

        var unit = Math.Pow(2, Math.Max(Math.ILogB(value), -126) - 10);
        return (float)(Math.Round(value / unit, MidpointRounding.AwayFromZero) * unit);
    }

    private static ArrayView<float> View(MonoLoss.Kernels.Tensor tensor) => ((IlgpuArray<float>)tensor.Data).View;
}

/// <summary>Runs the product's work on its tiles in a single warp.</summary>
public static class TensorTileKernel
{
    private const int Size = 128, Step = 16;

    /// <summary>The copies of all threads and the products of one warp of the four, without waiting for the others.</summary>
    public static void Warp(ArrayView<float> a, ArrayView<float> b, ArrayView<float> c, int warp, int acrossTerms)
    {
        var shared = SharedMemory.Allocate<Float4>(TensorTile.Stage);
        for (var thread = Group.IdxX; thread < TensorTile.Threads; thread += Group.DimX)
        {
            if (acrossTerms != 0)
            {
                Copy<AcrossTerms>(shared, a, b, thread);
            }
            else
            {
                Copy<AlongTerms>(shared, a, b, thread);
            }
        }

        Group.Barrier();
        if (acrossTerms != 0)
        {
            Multiply<AcrossTerms>(shared, c, warp);
        }
        else
        {
            Multiply<AlongTerms>(shared, c, warp);
        }
    }

    private static void Copy<TOperand>(ArrayView<Float4> shared, ArrayView<float> a, ArrayView<float> b, int thread)
        where TOperand : unmanaged, ITensorOperand
    {
        new TensorCopies<TOperand>(shared, a.Cast<Float4>(), Size, Step, 0, 0, thread).Start(0);
        new TensorCopies<TOperand>(shared, b.Cast<Float4>(), Size, Step, 0, 0, thread).StartUpTo(Step, TensorTile.Quads);
    }

    private static void Multiply<TOperand>(ArrayView<Float4> shared, ArrayView<float> c, int warp)
        where TOperand : unmanaged, ITensorOperand
    {
        var thread = (32 * warp) + Group.IdxX;
        var output = new GemmOutput<Float1>(c.Cast<Float1>(), default, new(Size, Size, Step, Step, 1, 0, relu: false), 0);
        default(TensorTile).Multiply<TOperand, TOperand>(thread, shared, 0).Store(thread, output, 0, 0);
    }
}
