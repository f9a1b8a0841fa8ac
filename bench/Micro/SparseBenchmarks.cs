using BenchmarkDotNet.Attributes;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>Kernels on a batch's active latents.</summary>
public class SparseBenchmarks : KernelBenchmark
{
    private const double Products = 2.0 * Active * D;

    private DeviceArray<double> _sums = null!;
    private DeviceArray<int> _list = null!;
    private DeviceArray<int> _silent = null!;
    private DeviceArray<int> _counters = null!;
    private SparseRows _mapped = null!;

    /// <inheritdoc/>
    public override void Setup()
    {
        base.Setup();
        _sums = Device.Allocate<double>(2);
        _list = Device.Allocate<int>(M);
        _list.CopyFrom(Enumerable.Range(0, M).ToArray());
        _silent = Device.Allocate<int>(M);
        _counters = Device.Allocate<int>(M);
        _mapped = Device.SparseRows();
        Device.EncodeTopK(X, Weights, null, K, _mapped);
    }

    [Benchmark]
    [Work(Bytes = 3 * Word * Active)]
    public void IndexColumns()
    {
        // Of the same shape, which forgets the index and nothing else.
        Latents.Resize(Latents.Rows, Latents.Columns, Latents.Count);
        Device.IndexColumns(Latents);
    }

    [Benchmark]
    [Work(Flops = Products, Bytes = Weight + Places + Batch)]
    public void SpMM() => Device.SpMM(Latents, Weights, FeatureVector, Result);

    [Benchmark]
    [Work(Flops = Products, Bytes = Batch + Places + (2 * Weight))]
    public void SpMMTransposed() => Device.SpMMTransposed(Latents, useGradient: false, X, Gradient);

    [Benchmark]
    [Work(Flops = Products, Bytes = Batch + Places + Weight)]
    public void Sddmm() => Device.Sddmm(Latents, X, Weights);

    [Benchmark]
    [Work(Flops = Active, Bytes = Places)]
    public void SumGradientColumns() => Device.SumGradientColumns(Latents, LatentVector);

    [Benchmark]
    [Work(Flops = Active, Bytes = Word * Active)]
    public void SumPositive() => Device.SumPositive(Latents, _sums);

    [Benchmark]
    [Work(Flops = Active, Bytes = 3 * Word * Active)]
    public void AddToGradientWherePositive() => Device.AddToGradientWherePositive(Latents, 1e-3f);

    [Benchmark]
    [Work(Bytes = 2 * Word * Active)]
    public void MapColumns() => Device.MapColumns(_mapped, _list, M);

    [Benchmark]
    [Work(Bytes = Places + (2 * Word * M))]
    public void CountSilentBatches() => Device.CountSilentBatches(Latents, _counters, 0);

    [Benchmark]
    [Work(Bytes = Word * M)]
    public int ListSilent() => Device.ListSilent(_counters, 1000, _silent);
}
