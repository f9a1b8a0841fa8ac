using ILGPU;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Tests the tiles and splits that only large products use by default.</summary>
public abstract class GemmTileTests(IlgpuDevice device)
{
    private readonly IlgpuDevice _device = device;
    private readonly Random _random = new(3);

    [Theory]
    [InlineData(GemmTile.Large, 1, 140, 132, 36)]
    [InlineData(GemmTile.Large, 3, 20, 12, 68)]
    [InlineData(GemmTile.Small, 2, 68, 72, 100)]
    [InlineData(GemmTile.Odd, 2, 17, 33, 41)]
    [InlineData(GemmTile.Large, 1, 4, 8, 0)]
    internal void EveryTileAndSplitIsTheProduct(GemmTile tile, int splits, int m, int n, int k)
    {
        var plan = GemmPlan.Split(tile, k, splits);
        Assert.Equal(splits, plan.Splits);
        foreach (var (transposeA, transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            if (tile != GemmTile.Odd && k % 4 != 0 && (!transposeA || transposeB))
            {
                // Rows of an operand are K long: only the tile for odd sizes reads them.
                continue;
            }

            var (a, left) = transposeA ? Dense(k, m) : Dense(m, k);
            var (b, right) = transposeB ? Dense(n, k) : Dense(k, n);
            var (c, result) = Dense(m, n);
            var (bias, biasTensor) = Dense(1, n);
            _device.Gemm(
                plan, transposeA, transposeB, View(left), View(right), View(result), View(biasTensor),
                new(m, n, k, plan.SplitDepth, 0.5f, -2, relu: true));
            var actual = result.ToArray();
            for (var i = 0; i < m * n; i++)
            {
                var sum = 0.0;
                for (var p = 0; p < k; p++)
                {
                    sum += (double)(transposeA ? a[(p * m) + (i / n)] : a[(i / n * k) + p])
                        * (transposeB ? b[(i % n * k) + p] : b[(p * n) + (i % n)]);
                }

                var expected = Math.Max(0, (0.5 * sum) - (2 * c[i]) + bias[i % n]);
                Assert.True(Math.Abs(actual[i] - expected) < 1e-5,
                    $"{transposeA} {transposeB} ({i / n}, {i % n}): {actual[i]} is not {expected}");
            }
        }
    }

    [Fact]
    public void Gemm_plans_fill_the_device()
    {
        // The encoder at the paper's sizes, a weight gradient, and a product of few rows, on an H100.
        Assert.Equal(new(GemmTile.Large, 1, 768), GemmPlan.Choose(2048, 8192, 768, vectorized: true, tensor: false, 132));
        Assert.Equal(GemmTile.Large, GemmPlan.Choose(8192, 768, 2048, vectorized: true, tensor: false, 132).Tile);
        var few = GemmPlan.Choose(64, 768, 8192, vectorized: true, tensor: false, 132);
        Assert.True(few.Tiles(64, 768) * few.Splits > 66, $"{few}");
        Assert.Equal(GemmTile.Odd, GemmPlan.Choose(64, 768, 8192, vectorized: false, tensor: false, 132).Tile);
        Assert.Equal(GemmTile.Tensor, GemmPlan.Choose(64, 768, 8192, vectorized: true, tensor: true, 132).Tile);
    }

    private static ArrayView<float> View(Tensor tensor) => ((IlgpuArray<float>)tensor.Data).View;

    private (float[] Values, Tensor Tensor) Dense(int rows, int columns)
    {
        // TF32 has them all.
        var values = Enumerable.Range(0, rows * columns).Select(_ => _random.Next(-1024, 1025) / 1024f).ToArray();
        return (values, _device.Tensor(rows, columns).Set(values));
    }
}
