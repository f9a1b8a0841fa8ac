using System.Globalization;
using MonoLoss.Models;

namespace MonoLoss.Bench;

/// <summary>A model, at some point of its training, whose step is measured.</summary>
/// <param name="Name">The name in tables.</param>
/// <param name="Model">The name on command lines.</param>
/// <param name="Mono">The weight of MonoLoss when it is on: the paper's coefficient for ImageNet and CLIP.</param>
/// <param name="Requirement">The target: against PyTorch, or against <see cref="TrainingCase.Base"/>.</param>
internal sealed record TrainingCase(string Name, string Model, double Mono, Requirement Requirement)
{
    // Vanilla's pre-activations start normal with variance 2/M; a tenth of them exceeds 1.2816 deviations.
    private const double TenthQuantile = 1.2816;

    /// <summary>All cases.</summary>
    public static IReadOnlyList<TrainingCase> All { get; } =
    [
        new("batch_topk", "batch_topk", 3e-4, Requirement.BatchTopK),
        new("topk", "topk", 0.09, Requirement.TopK),
        new("jumprelu", "jumprelu", 5e-4, Requirement.JumpReLU) { L1 = 1e-3, Normalize = true },
        new("vanilla", "vanilla", 1e-4, Requirement.Vanilla) { L1 = 1e-4 },
        new("vanilla, 10 % active", "vanilla", 1e-4, Requirement.SparseVanilla)
        {
            L1 = 1e-4,
            StartsSparse = true,
        },
        new("matryoshka", "matryoshka", 3e-4, Requirement.Matryoshka) { Base = "batch_topk" },
        new("gated", "gated", 1e-4, Requirement.Gated) { L1 = 1e-4, Base = "vanilla" },
    ];

    /// <summary>
    /// The case whose step this one's is compared with in the same rounds; null for a case that PyTorch is compared with.
    /// </summary>
    public string? Base { get; init; }

    /// <summary>The model's architecture.</summary>
    public Architecture Architecture => Architectures.Trained.Single(architecture => architecture.Name() == Model);

    /// <summary>Coefficient of L1 or L0.</summary>
    public double L1 { get; init; } = 1e-4;

    /// <summary>Whether the input is layer-normalized.</summary>
    public bool Normalize { get; init; }

    /// <summary>Whether the encoder's bias starts so far below zero that only a tenth of the latents are active.</summary>
    public bool StartsSparse { get; init; }

    /// <summary>The initial value of the encoder's bias.</summary>
    public float EncoderBias(WorkSizes sizes) => StartsSparse ? (float)(-TenthQuantile * Math.Sqrt(2.0 / sizes.Latents)) : 0;

    /// <summary>The model with or without MonoLoss.</summary>
    public SaeConfig Config(WorkSizes sizes, bool mono) => new()
    {
        Architecture = Architecture,
        Dimension = sizes.Features,
        Latents = sizes.Latents,
        K = sizes.Active,
        Normalize = Normalize,
        L1Coefficient = L1,
        MonoCoefficient = mono ? Mono : 0,
    };

    /// <summary>The same model as options of peer.py.</summary>
    public IEnumerable<string> PeerOptions(WorkSizes sizes, bool mono)
    {
        yield return $"--model={Model}";
        yield return string.Create(CultureInfo.InvariantCulture, $"--mono={(mono ? Mono : 0)}");
        yield return string.Create(CultureInfo.InvariantCulture, $"--bias={EncoderBias(sizes)}");
        yield return string.Create(CultureInfo.InvariantCulture, $"--l1-coef={L1}");
        yield return string.Create(CultureInfo.InvariantCulture, $"--lr={TrainingWork.LearningRate}");
        yield return $"--samples={sizes.Samples}";
        if (Normalize)
        {
            yield return "--normalize";
        }

        foreach (var option in sizes.Options)
        {
            yield return option;
        }
    }
}
