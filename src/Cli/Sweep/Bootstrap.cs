using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>A difference with a 95 % interval.</summary>
/// <param name="Value">The difference.</param>
/// <param name="Low">The lower end.</param>
/// <param name="High">The upper end.</param>
internal readonly record struct Gain(double Value, double Low, double High);

/// <summary>
/// How sure a difference of means over latents is: the percentile bootstrap. The latents of every run are drawn anew with replacement, and
/// the interval has the middle 95 % of the differences that come out. The seed is fixed: the same runs give the same interval.
/// </summary>
internal static class Bootstrap
{
    /// <summary>How often latents are drawn.</summary>
    public const int Replicates = 1000;

    /// <summary>The seed of the draws.</summary>
    public const int Seed = 20240601;

    private const double Tail = 0.025;

    /// <summary>The mean over pairs of mean(values) − mean(baseline).</summary>
    /// <param name="pairs">The latents' figures of runs and of their baselines, one pair per seed; neither may be empty.</param>
    public static Gain Of(IReadOnlyList<(double[] Values, double[] Baseline)> pairs)
    {
        var random = new Random(Seed);
        var differences = new double[Replicates];
        for (var i = 0; i < Replicates; i++)
        {
            differences[i] = pairs.Average(pair => Resampled(pair.Values, random) - Resampled(pair.Baseline, random));
        }

        Array.Sort(differences);
        return new Gain(
            pairs.Average(pair => pair.Values.Average() - pair.Baseline.Average()),
            Evaluation.Percentile(differences, Tail),
            Evaluation.Percentile(differences, 1 - Tail));
    }

    /// <summary>The mean of as many values, drawn with replacement.</summary>
    private static double Resampled(double[] values, Random random)
    {
        var sum = 0.0;
        for (var i = 0; i < values.Length; i++)
        {
            sum += values[random.Next(values.Length)];
        }

        return sum / values.Length;
    }
}
