using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Draws initial weights.</summary>
internal static class Initialization
{
    private const int MaxFloatsPerCopy = 1 << 22;

    /// <summary>Fills a matrix with numbers uniform in ±bound, row by row.</summary>
    /// <param name="weights">The matrix.</param>
    /// <param name="bound">The largest magnitude.</param>
    /// <param name="random">The source of random numbers.</param>
    public static void Uniform(Tensor weights, double bound, Random random)
    {
        var block = new float[Math.Min(weights.Count, MaxFloatsPerCopy)];
        for (var start = 0L; start < weights.Count; start += block.Length)
        {
            var values = block.AsSpan(0, (int)Math.Min(block.Length, weights.Count - start));
            foreach (ref var value in values)
            {
                value = (float)(((2 * random.NextDouble()) - 1) * bound);
            }

            weights.Data.CopyFrom(values, start);
        }
    }
}
