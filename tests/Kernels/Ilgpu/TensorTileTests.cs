using ILGPU;
using ILGPU.Runtime;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>
/// What the TF32 tile leaves in which lane's registers, with the tensor cores' instruction simulated as the PTX ISA defines it.
/// </summary>
[Collection(IlgpuTests.Name)]
public sealed class TensorTileTests(IlgpuFixture ilgpu)
{
    private const int Size = 128, Step = 16;

    private readonly IlgpuDevice _device = ilgpu.Device;

    [Theory]
    [InlineData(0, false)]
    [InlineData(6, true)]
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
                if (i / 64 != warp / 4 || j / 32 != warp % 4)
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
    public void TF32_rounds_to_the_nearest_with_ten_bits()
    {
        var random = new Random(6);
        foreach (var value in Enumerable.Range(0, 1000)
            .Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)))
            .Where(float.IsFinite)
            .Concat([0, -0f, 1, 1 + 4.8828125e-4f, 1 + 2.44140625e-4f, float.PositiveInfinity, float.NegativeInfinity]))
        {
            Assert.Equal(Tf32(value), BitConverter.Int32BitsToSingle(TensorTile.Round(value)));
        }

        foreach (var nan in new[] { int.MaxValue, -1, 0x7F800001, 0x7FC00000 })
        {
            Assert.True(float.IsNaN(BitConverter.Int32BitsToSingle(TensorTile.Round(BitConverter.Int32BitsToSingle(nan)))));
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

/// <summary>What the product does with its tiles, by a single warp.</summary>
public static class TensorTileKernel
{
    private const int Size = 128, Step = 16;

    /// <summary>The tile's steps by one warp of the eight, without waiting for the others.</summary>
    public static void Warp(ArrayView<float> a, ArrayView<float> b, ArrayView<float> c, int warp, int acrossTerms)
    {
        var left = SharedMemory.Allocate<Float4>(Size * Step / 4);
        var right = SharedMemory.Allocate<Float4>(Size * Step / 4);
        var tile = default(TensorTile);
        for (var slot = Group.IdxX; slot < Size * Step / 4; slot += Group.DimX)
        {
            if (acrossTerms != 0)
            {
                Put<AcrossTerms>(left, a, slot);
                Put<AcrossTerms>(right, b, slot);
            }
            else
            {
                Put<AlongTerms>(left, a, slot);
                Put<AlongTerms>(right, b, slot);
            }
        }

        Group.Barrier();
        var thread = (32 * warp) + Group.IdxX;
        tile = tile.Multiply(thread, left, right);
        tile.Store(thread, new GemmOutput<Float1>(c.Cast<Float1>(), default, new(Size, Size, Step, Step, 1, 0, relu: false), 0), 0, 0);
    }

    private static void Put<TOperand>(ArrayView<Float4> tile, ArrayView<float> matrix, int slot)
        where TOperand : unmanaged, IOperand
    {
        var operand = default(TOperand);
        int row = operand.Row(slot, Step), term = operand.Term(slot, Step);
        operand.Put<TensorTile>(tile, row, term, operand.Fetch(matrix.Cast<Float4>(), Size, Step, row, term, Step));
    }
}
