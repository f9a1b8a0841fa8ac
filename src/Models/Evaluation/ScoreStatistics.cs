namespace MonoLoss.Models;

/// <summary>The distribution of scores over latents. Scores that are NaN, undefined ones if they are wanted so, are left out.</summary>
/// <param name="Mean">The mean; NaN if there are no scores.</param>
/// <param name="Median">The median; of an even number the mean of the middle two.</param>
/// <param name="P90">The 90th percentile, with linear interpolation.</param>
public readonly record struct ScoreStatistics(double Mean, double Median, double P90)
{
    /// <summary>The distribution of some scores.</summary>
    public static ScoreStatistics Of(IEnumerable<double> scores)
    {
        var sorted = scores.Where(score => !double.IsNaN(score)).Order().ToArray();
        return sorted.Length == 0
            ? new ScoreStatistics(double.NaN, double.NaN, double.NaN)
            : new ScoreStatistics(sorted.Average(), Evaluation.Percentile(sorted, 0.5), Evaluation.Percentile(sorted, 0.9));
    }
}
