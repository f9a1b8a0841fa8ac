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
}
