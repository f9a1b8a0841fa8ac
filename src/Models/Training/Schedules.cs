namespace MonoLoss.Models;

/// <summary>How the learning rate falls at the end of training.</summary>
public enum LearningRateDecay
{
    /// <summary>It stays as it is.</summary>
    None,

    /// <summary>On a line towards 0.</summary>
    Linear,

    /// <summary>On half a period of the cosine towards 0.</summary>
    Cosine,
}

/// <summary>
/// The values of schedules at a step s, which counts from 0. They depend on nothing else, so that a resumed run goes on with the same bits.
/// </summary>
public static class Schedules
{
    // From then on BatchTopK's threshold is a running mean, for which it no longer matters how long k has been the same.
    private const int LongestLookBack = 100;

    /// <summary>Warm-up over w steps, as in SAELens: min(1, (s + 1)/w), so that the first step is not wasted.</summary>
    /// <param name="step">s.</param>
    /// <param name="warmup">w; 0 for none.</param>
    public static double Warmup(long step, int warmup) => step + 1 < warmup ? (step + 1) / (double)warmup : 1;

    /// <summary>
    /// Decay over the last d of T steps. Linear: (T − s)/d, so that the last step has 1/d; cosine: (1 + cos(π(s − (T − d))/d))/2; 1 before.
    /// </summary>
    /// <param name="kind">The shape.</param>
    /// <param name="step">s.</param>
    /// <param name="total">T.</param>
    /// <param name="length">d.</param>
    public static double Decay(LearningRateDecay kind, long step, long total, long length)
    {
        var since = step - (total - length);
        return since < 0 ? 1 : kind switch
        {
            LearningRateDecay.Linear => (length - since) / (double)length,
            LearningRateDecay.Cosine => (1 + Math.Cos(Math.PI * since / length)) / 2,
            _ => 1,
        };
    }

    /// <summary>k on the line from k_start to k over a steps, rounded, halves up: k_start + (k − k_start)·min(1, s/a).</summary>
    /// <param name="start">k_start.</param>
    /// <param name="k">k.</param>
    /// <param name="anneal">a; 0 for k at every step.</param>
    /// <param name="step">s.</param>
    public static int K(int start, int k, int anneal, long step) =>
        // In whole numbers: no step's k depends on rounding.
        step >= anneal ? k : (int)(((2 * ((start * (anneal - step)) + (k * step))) + anneal) / (2L * anneal));

    /// <summary>The number of steps up to s, s included, that had the k of step s without a change; not counted further than 100.</summary>
    /// <inheritdoc cref="K" path="/param"/>
    public static long StepsAtSameK(int start, int k, int anneal, long step)
    {
        var present = K(start, k, anneal, step);
        var steps = 1L;
        while (steps < LongestLookBack && steps <= step && K(start, k, anneal, step - steps) == present)
        {
            steps++;
        }

        return steps;
    }
}
