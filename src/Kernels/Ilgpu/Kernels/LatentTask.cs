using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// The nonzeros of a batch's latents and the terms of their gradient. Arrays "by column" are in the order of
/// <see cref="CsrMatrix.EntryOf"/>. An empty view means that the term is absent or the result is not needed.
/// </summary>
internal struct LatentEntries
{
    public ArrayView<int> Offsets;
    public ArrayView<int> RowIndices;
    public ArrayView<int> EntryOf;
    public ArrayView<int> Indices;

    /// <summary>B.</summary>
    public int Rows;

    /// <summary>z by column.</summary>
    public ArrayView<float> Z;

    /// <summary>∂z of every nonzero, by row.</summary>
    public ArrayView<float> Gradient;

    /// <summary>∂z by column.</summary>
    public ArrayView<float> ColumnGradient;

    /// <summary>Not 0 if <see cref="Gradient"/> already holds a part of ∂z.</summary>
    public int AddToGradient;

    /// <summary>Added to ∂z wherever z is positive (L1).</summary>
    public float PositiveAmount;

    /// <summary>G·W_dec by column.</summary>
    public ArrayView<float> Decoded;

    /// <summary>MonoScore of every latent.</summary>
    public ArrayView<LatentMonoScore> Mono;

    /// <summary>a/‖x‖ by column.</summary>
    public ArrayView<float> Weights;

    /// <summary>w·x by column.</summary>
    public ArrayView<float> Dots;

    /// <summary>max(‖x‖, 1e-8) of every row.</summary>
    public ArrayView<double> Norms;

    /// <summary>∂loss/∂MonoLoss; if <see cref="Active"/> is empty, the derivative with respect to each score.</summary>
    public double MonoFactor;

    /// <summary>The number of active latents, over which MonoLoss is a mean.</summary>
    public ArrayView<int> Active;

    /// <summary>JumpReLU's pre-activation of every nonzero, by row.</summary>
    public ArrayView<float> Pre;

    /// <summary>JumpReLU's log θ of every latent, M.</summary>
    public ArrayView<float> LogThreshold;

    /// <summary>JumpReLU's h.</summary>
    public float Bandwidth;

    /// <summary>∂loss/∂L0.</summary>
    public double L0Factor;

    /// <summary>Gated: ĝ of every nonzero, by row.</summary>
    public ArrayView<float> Gate;

    /// <summary>Gated: the part of ∂ĝ that there is already, by row.</summary>
    public ArrayView<float> GateGradient;

    /// <summary>Gated: the gradient of what ĝ was decoded into times W, by column.</summary>
    public ArrayView<float> GateDecoded;

    /// <summary>Gated: added to ∂ĝ wherever ĝ is positive (L1).</summary>
    public float GateAmount;

    /// <summary>Gated: r_mag of every latent, M.</summary>
    public ArrayView<float> GateScale;

    /// <summary>The sums over nonzeros, for every part or for every latent.</summary>
    public ArrayView<LatentTotals> Sums;
}

/// <summary>Sums over nonzeros of a latent.</summary>
/// <param name="sum">Σ ∂z; behind a gate Σ ∂π.</param>
/// <param name="first">The threshold's sum (<see cref="JumpReLUKernels.BandTerm"/>); behind a gate Σ ∂z.</param>
/// <param name="second">Behind a gate Σ ∂z·z.</param>
internal readonly struct LatentTotals(double sum, double first, double second)
{
    public readonly double Sum = sum;
    public readonly double First = first;
    public readonly double Second = second;

    public LatentTotals Add(LatentTotals x) => new(Sum + x.Sum, First + x.First, Second + x.Second);
}

/// <summary>The arguments of <see cref="LatentKernels"/>: <see cref="FusedBackwardArgs"/> as views.</summary>
/// <typeparam name="T">The unit of rows: one float, or four.</typeparam>
/// <typeparam name="TSums">The same number of float64.</typeparam>
internal struct LatentTask<T, TSums>
    where T : unmanaged, IFloats<T>
    where TSums : unmanaged, IColumnSums<TSums, T>
{
    public LatentEntries Nonzeros;

    /// <summary>D, in units of T.</summary>
    public int Columns;

    /// <summary>The most nonzeros that one group handles alone; longer latents are cut there (<see cref="LatentSlice"/>).</summary>
    public int PartLength;

    /// <summary>∂loss/∂(z·W_dec); one matrix after another where there are groups of latents.</summary>
    public ArrayView<T> DecodedGradient;

    /// <summary>One past the last latent of each group; empty for one group.</summary>
    public ArrayView<int> GroupEnds;
    public ArrayView<T> Decoder;
    public ArrayView<T> DecoderGradient;
    public int AddToDecoderGradient;
    public ArrayView<double> DecoderSquares;

    /// <summary>x, the rows whose directions MonoScore compares.</summary>
    public ArrayView<T> MonoRows;

    /// <summary>P = Σ x/‖x‖ over the batch.</summary>
    public ArrayView<TSums> UnitRowSum;
    public ArrayView<float> Scores;

    public ArrayView<T> Input;
    public ArrayView<T> Center;
    public ArrayView<T> EncoderGradient;
    public int AddToEncoderGradient;
    public ArrayView<double> EncoderSquares;
    public ArrayView<float> BiasGradient;
    public ArrayView<float> ThresholdGradient;

    /// <summary>Gated: ∂loss/∂(ĝ·W).</summary>
    public ArrayView<T> GateDecodedGradient;

    /// <summary>Gated: W.</summary>
    public ArrayView<T> GateDecoder;
    public ArrayView<float> MagBias;
    public ArrayView<float> GateScaleGradient;
    public ArrayView<float> MagBiasGradient;

    /// <summary>Σ ∂z of every latent, M.</summary>
    public ArrayView<float> ColumnSums;

    /// <summary>One row per slot of a part: zᵀ·G, later ∂zᵀ·x.</summary>
    public ArrayView<T> PartRows;

    /// <summary>One row per slot of a part: w.</summary>
    public ArrayView<T> PartWeightedRows;
}
