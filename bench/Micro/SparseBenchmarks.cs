using BenchmarkDotNet.Attributes;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>Kernels on a batch's active latents.</summary>
public class SparseBenchmarks : KernelBenchmark
{
    private const double Products = 2.0 * Active * D;

    private DeviceArray<double> _sums = null!;
    private DeviceArray<int> _list = null!;
    private DeviceArray<int> _dead = null!;
    private DeviceArray<int> _counters = null!;
    private CsrMatrix _mapped = null!;

    /// <inheritdoc/>
    public override void Setup()
    {
        base.Setup();
        _sums = Device.Allocate<double>(2);
        _list = Device.Allocate<int>(M);
        _list.CopyFrom(Enumerable.Range(0, M).ToArray());
        _dead = Device.Allocate<int>(M);
        _counters = Device.Allocate<int>(M);
        _mapped = Device.CsrMatrix();
        Device.EncodeTopK(X, Weights, null, K, _mapped);
    }

    [Benchmark]
    [Work(Bytes = 3 * Word * Active)]
    public void BuildColumnIndex()
    {
        // Resizing to the same shape discards the column index and nothing else.
        Latents.Resize(Latents.Rows, Latents.Columns, Latents.NonzeroCount);
        Device.BuildColumnIndex(Latents);
    }

    [Benchmark]
    [Work(Flops = Products, Bytes = Weight + Nonzeros + Batch)]
    public void SpMM() => Device.SpMM(Latents, Weights, FeatureVector, Result);

    [Benchmark]
    [Work(Flops = Products, Bytes = Batch + Nonzeros + (2 * Weight))]
    public void SpMMTransposed() => Device.SpMMTransposed(Latents, useGradient: false, X, Gradient);

    [Benchmark]
    [Work(Flops = Products, Bytes = Batch + Nonzeros + Weight)]
    public void SDDMM() => Device.SDDMM(Latents, X, Weights);

    [Benchmark]
    [Work(Flops = Active, Bytes = Nonzeros)]
    public void SumGradientColumns() => Device.SumGradientColumns(Latents, LatentVector);

    [Benchmark]
    [Work(Flops = Active, Bytes = Word * Active)]
    public void SumAndCountPositive() => Device.SumAndCountPositive(Latents, _sums);

    [Benchmark]
    [Work(Flops = Active, Bytes = 3 * Word * Active)]
    public void AddToGradientWherePositive() => Device.AddToGradientWherePositive(Latents, 1e-3f);

    [Benchmark]
    [Work(Bytes = 2 * Word * Active)]
    public void RemapColumns() => Device.RemapColumns(_mapped, _list, M);

    [Benchmark]
    [Work(Bytes = Nonzeros + (2 * Word * M))]
    public void UpdateStepsSinceFired() => Device.UpdateStepsSinceFired(Latents, _counters, 0);

    [Benchmark]
    [Work(Bytes = Word * M)]
    public int FindDead() => Device.FindDead(_counters, 1000, _dead);
}
