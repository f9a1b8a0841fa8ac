namespace MonoLoss.Cli;

/// <summary>A figure over seeds.</summary>
/// <param name="Mean">The mean.</param>
/// <param name="Deviation">The standard deviation, of the sample; null of one run.</param>
internal readonly record struct Spread(double Mean, double? Deviation)
{
    /// <summary>The figure of some runs; null if one does not have it, or there are none.</summary>
    public static Spread? Of(IReadOnlyCollection<double?> values)
    {
        if (values.Count == 0 || values.Contains(null))
        {
            return null;
        }

        var mean = values.Average()!.Value;
        return new Spread(
            mean,
            values.Count > 1 ? Math.Sqrt(values.Sum(value => (value!.Value - mean) * (value.Value - mean)) / (values.Count - 1)) : null);
    }
}
