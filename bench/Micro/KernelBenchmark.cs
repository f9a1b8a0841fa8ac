using BenchmarkDotNet.Attributes;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Bench;

/// <summary>
/// What every benchmark of kernels has at hand, at the sizes of <see cref="Sizes"/>. Each benchmark states beside itself the
/// operations and bytes of a call.
/// </summary>
public abstract class KernelBenchmark
{
    /// <summary>B.</summary>
    protected const int B = Sizes.Rows;

    /// <summary>D.</summary>
    protected const int D = Sizes.Features;

    /// <summary>M.</summary>
    protected const int M = Sizes.Latents;

    /// <summary>k.</summary>
    protected const int K = Sizes.K;

    /// <summary>B·k.</summary>
    protected const int Active = Sizes.Active;

    /// <summary>Bytes of a float32 or of an index.</summary>
    protected const double Word = sizeof(float);

    /// <summary>Bytes of the nonzeros of a batch's latents: index and value.</summary>
    protected const double Nonzeros = 2 * Word * Active;

    /// <summary>Bytes of a B×D matrix.</summary>
    protected const double Batch = Word * B * D;

    /// <summary>Bytes of an M×D matrix.</summary>
    protected const double Weight = Word * M * D;

    /// <summary>Opens the device; set before the benchmarks run.</summary>
    internal static Func<Device> Open { get; set; } = () => new CpuDevice();

    /// <summary>Where kernels run: one benchmark at a time.</summary>
    protected internal static Device Device { get; private set; } = null!;

    /// <summary>B×D rows of unit length.</summary>
    protected Tensor X { get; private set; } = null!;

    /// <summary>Their lengths.</summary>
    protected DeviceArray<double> Norms { get; private set; } = null!;

    /// <summary>The sum of their directions.</summary>
    protected DeviceArray<double> UnitRowSum { get; private set; } = null!;

    /// <summary>B×D, another.</summary>
    protected Tensor Y { get; private set; } = null!;

    /// <summary>B×D for results.</summary>
    protected Tensor Result { get; private set; } = null!;

    /// <summary>M×D weights.</summary>
    protected Tensor Weights { get; private set; } = null!;

    /// <summary>M×D for gradients.</summary>
    protected Tensor Gradient { get; private set; } = null!;

    /// <summary>1×M.</summary>
    protected Tensor LatentVector { get; private set; } = null!;

    /// <summary>1×D.</summary>
    protected Tensor FeatureVector { get; private set; } = null!;

    /// <summary>1×B.</summary>
    protected Tensor RowVector { get; private set; } = null!;

    /// <summary>B×M with k active latents a row, columns indexed.</summary>
    protected CsrMatrix Latents { get; private set; } = null!;

    /// <summary>Makes all of the above.</summary>
    [GlobalSetup]
    public virtual void Setup()
    {
        Device = Open();
        X = Device.Tensor(B, D).Set(SyntheticData.UnitRows(B, D, 1));
        Y = Device.Tensor(B, D).Set(SyntheticData.UnitRows(B, D, 2));
        Result = Device.Tensor(B, D);
        Weights = Random(M, D);
        Gradient = Device.Tensor(M, D);
        LatentVector = Device.Tensor(1, M);
        FeatureVector = Device.Tensor(1, D);
        RowVector = Random(1, B);
        Norms = Device.Allocate<double>(B);
        Device.RowNorms(X, Norms);
        UnitRowSum = Device.Allocate<double>(D);
        Device.SumUnitRows(X, Norms, UnitRowSum);
        Latents = Device.CsrMatrix();
        Device.EncodeTopK(X, Weights, null, K, Latents);
        Device.BuildColumnIndex(Latents);
        Latents.Gradient.Clear();
    }

    /// <summary>Gives the memory back; what a subclass made goes with the finalizers.</summary>
    [GlobalCleanup]
    public void Cleanup() => Device.Dispose();

    /// <summary>A matrix of small numbers.</summary>
    protected Tensor Random(int rows, int columns) =>
        Device.Tensor(rows, columns).Set(SyntheticData.Uniform((long)rows * columns, 0.03f, rows + columns));
}
