using System.Diagnostics;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>
/// Measures things in turn, because a machine's speed wanders: what is compared is the ratio of two times of the same round, and
/// what is reported the median over the rounds.
/// </summary>
internal static class Timing
{
    // OpenBLAS's and OpenMP's threads keep spinning for tens of milliseconds after their work and would take a core from the next.
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(100);

    /// <summary>Seconds that something takes.</summary>
    public static double Seconds(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Seconds from when a device has nothing to do until it is through with what some work asks of it.</summary>
    public static double Seconds(Device device, Action work)
    {
        device.Synchronize();
        return Seconds(() =>
        {
            work();
            device.Synchronize();
        });
    }

    /// <summary>Lets the threads of what ran before go to sleep.</summary>
    public static void Pause() => Thread.Sleep(Settle);

    /// <summary>Runs each work once to warm up, then all of them in turn, round after round.</summary>
    /// <param name="device">Where; each work's time ends when the device is through with it.</param>
    /// <param name="rounds">How many rounds.</param>
    /// <param name="works">What.</param>
    /// <returns>For every work its seconds, round by round.</returns>
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

    /// <summary>The median of a[i] / b[i].</summary>
    public static double Ratio(IEnumerable<double> a, IEnumerable<double> b) => Median(a.Zip(b, (x, y) => x / y));
}
