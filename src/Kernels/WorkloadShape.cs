namespace MonoLoss.Kernels;

/// <summary>The sizes of a training step that decide how much memory a device's kernels need (<see cref="Device.ScratchBytes"/>).</summary>
public readonly record struct WorkloadShape
{
    /// <summary>B, the rows of a batch.</summary>
    public required long Rows { get; init; }

    /// <summary>D.</summary>
    public required long Features { get; init; }

    /// <summary>M.</summary>
    public required long Latents { get; init; }

    /// <summary>How many nonzeros the latents of a batch have.</summary>
    public required long Nonzeros { get; init; }

    /// <summary>How many nonzeros the latents of the auxiliary loss have; 0 without one.</summary>
    public long AuxiliaryNonzeros { get; init; }

    /// <summary>Whether latents are selected from the whole batch (<see cref="Device.EncodeBatchTopK"/>).</summary>
    public bool SelectsFromBatch { get; init; }

    /// <summary>Whether latents are selected by a bound (<see cref="Device.EncodeThreshold"/>), so that their number is open.</summary>
    public bool SelectsByBound { get; init; }

    /// <summary>Whether the latents form groups (<see cref="FusedBackwardArgs.GroupEnds"/>).</summary>
    public bool HasGroups { get; init; }

    /// <summary>Whether the latents are magnitudes behind a gate (<see cref="FusedBackwardArgs.Gate"/>).</summary>
    public bool HasGate { get; init; }

    /// <summary>Whether MonoLoss is part of the loss.</summary>
    public bool HasMonoLoss { get; init; }
}
