namespace MonoLoss.Models;

/// <summary>The shape of an autoencoder and the coefficients of its loss. The defaults are those of the official code.</summary>
public sealed record SaeConfig
{
    /// <summary>The architecture.</summary>
    public required Architecture Architecture { get; init; }

    /// <summary>D, the number of features.</summary>
    public required int Dimension { get; init; }

    /// <summary>M, the number of latents.</summary>
    public int Latents { get; init; } = 8192;

    /// <summary>k, the number of active latents per row: exactly (TopK) or on average (BatchTopK).</summary>
    public int K { get; init; } = 64;

    /// <summary>
    /// The shares of the latents that Matryoshka's groups have, in order; their sum is 1. Null for 1/16, 1/8, 1/4, 9/16
    /// (<see cref="Matryoshka"/>).
    /// </summary>
    public IReadOnlyList<double>? Groups { get; init; }

    /// <summary>Whether TopK has a separate decoder.</summary>
    public bool Untied { get; init; }

    /// <summary>
    /// Whether BatchTopK and Matryoshka add b_enc to their pre-activations. The official ones do not, but autoencoders of other tools that
    /// training starts from may.
    /// </summary>
    public bool EncoderBias { get; init; }

    /// <summary>Whether rows are layer-normalized before they are encoded. TopK always does this.</summary>
    public bool Normalize { get; init; }

    /// <summary>
    /// Number of dead latents that reconstruct the error; null for 512 (BatchTopK, Matryoshka) or <see cref="K"/> (TopK).
    /// </summary>
    public int? AuxK { get; init; }

    /// <summary>Coefficient of the auxiliary loss.</summary>
    public double AuxCoefficient { get; init; } = 1.0 / 32;

    /// <summary>
    /// Whether BatchTopK's auxiliary loss takes the error for a constant, as most trainers do; in the official one its gradient flows
    /// through the reconstruction. TopK's error is a constant in any case.
    /// </summary>
    public bool AuxDetach { get; init; }

    /// <summary>Coefficient of the sparsity penalty: L1 (Vanilla, Gated) or L0 (JumpReLU).</summary>
    public double L1Coefficient { get; init; } = 1e-4;

    /// <summary>h, the bandwidth of the straight-through estimator for JumpReLU thresholds.</summary>
    public double Bandwidth { get; init; } = 1e-3;

    /// <summary>Coefficient of MonoLoss; 0 to train without it.</summary>
    public double MonoCoefficient { get; init; }

    /// <summary>Whether the model is given rows of unit length; if not, rows as they are in the files.</summary>
    public bool UnitRows { get; init; } = true;

    /// <summary>What an <see cref="Architecture.Imported"/> autoencoder computes; null for the others.</summary>
    public ImportedForm? Imported { get; init; }

    /// <summary>Whether the input is layer-normalized, by <see cref="Normalize"/> or because the architecture requires it.</summary>
    public bool NormalizesInput => Normalize || Architecture.Traits().AlwaysNormalizes;

    /// <summary>Checks that every setting is in range.</summary>
    /// <exception cref="ConfigurationException">A setting is out of range; one line that names it.</exception>
    public void Validate()
    {
        var traits = Architecture.Traits();
        Require.Positive(Dimension);
        Require.Positive(Latents);
        if (traits.SelectsK)
        {
            Require.Positive(K);
            if (K > Latents)
            {
                throw new ConfigurationException($"K {K} exceeds Latents {Latents}", nameof(K), nameof(Latents));
            }

            Require.NonNegative(AuxK ?? 0, nameof(AuxK));
        }

        RequireTrait(Untied, nameof(Untied), other => other.CanBeUntied);
        RequireTrait(AuxDetach, nameof(AuxDetach), other => other.CanDetachAuxiliary);
        RequireTrait(Groups is not null, nameof(Groups), other => other.HasGroups);

        if (traits.HasGroups)
        {
            _ = Matryoshka.GroupSizes(this);
        }

        if (traits.UsesBandwidth)
        {
            Require.Positive(Bandwidth);
        }

        Require.NonNegative(AuxCoefficient);
        Require.NonNegative(L1Coefficient);
        Require.NonNegative(MonoCoefficient);
        Require.NonNegative(Bandwidth);
    }

    /// <summary>Checks that a setting is used only with architectures that it has an effect on.</summary>
    /// <param name="isSet">Whether it is used.</param>
    /// <param name="property">Its name.</param>
    /// <param name="has">Whether an architecture is one of them.</param>
    /// <exception cref="ConfigurationException">It has no effect.</exception>
    internal void RequireTrait(bool isSet, string property, Func<ArchitectureTraits, bool> has)
    {
        if (isSet && !has(Architecture.Traits()))
        {
            var possible = Architectures.Trained.Where(architecture => has(architecture.Traits())).Select(Architectures.Name);
            throw new ConfigurationException(
                $"{property} requires Architecture {string.Join(" or ", possible)}, but it is {Architecture.Name()}",
                property,
                nameof(Architecture));
        }
    }
}
