using BenchmarkDotNet.Attributes;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>Dense products, and the encoder's product fused with selection.</summary>
public class ProductBenchmarks : KernelBenchmark
{
    private const double Dense = Word * B * M;

    private Tensor _dense = null!;
    private Tensor _bounds = null!;
    private Tensor _rowWeights = null!;
    private CsrMatrix _latents = null!;

    /// <inheritdoc/>
    public override void Setup()
    {
        base.Setup();
        _dense = Device.Tensor(B, M);
        _rowWeights = Random(1, M);
        _latents = Device.CsrMatrix();
        // Pre-activations have deviation 0.03/√3 here; 2.33 deviations leave one in a hundred, as JumpReLU's start does.
        _bounds = Device.Tensor(1, M).Set(Enumerable.Repeat(2.33f * 0.03f / MathF.Sqrt(3), M).ToArray());
    }

    [Benchmark]
    [Work(Flops = 2.0 * B * D * M, Bytes = Batch + Weight + Dense)]
    public void GemmEncode() => Device.Gemm(false, true, 1, X, Weights, 0, _dense, LatentVector, relu: true);

    [Benchmark]
    [Work(Flops = 2.0 * B * D * M, Bytes = Batch + Weight + Dense)]
    public void GemmDecode() => Device.Gemm(false, false, 1, _dense, Weights, 0, Result);

    [Benchmark]
    [Work(Flops = 2.0 * B * D * M, Bytes = Batch + Weight + Dense)]
    public void GemmGradient() => Device.Gemm(true, false, 1, _dense, X, 0, Gradient);

    [Benchmark]
    [Work(Flops = 2.0 * M * D, Bytes = Weight)]
    public void AddVectorMatrixProduct() => Device.AddVectorMatrixProduct(1, _rowWeights, Weights, FeatureVector);

    [Benchmark]
    [Work(Flops = 2.0 * B * D * M, Bytes = Batch + Weight + Nonzeros)]
    public void EncodeTopK() => Device.EncodeTopK(X, Weights, LatentVector, K, _latents);

    [Benchmark]
    [Work(Flops = 2.0 * B * D * M, Bytes = Batch + Weight + Nonzeros)]
    public void EncodeBatchTopK() => Device.EncodeBatchTopK(X, Weights, LatentVector, K, _latents);

    [Benchmark]
    [Work(Flops = 2.0 * B * D * M, Bytes = Batch + Weight + Nonzeros)]
    public void EncodeThreshold() => Device.EncodeThreshold(X, Weights, LatentVector, _bounds, _latents);

    [Benchmark]
    [Work(Flops = 2.0 * B * D * M, Bytes = Batch + Weight + Dense)]
    public void EncodeThresholdHalf() => Device.EncodeThreshold(X, Weights, LatentVector, null, _latents);
}
