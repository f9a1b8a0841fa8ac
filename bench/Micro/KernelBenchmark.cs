using BenchmarkDotNet.Attributes;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Bench;

/// <summary>
/// The operands of kernel benchmarks, at the sizes of <see cref="Sizes"/>. Each benchmark states in its attribute the
/// operations and bytes of one call.
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

    /// <summary>Bytes of the nonzeros of a batch: index and value of each.</summary>
    protected const double Nonzeros = 2 * Word * Active;

    /// <summary>Bytes of a B×D matrix.</summary>
    protected const double Batch = Word * B * D;

    /// <summary>Bytes of an M×D matrix.</summary>
    protected const double Weight = Word * M * D;

    /// <summary>Opens the device; must be set before the benchmarks run.</summary>
    internal static Func<Device> Open { get; set; } = () => new CpuDevice();

    /// <summary>The device that the kernels run on, one benchmark at a time.</summary>
    protected internal static Device Device { get; private set; } = null!;

    /// <summary>B×D rows of unit length.</summary>
    protected Tensor X { get; private set; } = null!;

    /// <summary>The rows' lengths.</summary>
    protected DeviceArray<double> Norms { get; private set; } = null!;

    /// <summary>The sum of the rows' directions.</summary>
    protected DeviceArray<double> UnitRowSum { get; private set; } = null!;

    /// <summary>A second B×D matrix.</summary>
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

    /// <summary>B×M with k active latents per row, and the column index.</summary>
    protected CsrMatrix Latents { get; private set; } = null!;

    /// <summary>Creates the operands.</summary>
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

    /// <summary>Frees the memory; finalizers free what a subclass created.</summary>
    [GlobalCleanup]
    public void Cleanup() => Device.Dispose();

    /// <summary>A matrix of small numbers.</summary>
    protected Tensor Random(int rows, int columns) =>
        Device.Tensor(rows, columns).Set(SyntheticData.Uniform((long)rows * columns, 0.03f, rows + columns));
}
