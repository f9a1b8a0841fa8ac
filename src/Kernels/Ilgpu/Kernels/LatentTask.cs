using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// The nonzeros of a batch's latents and what their gradient is formed of. "By column" are arrays in the order of
/// <see cref="CsrMatrix.EntryOf"/>. A view without elements is something that is not there, or not wanted.
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

    /// <summary>∂z of every entry.</summary>
    public ArrayView<float> Gradient;

    /// <summary>∂z by column.</summary>
    public ArrayView<float> ColumnGradient;

    /// <summary>Not 0 where <see cref="Gradient"/> already holds a part.</summary>
    public int AddToGradient;

    /// <summary>What every positive z adds.</summary>
    public float PositiveAmount;

    /// <summary>G·W_dec by column.</summary>
    public ArrayView<float> Decoded;

    /// <summary>MonoScore's terms of every latent.</summary>
    public ArrayView<MonoTerms> Terms;

    /// <summary>a/‖x‖ by column.</summary>
    public ArrayView<float> Weights;

    /// <summary>w·x by column.</summary>
    public ArrayView<float> Dots;

    /// <summary>‖x‖ of every row.</summary>
    public ArrayView<double> Norms;

    /// <summary>∂loss/∂MonoLoss, or of each score where nothing is <see cref="Active"/>.</summary>
    public double MonoFactor;

    /// <summary>How many latents share MonoLoss's gradient.</summary>
    public ArrayView<int> Active;

    /// <summary>The pre-activation of every entry.</summary>
    public ArrayView<float> Pre;

    /// <summary>JumpReLU's log θ of every latent.</summary>
    public ArrayView<float> LogThreshold;

    /// <summary>JumpReLU's h.</summary>
    public float Bandwidth;

    /// <summary>∂loss/∂L0.</summary>
    public double L0Factor;

    /// <summary>What <see cref="LatentKernels"/> sums over the nonzeros of every part, or of every latent.</summary>
    public ArrayView<Double2> Sums;
}

/// <summary>What visiting the latents of a batch takes and gives: <see cref="FusedBackwardArgs"/> as a GPU sees it.</summary>
/// <typeparam name="T">A float, or four.</typeparam>
/// <typeparam name="TSums">As many float64.</typeparam>
internal struct LatentTask<T, TSums>
    where T : unmanaged, IFloats<T>
    where TSums : unmanaged, IColumnSums<TSums, T>
{
    public LatentEntries Nonzeros;

    /// <summary>D, in units of T.</summary>
    public int Columns;

    /// <summary>The most nonzeros that one group visits alone, and where longer latents are cut (<see cref="LatentSlice"/>).</summary>
    public int PartLength;

    public ArrayView<T> DecodedGradient;
    public ArrayView<T> Decoder;
    public ArrayView<T> DecoderGradient;
    public int AddToDecoderGradient;
    public ArrayView<double> DecoderSquares;

    /// <summary>The rows whose directions MonoScore compares, and the sum of those.</summary>
    public ArrayView<T> MonoRows;
    public ArrayView<TSums> Directions;
    public ArrayView<float> Scores;

    public ArrayView<T> Input;
    public ArrayView<T> Center;
    public ArrayView<T> EncoderGradient;
    public int AddToEncoderGradient;
    public ArrayView<double> EncoderSquares;
    public ArrayView<float> BiasGradient;
    public ArrayView<float> ThresholdGradient;

    /// <summary>Σ ∂z of every latent.</summary>
    public ArrayView<float> ColumnSums;

    /// <summary>A row a slot of a part: zᵀ·G and later ∂zᵀ·x.</summary>
    public ArrayView<T> PartRows;

    /// <summary>A row a slot of a part: w.</summary>
    public ArrayView<T> PartDirections;
}
