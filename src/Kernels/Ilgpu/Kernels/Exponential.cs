using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>The exponential function, alike on every device: a GPU's own is off by up to 10⁻⁶, more than a threshold may be.</summary>
internal static class Exponential
{
    // Beyond these the result is not a normal float32.
    private const float Least = -87;
    private const float Most = 88;

    private const double Ln2 = 0.693147180559945309;
    private const double Log2E = 1.44269504088896341;
    private const int Terms = 10;

    /// <summary>eˣ to the last bit or the one before, at most e⁸⁸ and at least e⁻⁸⁷.</summary>
    public static float Exp(float x)
    {
        var clamped = x < Least ? Least : x > Most ? Most : x;
        // eˣ = 2ⁿ·eʳ with |r| ≤ ½·ln 2, where the series' terms fall off fast.
        var n = (int)((clamped * Log2E) + (clamped < 0 ? -0.5 : 0.5));
        var r = clamped - (n * Ln2);
        var sum = 1.0;
        for (var term = Terms; term > 0; term--)
        {
            sum = 1 + (r / term * sum);
        }

        return (float)sum * Interop.IntAsFloat((uint)((n + 127) << 23));
    }
}
