using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// Matryoshka BatchTopK (Bussmann et al. 2025, arXiv 2503.17547): <see cref="BatchTopK"/> whose latents form groups, the first
/// m_1, m_2, … M of which each reconstruct the rows: recon_g = Σ of z_m·W_dec[m] over m &lt; m_g, + b_dec. The reconstruction term is the
/// mean over g of mean (recon_g − x)²; selection, AuxK and MonoLoss are those of BatchTopK, on the reconstruction from all latents.
/// </summary>
public sealed class Matryoshka : BatchTopK
{
    // More would make the sums of the groups' errors compete for room with the other figures of a step.
    private const int MaxGroups = 64;

    // Shares are decimal fractions: 0.29 of 100 latents are 29, though the product of the nearest float64 is less.
    private const double Rounding = 1e-6;

    private readonly DeviceArray<int> _groupEnds;

    internal Matryoshka(Device device, SaeConfig config)
        : base(device, config)
    {
        var sizes = GroupSizes(config);
        var ends = sizes.Select((_, g) => sizes.Take(g + 1).Sum()).ToArray();
        _groupEnds = device.Allocate<int>(ends.Length);
        _groupEnds.CopyFrom(ends);
    }

    /// <summary>The published shares of the latents.</summary>
    public static IReadOnlyList<double> DefaultGroups { get; } = [0.0625, 0.125, 0.25, 0.5625];

    internal static new ArchitectureTraits Traits { get; } = new()
    {
        Name = "matryoshka",
        Create = (device, config) => new Matryoshka(device, config),
        Footprint = config => FootprintOf(config) with { Groups = (config.Groups ?? DefaultGroups).Count },
        SelectsK = true,
        HasGroups = true,
        CanDetachAuxiliary = true,
    };

    /// <inheritdoc/>
    internal override ImportedForm Form => base.Form with { GroupSizes = GroupSizes(Config) };

    /// <summary>The numbers of latents of the groups: ⌊share·M⌋, and the rest of M for the last.</summary>
    /// <param name="config">The configuration.</param>
    /// <exception cref="ConfigurationException">The shares are not positive, do not sum to 1, or a group has no latent.</exception>
    public static IReadOnlyList<int> GroupSizes(SaeConfig config)
    {
        var shares = config.Groups ?? DefaultGroups;
        if (shares.Count is 0 or > MaxGroups)
        {
            throw Invalid(FormattableString.Invariant($"Groups must be 1 to {MaxGroups} shares, but are {shares.Count}"));
        }

        foreach (var share in shares)
        {
            // The comparison is false for NaN.
            if (!(share > 0))
            {
                throw Invalid(FormattableString.Invariant($"Groups must be positive, but one is {share}"));
            }
        }

        var sum = shares.Sum();
        if (!(Math.Abs(sum - 1) <= Rounding))
        {
            throw Invalid(FormattableString.Invariant($"Groups must sum to 1, but sum to {Math.Round(sum, 7)}"));
        }

        var sizes = shares.Select(share => (int)Math.Floor((share * config.Latents) + Rounding)).ToArray();
        sizes[^1] = config.Latents - sizes[..^1].Sum();
        var empty = Array.FindIndex(sizes, size => size <= 0);
        return empty < 0 ? sizes : throw new ConfigurationException(
            FormattableString.Invariant($"Groups: {shares[empty]} of {config.Latents} Latents is less than one latent"),
            nameof(SaeConfig.Groups),
            nameof(SaeConfig.Latents));
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _groupEnds.Dispose();
    }

    private protected override (Scalar Term, Scalar Error, Variable Reconstruction) ReconstructionLoss(
        Tape tape, Tensor x, in Encoding encoding)
    {
        var groups = tape.DecodeGroups(
            encoding.Latents, Decoder.Variable, DecoderBias.Variable, _groupEnds, x, encoding.Deviation, encoding.Mean);
        return (groups.Loss, groups.Groups[^1], groups.Reconstruction);
    }

    private static ConfigurationException Invalid(string message) => new(message, nameof(SaeConfig.Groups));
}
