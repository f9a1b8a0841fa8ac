namespace MonoLoss.Models;

/// <summary>The four autoencoders.</summary>
public enum Architecture
{
    /// <summary>The B·k largest activations of a batch.</summary>
    BatchTopK,

    /// <summary>The k largest activations of every row.</summary>
    TopK,

    /// <summary>Activations above a learned threshold.</summary>
    JumpReLU,

    /// <summary>All positive activations, under an L1 penalty.</summary>
    Vanilla,
}

/// <summary>The names of the architectures.</summary>
public static class Architectures
{
    /// <summary>The name in snake case, as the official code has it.</summary>
    public static string Name(this Architecture architecture) => architecture switch
    {
        Architecture.BatchTopK => "batch_topk",
        Architecture.TopK => "topk",
        Architecture.JumpReLU => "jumprelu",
        _ => "vanilla",
    };
}

/// <summary>What an autoencoder is and what it is trained for. The defaults are the official ones.</summary>
public sealed record SaeConfig
{
    /// <summary>Which of the four.</summary>
    public required Architecture Architecture { get; init; }

    /// <summary>D, the number of features.</summary>
    public required int Dimension { get; init; }

    /// <summary>M, the number of latents.</summary>
    public int Latents { get; init; } = 8192;

    /// <summary>Active latents a sample, of BatchTopK (on average) and TopK.</summary>
    public int K { get; init; } = 64;

    /// <summary>Whether TopK has a decoder of its own.</summary>
    public bool Untied { get; init; }

    /// <summary>Whether rows are layer-normalized before they are encoded. TopK always does.</summary>
    public bool Normalize { get; init; }

    /// <summary>How many dead latents reconstruct the error; null for 512 (BatchTopK) or <see cref="K"/> (TopK).</summary>
    public int? AuxK { get; init; }

    /// <summary>What the auxiliary loss counts.</summary>
    public double AuxCoefficient { get; init; } = 1.0 / 32;

    /// <summary>What L1 (Vanilla) or L0 (JumpReLU) counts.</summary>
    public double L1Coefficient { get; init; } = 1e-4;

    /// <summary>h, the width in which a JumpReLU threshold feels its pre-activations.</summary>
    public double Bandwidth { get; init; } = 1e-3;

    /// <summary>What MonoLoss counts; 0 for training without it.</summary>
    public double MonoCoefficient { get; init; }

    /// <summary>Whether the input is layer-normalized, by option or by architecture.</summary>
    public bool NormalizesInput => Normalize || Architecture == Architecture.TopK;

    /// <summary>Checks that the numbers make an autoencoder.</summary>
    /// <exception cref="ConfigurationException">One line that says what does not.</exception>
    public void Validate()
    {
        Require.Positive(Dimension);
        Require.Positive(Latents);
        if (Architecture is Architecture.BatchTopK or Architecture.TopK)
        {
            Require.Positive(K);
            if (K > Latents)
            {
                throw new ConfigurationException($"K {K} exceeds Latents {Latents}", nameof(K), nameof(Latents));
            }

            Require.NonNegative(AuxK ?? 0, nameof(AuxK));
        }

        if (Untied && Architecture != Architecture.TopK)
        {
            throw new ConfigurationException(
                $"Untied requires Architecture {Architecture.TopK.Name()}, but it is {Architecture.Name()}", nameof(Untied), nameof(Architecture));
        }

        if (Architecture == Architecture.JumpReLU)
        {
            Require.Positive(Bandwidth);
        }

        Require.NonNegative(AuxCoefficient);
        Require.NonNegative(L1Coefficient);
        Require.NonNegative(MonoCoefficient);
        Require.NonNegative(Bandwidth);
    }
}
