using BenchmarkDotNet.Attributes;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>Adam on one M×D parameter: plain, and as for the decoder, with rows scaled to unit length and the gradient projected.</summary>
public class OptimizerBenchmarks : KernelBenchmark
{
    private const double Bytes = Sizes.AdamBytes * M * D;

    private Tensor _first = null!;
    private Tensor _second = null!;

    /// <inheritdoc/>
    public override void Setup()
    {
        base.Setup();
        _first = Device.Tensor(M, D);
        _second = Device.Tensor(M, D);
        Gradient.Set(SyntheticData.Uniform((long)M * D, 1e-3f, 5));
    }

    [Benchmark]
    [Work(Flops = 13.0 * M * D, Bytes = Bytes)]
    public void Adam() => Device.Adam(Weights, Gradient, _first, _second, Step(constrain: false));

    [Benchmark]
    [Work(Flops = 20.0 * M * D, Bytes = Bytes)]
    public void AdamOfDecoder() => Device.Adam(Weights, Gradient, _first, _second, Step(constrain: true));

    private static AdamStep Step(bool constrain) =>
        new(100, (float)TrainingWork.LearningRate, 0.9f, 0.999f, 6.25e-10f, 0, constrain, constrain);
}
