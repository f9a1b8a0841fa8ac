using BenchmarkDotNet.Attributes;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>The fused backward pass that forms all gradients, and the decode before it.</summary>
public class BackwardBenchmarks : KernelBenchmark
{
    // ∂z = G·W_dec, ∂W_dec = zᵀ·G, ∂W_enc = ∂zᵀ·x.
    private const double Products = 3 * 2.0 * Active * D;
    private const double Bytes = (2 * Batch) + (2 * Nonzeros) + (4 * Weight);

    private Tensor _decoderGradient = null!;
    private DeviceArray<double> _encoderSquares = null!;
    private DeviceArray<double> _decoderSquares = null!;
    private DeviceArray<double> _scoreSums = null!;
    private Tensor _scores = null!;

    /// <inheritdoc/>
    public override void Setup()
    {
        base.Setup();
        _decoderGradient = Device.Tensor(M, D);
        _encoderSquares = Device.Allocate<double>(M);
        _decoderSquares = Device.Allocate<double>(M);
        _scoreSums = Device.Allocate<double>(2);
        _scores = Device.Tensor(1, M);
    }

    [Benchmark]
    [Work(Flops = Products, Bytes = Bytes)]
    public void FusedLatentBackward() => Device.FusedLatentBackward(Work(default));

    // In addition, Σ a·p of every latent and its product with every p, both over rows that are in cache.
    [Benchmark]
    [Work(Flops = Products + (2 * 2.0 * Active * D), Bytes = Bytes)]
    public void BackwardLatentsWithMonoLoss() => Device.FusedLatentBackward(Work(new MonoLossInputs
    {
        X = X,
        Norms = Norms,
        UnitRowSum = UnitRowSum,
        Factor = 3e-4,
        Scores = _scores,
        Result = _scoreSums,
    }));

    private FusedBackwardArgs Work(MonoLossInputs mono) => new()
    {
        Latents = Latents,
        DecodedGradient = Y,
        Decoder = Weights,
        DecoderGradient = _decoderGradient,
        DecoderGradientSquares = _decoderSquares,
        Mono = mono,
        Input = X,
        Encoder = Weights,
        EncoderGradient = Gradient,
        EncoderGradientSquares = _encoderSquares,
        BiasGradient = LatentVector,
        CenterGradient = FeatureVector,
    };
}
