namespace MonoLoss.Bench;

/// <summary>The default sizes: those of the paper's runs on CLIP features.</summary>
internal static class Sizes
{
    /// <summary>B, rows of a batch.</summary>
    public const int Rows = 2048;

    /// <summary>D, features.</summary>
    public const int Features = 768;

    /// <summary>M, latents.</summary>
    public const int Latents = 8192;

    /// <summary>k, active latents per row.</summary>
    public const int K = 64;

    /// <summary>B·k, active latents of a batch.</summary>
    public const int Active = Rows * K;

    /// <summary>Multiplications and additions of the encoder's product.</summary>
    public const double EncoderFlops = 2.0 * Rows * Features * Latents;

    /// <summary>Bytes that Adam moves per parameter: reads value, gradient and two moments, writes all but the gradient.</summary>
    public const double AdamBytes = 7 * sizeof(float);
}
