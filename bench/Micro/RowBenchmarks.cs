using BenchmarkDotNet.Attributes;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>Kernels on the rows of dense matrices, and losses: bound by memory.</summary>
public class RowBenchmarks : KernelBenchmark
{
    private DeviceArray<double> _features = null!;
    private DeviceArray<double> _errors = null!;
    private DeviceArray<double> _number = null!;
    private DeviceArray<double> _many = null!;
    private DeviceArray<int> _list = null!;
    private Tensor _mean = null!;
    private Tensor _gathered = null!;

    /// <inheritdoc/>
    public override void Setup()
    {
        base.Setup();
        _features = Device.Allocate<double>(D);
        _errors = Device.Allocate<double>(3 * D);
        _number = Device.Allocate<double>(1);
        _many = Device.Allocate<double>(M);
        _list = Device.Allocate<int>(B);
        _list.CopyFrom(Enumerable.Range(0, B).Select(i => i * (M / B)).ToArray());
        _mean = Device.Tensor(1, B);
        _gathered = Device.Tensor(0, 0);
    }

    [Benchmark]
    [Work(Flops = 2.0 * B * D, Bytes = Batch)]
    public void RowNorms() => Device.RowNorms(X, Norms);

    [Benchmark]
    [Work(Flops = 2.0 * B * D, Bytes = Batch)]
    public void SumUnitRows() => Device.SumUnitRows(X, Norms, _features);

    [Benchmark]
    [Work(Flops = 5.0 * B * D, Bytes = 2 * Batch)]
    public void LayerNorm() => Device.LayerNorm(X, Result, _mean, RowVector);

    [Benchmark]
    [Work(Flops = 2.0 * B * D, Bytes = 2 * Batch)]
    public void ScaleRows() => Device.ScaleRows(X, RowVector, RowVector, Result);

    [Benchmark]
    [Work(Flops = 2.0 * B * D, Bytes = 2 * Batch)]
    public void AddRow() => Device.AddRow(X, -1, FeatureVector, Result);

    [Benchmark]
    [Work(Flops = 1.0 * B * D, Bytes = Batch)]
    public void SumColumns() => Device.SumColumns(1, X, FeatureVector);

    [Benchmark]
    [Work(Flops = 3.0 * B * D, Bytes = 3 * Batch)]
    public void LinearCombination() => Device.LinearCombination(1, X, -1, Y, Result);

    [Benchmark]
    [Work(Bytes = 2 * Batch)]
    public void GatherRows() => Device.GatherRows(Weights, _list, _gathered);

    [Benchmark]
    [Work(Bytes = 3 * Word * B)]
    public void GatherElements() => Device.GatherElements(LatentVector, _list, _gathered);

    [Benchmark]
    [Work(Flops = 3.0 * B * D, Bytes = 2 * Batch)]
    public void SquaredError() => Device.SquaredError(X, Y, 1.0 / (B * D), relative: false, _number);

    [Benchmark]
    [Work(Flops = 5.0 * B * D, Bytes = 2 * Batch)]
    public void SquaredErrorRelative() => Device.SquaredError(X, Y, 1.0 / B, relative: true, _number);

    [Benchmark]
    [Work(Flops = 3.0 * B * D, Bytes = 4 * Batch)]
    public void SquaredErrorGradient() => Device.SquaredErrorGradient(X, Y, 1.0 / (B * D), relative: false, 1, Result);

    [Benchmark]
    [Work(Flops = 6.0 * B * D, Bytes = 2 * Batch)]
    public void AccumulateColumnErrors() => Device.AccumulateColumnErrors(X, Y, _errors);

    [Benchmark]
    [Work(Flops = 2.0 * M * D, Bytes = Weight)]
    public void AddSumSquares() => Device.AddSumSquares(Weights, _number);

    [Benchmark]
    [Work(Flops = M, Bytes = 2 * Word * M)]
    public void AddSum() => Device.AddSum(_many, _number);

    [Benchmark]
    [Work(Flops = 3.0 * M * D, Bytes = 2 * Weight)]
    public void NormalizeRows() => Device.NormalizeRows(Weights);
}
