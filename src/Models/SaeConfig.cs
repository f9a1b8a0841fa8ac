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

/// <summary>The four autoencoders' names.</summary>
public static class Architectures
{
    /// <summary>A name as --model takes it.</summary>
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
        Check(Dimension > 0, $"the features have {Dimension} dimensions");
        Check(Latents > 0, $"--latents must be positive, not {Latents}");
        if (Architecture is Architecture.BatchTopK or Architecture.TopK)
        {
            Check(K > 0, $"--k must be positive, not {K}");
            Check(K <= Latents, $"--k {K} is more than --latents {Latents}");
            Check(AuxK is null or >= 0, $"--aux-k must not be negative, not {AuxK}");
        }

        Check(!Untied || Architecture == Architecture.TopK, "--untied is for --model topk");
        Check(Architecture != Architecture.JumpReLU || Bandwidth > 0, $"--bandwidth must be positive, not {Bandwidth}");
        foreach (var (name, value) in new[]
        {
            ("--aux-coef", AuxCoefficient), ("--l1-coef", L1Coefficient), ("--mono-coef", MonoCoefficient), ("--bandwidth", Bandwidth),
        })
        {
            Check(double.IsFinite(value) && value >= 0, $"{name} must be a number that is not negative, not {value}");
        }
    }

    private static void Check(bool condition, string message)
    {
        if (!condition)
        {
            throw new ConfigurationException(message);
        }
    }
}

/// <summary>Settings that cannot be: the message is one line for the user.</summary>
/// <param name="message">What is wrong and what was expected.</param>
public sealed class ConfigurationException(string message) : Exception(message);
