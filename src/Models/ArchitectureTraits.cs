using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>What must be known about an architecture before a model of it exists. Each model's file defines its own.</summary>
internal sealed record ArchitectureTraits
{
    /// <summary>The name in snake case, as the official code has it.</summary>
    public required string Name { get; init; }

    /// <summary>Makes a model, with weights of zero.</summary>
    public required Func<Device, SaeConfig, SparseAutoencoder> Create { get; init; }

    /// <summary>What a model of some configuration keeps in memory.</summary>
    public required Func<SaeConfig, ModelFootprint> Footprint { get; init; }

    /// <summary>Whether it can be trained.</summary>
    public bool IsTrained { get; init; } = true;

    /// <summary>Whether it has <see cref="SaeConfig.K"/> active latents and the auxiliary loss of <see cref="SaeConfig.AuxK"/>.</summary>
    public bool SelectsK { get; init; }

    /// <summary>Whether its loss has a sparsity penalty, with <see cref="SaeConfig.L1Coefficient"/>.</summary>
    public bool HasSparsityPenalty { get; init; }

    /// <summary>Whether its latents form the groups of <see cref="SaeConfig.Groups"/>.</summary>
    public bool HasGroups { get; init; }

    /// <summary>Whether it uses <see cref="SaeConfig.Bandwidth"/>.</summary>
    public bool UsesBandwidth { get; init; }

    /// <summary>Whether the auxiliary loss has a gradient to the error it reconstructs, unless <see cref="SaeConfig.AuxDetach"/>.</summary>
    public bool CanDetachAuxiliary { get; init; }

    /// <summary>Whether the decoder is tied to the encoder unless <see cref="SaeConfig.Untied"/> is set.</summary>
    public bool CanBeUntied { get; init; }

    /// <summary>Whether it restarts dead latents, every <see cref="StepOptions.DeadCheckInterval"/> steps.</summary>
    public bool RestartsDead { get; init; }

    /// <summary>Whether the input is layer-normalized whatever <see cref="SaeConfig.Normalize"/> says.</summary>
    public bool AlwaysNormalizes { get; init; }
}

/// <summary>The sizes of what a model keeps in a device's memory, for the estimate that is made before a run starts.</summary>
internal sealed record ModelFootprint
{
    /// <summary>Number of M×D parameters.</summary>
    public required int WeightMatrices { get; init; }

    /// <summary>Elements of all other parameters.</summary>
    public required long VectorElements { get; init; }

    /// <summary>The rule that selects the latents.</summary>
    public required SelectionKind Selection { get; init; }

    /// <summary>Expected number of stored latents per row at the start of training, when it is largest.</summary>
    public required double ActivePerRow { get; init; }

    /// <summary>Whether the decoder's bias is subtracted from the input, which takes a copy of the batch.</summary>
    public bool CentersInput { get; init; } = true;

    /// <summary>Number of groups of latents, each of which has a reconstruction.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Whether the latents are behind gates, which are kept and decoded beside them.</summary>
    public bool HasGate { get; init; }

    /// <summary>Whether the pre-activations are kept beside the latents.</summary>
    public bool KeepsPreActivations { get; init; }

    /// <summary>Most dead latents per row that the auxiliary loss reconstructs from; 0 without that loss.</summary>
    public int AuxiliaryPerRow { get; init; }

    /// <summary>Number of B×D matrices that the auxiliary loss takes.</summary>
    public int AuxiliaryMatrices { get; init; }
}
