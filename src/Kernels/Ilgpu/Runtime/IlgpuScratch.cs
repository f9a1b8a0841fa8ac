namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// Memory that a device's operations share from call to call. Each array has one purpose; it only grows, and its contents are undefined
/// when an operation begins. Take one by <see cref="IlgpuArray{T}.WithLength"/>.
/// </summary>
/// <param name="device">The device.</param>
internal sealed class IlgpuScratch(IlgpuDevice device)
{
    /// <summary>Sums of parts of rows or elements.</summary>
    public IlgpuArray<double> PartialSums { get; } = new(device, 0);

    /// <summary>Counts and sums of positive values, by group.</summary>
    public IlgpuArray<double> PositiveSums { get; } = new(device, 0);

    /// <summary>Squared error of each row.</summary>
    public IlgpuArray<double> RowErrors { get; } = new(device, 0);

    /// <summary>Sum of each tile of a scan.</summary>
    public IlgpuArray<int> ScanTileSums { get; } = new(device, 0);

    /// <summary>Products of a Gemm that is split along its inner dimension.</summary>
    public IlgpuArray<float> SplitProducts { get; } = new(device, 0);

    /// <summary>Pre-activations of the rows that are encoded at once.</summary>
    public IlgpuArray<float> PreActivations { get; } = new(device, 0);

    /// <summary>TopK: the key that a row's latents must reach.</summary>
    public IlgpuArray<int> RowThresholds { get; } = new(device, 0);

    /// <summary>How many values equal to the threshold a row has, or keeps.</summary>
    public IlgpuArray<int> RowTies { get; } = new(device, 0);

    /// <summary>How many latents each encoded row keeps.</summary>
    public IlgpuArray<int> RowCounts { get; } = new(device, 0);

    /// <summary>BatchTopK: where the candidates of each row start.</summary>
    public IlgpuArray<int> CandidateOffsets { get; } = new(device, 0);

    /// <summary>BatchTopK: the latents of the candidates.</summary>
    public IlgpuArray<int> CandidateIndices { get; } = new(device, 0);

    /// <summary>BatchTopK: the activations of the candidates.</summary>
    public IlgpuArray<float> CandidateValues { get; } = new(device, 0);

    /// <summary>BatchTopK: how many candidates have each digit.</summary>
    public IlgpuArray<int> DigitCounts { get; } = new(device, 0);

    /// <summary>
    /// What the host reads after a selection (<see cref="SelectionKernels"/>): its state, the number of nonzeros, and how many latents
    /// are dead.
    /// </summary>
    public IlgpuArray<int> Selection { get; } = new(device, 0);

    /// <summary>Column index: a bit for each row and column.</summary>
    public IlgpuArray<int> IndexBits { get; } = new(device, 0);

    /// <summary>Column index: nonzeros of a column before each block of rows.</summary>
    public IlgpuArray<int> IndexCounts { get; } = new(device, 0);

    /// <summary>Dead latents found by each group.</summary>
    public IlgpuArray<int> DeadCounts { get; } = new(device, 0);

    /// <summary>The counters as they were before a batch whose selection may have to be repeated.</summary>
    public IlgpuArray<int> StepsBefore { get; } = new(device, 0);

    /// <summary>JumpReLU: θ of every latent.</summary>
    public IlgpuArray<float> Thresholds { get; } = new(device, 0);

    /// <summary>JumpReLU: nonzeros too close to an edge for float32 to decide.</summary>
    public IlgpuArray<int> DoubtfulEntries { get; } = new(device, 0);

    /// <summary>JumpReLU: how many nonzeros are doubtful.</summary>
    public IlgpuArray<int> DoubtfulCount { get; } = new(device, 0);

    /// <summary>SpMM with the transpose: values or gradients by column.</summary>
    public IlgpuArray<float> ColumnValues { get; } = new(device, 0);

    /// <summary>SpMM with the transpose: sums of tiles of long columns.</summary>
    public IlgpuArray<float> ColumnTiles { get; } = new(device, 0);

    /// <summary>z by column.</summary>
    public IlgpuArray<float> ColumnActivations { get; } = new(device, 0);

    /// <summary>∂z by column.</summary>
    public IlgpuArray<float> ColumnGradient { get; } = new(device, 0);

    /// <summary>G·W_decᵀ at every nonzero, by column.</summary>
    public IlgpuArray<float> ColumnDecoded { get; } = new(device, 0);

    /// <summary>The same for a gate that was decoded.</summary>
    public IlgpuArray<float> GateDecoded { get; } = new(device, 0);

    /// <summary>a/‖x‖ by column.</summary>
    public IlgpuArray<float> MonoWeights { get; } = new(device, 0);

    /// <summary>w·x by column.</summary>
    public IlgpuArray<float> MonoDots { get; } = new(device, 0);

    /// <summary>Scores, if the caller does not want them.</summary>
    public IlgpuArray<float> MonoScores { get; } = new(device, 0);

    /// <summary>MonoScore's terms of every latent.</summary>
    public IlgpuArray<LatentMonoScore> MonoTerms { get; } = new(device, 0);

    /// <summary>How many latents are active in the sense of MonoLoss.</summary>
    public IlgpuArray<int> MonoActiveCount { get; } = new(device, 0);

    /// <summary>Long latents: zᵀ·G and ∂zᵀ·x of their parts.</summary>
    public IlgpuArray<float> PartRows { get; } = new(device, 0);

    /// <summary>Long latents: w of their parts.</summary>
    public IlgpuArray<float> PartWeightedRows { get; } = new(device, 0);

    /// <summary>Sums over the nonzeros of each part or latent.</summary>
    public IlgpuArray<LatentTotals> EntrySums { get; } = new(device, 0);

    /// <summary>Σ ∂z of every latent.</summary>
    public Tensor ColumnSums { get; } = device.Tensor(0, 0);

    /// <summary>A sparse matrix with the zeros written out.</summary>
    public Tensor Dense { get; } = device.Tensor(0, 0);

    /// <summary>w of every latent, where products are dense.</summary>
    public Tensor DenseWeightedRows { get; } = device.Tensor(0, 0);
}
