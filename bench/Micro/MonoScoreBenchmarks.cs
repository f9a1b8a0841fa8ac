using BenchmarkDotNet.Attributes;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>MonoScore of a batch and of a dataset, and JumpReLU.</summary>
public class MonoScoreBenchmarks : KernelBenchmark
{
    private const double Products = 2.0 * Active * D;
    private const float Bandwidth = 1e-3f;

    private MonoScoreSums _sums = null!;
    private DeviceArray<double> _datasetScores = null!;
    private DeviceArray<double> _scoreSums = null!;
    private DeviceArray<float> _scoreGradient = null!;
    private DeviceArray<float> _pre = null!;
    private Tensor _scores = null!;
    private Tensor _logThreshold = null!;
    private Tensor _bounds = null!;

    /// <inheritdoc/>
    public override void Setup()
    {
        base.Setup();
        _sums = new MonoScoreSums(Device, M, D);
        _datasetScores = Device.Allocate<double>(M);
        _scoreSums = Device.Allocate<double>(2);
        _scoreGradient = Device.Allocate<float>(0);
        _pre = Device.Allocate<float>(0);
        _scores = Device.Tensor(1, M);
        _bounds = Device.Tensor(1, M);
        // Below every activation, so that JumpReLU, which works in place, has the same work at every call.
        _logThreshold = Device.Tensor(1, M).Set(Enumerable.Repeat(-7f, M).ToArray());
        Device.AccumulateMonoScore(Latents, X, Norms, _sums);
        Device.FinishMonoScore(_sums, _datasetScores);
        MonoScores();
        JumpReLU();
    }

    [Benchmark]
    [Work(Flops = 2 * Products, Bytes = Batch + (2 * Nonzeros))]
    public void MonoScores() => Device.MonoScores(Latents, X, Norms, UnitRowSum, _scores, _scoreGradient, _scoreSums);

    [Benchmark]
    [Work(Flops = 2.0 * Active, Bytes = 3 * Word * Active)]
    public void AddMonoGradient() => Device.AddMonoGradient(Latents, _scoreGradient, _scoreSums, 3e-4);

    [Benchmark]
    [Work(Flops = 4.0 * Active, Bytes = Nonzeros)]
    public int CountMonoActive() => Device.CountMonoActive(Latents, Norms);

    [Benchmark]
    [Work(Flops = Products, Bytes = Batch + Nonzeros + (2 * 2 * Weight))]
    public void AccumulateMonoScore() => Device.AccumulateMonoScore(Latents, X, Norms, _sums);

    [Benchmark]
    [Work(Flops = 4.0 * M * D, Bytes = 2 * Weight)]
    public void FinishMonoScore() => Device.FinishMonoScore(_sums, _datasetScores);

    [Benchmark]
    [Work(Flops = Products, Bytes = Batch + (2 * Nonzeros) + (2 * Weight))]
    public void AddDatasetMonoGradient() => Device.AddDatasetMonoGradient(Latents, X, Norms, _sums, _datasetScores, -1e-6);

    [Benchmark]
    [Work(Flops = Active, Bytes = 4 * Word * Active)]
    public void JumpReLU() => Device.JumpReLU(Latents, X, Weights, LatentVector, _logThreshold, Bandwidth, _pre);

    [Benchmark]
    [Work(Flops = 4.0 * Active, Bytes = 4 * Word * Active)]
    public void JumpReLUGradient() => Device.JumpReLUGradient(Latents, _pre, _logThreshold, Bandwidth, 1e-6, LatentVector);

    [Benchmark]
    [Work(Bytes = 2 * Word * M)]
    public void JumpReLUBounds() => Device.JumpReLUBounds(_logThreshold, Bandwidth, _bounds);
}
