using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>How weights are drawn.</summary>
internal static class Initialization
{
    /// <summary>Fills a weight with numbers uniform in ±bound.</summary>
    public static void Uniform(Tensor weights, double bound, Random random)
    {
        var row = new float[weights.Columns];
        for (var i = 0; i < weights.Rows; i++)
        {
            for (var j = 0; j < row.Length; j++)
            {
                row[j] = (float)(((2 * random.NextDouble()) - 1) * bound);
            }

            weights.Data.CopyFrom(row, (long)i * row.Length);
        }
    }

    /// <summary>
    /// BatchTopK, JumpReLU and Vanilla: W_enc uniform in ±√(6/M), W_dec its transpose with every row scaled to length 1 (both are
    /// kept M×D, so it is a copy), biases 0.
    /// </summary>
    public static void TransposedPair(Parameter encoder, Parameter decoder, Random random)
    {
        Uniform(encoder.Value, Math.Sqrt(6.0 / encoder.Value.Rows), random);
        decoder.Value.Device.Combine(1, encoder.Value, 0, encoder.Value, decoder.Value);
        decoder.Value.Device.NormalizeRows(decoder.Value);
    }
}
