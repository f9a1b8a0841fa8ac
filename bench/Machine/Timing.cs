using System.Diagnostics;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>
/// Measures alternatives in turn, because a machine's speed drifts: two times of the same round are compared by their ratio, and
/// the median over the rounds is reported.
/// </summary>
internal static class Timing
{
    // Threads of OpenBLAS and OpenMP keep spinning for tens of milliseconds and would take a core from the next measurement.
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(100);

    /// <summary>The seconds that an action takes.</summary>
    public static double Seconds(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>The seconds from an idle device until it has finished everything that an action launches.</summary>
    public static double Seconds(Device device, Action work)
    {
        device.Synchronize();
        return Seconds(() =>
        {
            work();
            device.Synchronize();
        });
    }

    /// <summary>Waits until the threads of earlier work are asleep.</summary>
    public static void Pause() => Thread.Sleep(Settle);

    /// <summary>Runs each action once to warm up, then all of them in turn, round after round.</summary>
    /// <param name="device">The device that runs the actions; a time ends when it has finished.</param>
    /// <param name="rounds">Number of rounds.</param>
    /// <param name="works">The actions.</param>
    /// <returns>The seconds of each action, round by round.</returns>
    public static double[][] InTurn(Device device, int rounds, params IReadOnlyList<Action> works)
    {
        foreach (var work in works)
        {
            Seconds(device, work);
            Pause();
        }

        var seconds = works.Select(_ => new double[rounds]).ToArray();
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < works.Count; i++)
            {
                seconds[i][round] = Seconds(device, works[i]);
                Pause();
            }
        }

        return seconds;
    }

    /// <summary>The middle value, or the mean of the middle two.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        var middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /// <summary>The median of the ratios a[i] / b[i].</summary>
    public static double Ratio(IEnumerable<double> a, IEnumerable<double> b) => Median(a.Zip(b, (x, y) => x / y));
}
