using System.Diagnostics;

namespace MonoLoss.Models;

/// <summary>The architectures of sparse autoencoders.</summary>
public enum Architecture
{
    /// <summary>Keeps the B·k largest activations of a batch of B rows.</summary>
    BatchTopK,

    /// <summary>BatchTopK whose latents form nested groups, each of which reconstructs the rows.</summary>
    Matryoshka,

    /// <summary>Keeps the k largest activations of every row.</summary>
    TopK,

    /// <summary>Keeps activations above a learned threshold per latent.</summary>
    JumpReLU,

    /// <summary>Keeps all positive activations, under an L1 penalty.</summary>
    Vanilla,

    /// <summary>Keeps the magnitudes of the latents whose gates are open.</summary>
    Gated,

    /// <summary>Computes what an autoencoder of another tool computes; it is not trained.</summary>
    Imported,
}

/// <summary>What is known about each architecture.</summary>
public static class Architectures
{
    /// <summary>The architectures that can be trained.</summary>
    public static IReadOnlyList<Architecture> Trained { get; } = [.. Enum.GetValues<Architecture>().Where(a => a.Traits().IsTrained)];

    /// <summary>The name in snake case, as the official code has it.</summary>
    /// <param name="architecture">The architecture.</param>
    public static string Name(this Architecture architecture) => architecture.Traits().Name;

    /// <summary>Whether models of the architecture have <see cref="SaeConfig.K"/> active latents per row, exactly or on average.</summary>
    /// <param name="architecture">The architecture.</param>
    public static bool SelectsK(this Architecture architecture) => architecture.Traits().SelectsK;

    /// <summary>
    /// The settings that have a default but no effect on an architecture: properties of <see cref="SaeConfig"/> and
    /// <see cref="StepOptions"/>. Settings that are off by default are refused where they have none.
    /// </summary>
    /// <param name="architecture">The architecture.</param>
    public static IReadOnlyList<string> SettingsWithoutEffect(this Architecture architecture)
    {
        var traits = architecture.Traits();
        return
        [
            .. traits.SelectsK ? [] : new[] { nameof(SaeConfig.K), nameof(SaeConfig.AuxK), nameof(SaeConfig.AuxCoefficient) },
            .. traits.HasSparsityPenalty ? [] : new[] { nameof(SaeConfig.L1Coefficient) },
            .. traits.UsesBandwidth ? [] : new[] { nameof(SaeConfig.Bandwidth) },
            .. traits.RestartsDead ? [] : new[] { nameof(StepOptions.DeadCheckInterval) },
        ];
    }

    /// <summary>The traits of an architecture: the only place that lists all of them.</summary>
    internal static ArchitectureTraits Traits(this Architecture architecture) => architecture switch
    {
        Architecture.BatchTopK => BatchTopK.Traits,
        Architecture.Matryoshka => Matryoshka.Traits,
        Architecture.TopK => TopK.Traits,
        Architecture.JumpReLU => JumpReLU.Traits,
        Architecture.Vanilla => Vanilla.Traits,
        Architecture.Gated => Gated.Traits,
        Architecture.Imported => Imported.Traits,
        _ => throw new UnreachableException($"architecture {architecture}"),
    };
}
