using System.Diagnostics;
using CommandLine;
using MonoLoss.Cli;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Bench;

/// <summary>Compares MonoScore at linear cost with the sum over pairs as the number of samples grows: the paper's Figure 2.</summary>
[Verb("monoscore", HelpText = "Compares MonoScore at linear cost with the sum over all pairs, for 2^10 to 2^19 samples.")]
internal sealed class MonoScoreCommand : SizedCommand
{
    // Rows drawn at a time, for any number of samples.
    private const int Batch = 1 << MinPower;
    private const int MinPower = 10;
    private const int MaxPower = 19;
    private const int QuickMostPower = 15;
    private const int UsualRounds = 3;
    // The next size takes four times as long.
    private const double PairwiseGrowth = 4;

    /// <summary>The device to measure.</summary>
    [Option("device", Default = "cpu", HelpText = DeviceFactory.Names
        + "; the sum over pairs runs on the cpu, and for other devices only checks the scores.")]
    public string DeviceName { get; set; } = "cpu";

    /// <summary>The file for the plot; null for none.</summary>
    [Option("out", HelpText = "Write a plot to this file (SVG).")]
    public string? Out { get; set; }

    /// <summary>How long a sum over pairs may take.</summary>
    [Option("limit", Default = 10.0, HelpText = "Time in seconds after which no larger sum over pairs is tried.")]
    public double Limit { get; set; } = 10;

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        using var device = DeviceFactory.Open(DeviceName, ThreadCount);
        // Sums over pairs run in plain loops on the host: for another device they only check the scores.
        var comparable = device is CpuDevice;
        string[] Shown(params string[] ofPairs) => comparable ? ofPairs : ofPairs[^1..];
        Console.WriteLine(
            $"\n{device.Name}: {device.Description}; {Features} features, {Latents} latents, {Active} active per sample. "
            + "Times are for the scores alone, without encoding or drawing samples. "
            + "Differences are from the sum over pairs on the cpu.\n");
        var most = Quick ? QuickMostPower : MaxPower;
        var sizes = Enumerable.Range(MinPower, most - MinPower + 1).Select(power => 1 << power).ToArray();
        var linear = MeasureLinear(device, sizes);
        var pairwise = MeasurePairwise(sizes);
        var table = new Table(
        [
            $"samples on {device.Name}",
            "linear s",
            "µs per sample",
            device.Memory is null ? "peak MiB" : "device's MiB",
            .. Shown("pairwise s", "pairwise / linear", "largest difference"),
        ]);
        foreach (var size in sizes)
        {
            var (seconds, peakBytes, scores) = linear[size];
            table.Add(
            [
                $"{size}",
                $"{seconds:0.00000}",
                $"{seconds / size * 1e6:0.000}",
                $"{peakBytes >> 20}",
                .. pairwise.TryGetValue(size, out var pairs)
                    ? Shown(
                        $"{pairs.Seconds:0.00}",
                        $"{pairs.Seconds / seconds:0.0}",
                        $"{scores.Zip(pairs.Scores, (a, b) => Math.Abs(a - b)).Max():0.0e+0}")
                    : Shown("–", "–", "–"),
            ]);
        }

        table.Print();
        if (Out is not null)
        {
            var lines = new List<SvgSeries> { new("linear", 0, [.. linear.Select(entry => ((double)entry.Key, entry.Value.Seconds))]) };
            if (comparable)
            {
                lines.Add(new SvgSeries("pairwise", 1, [.. pairwise.Select(entry => ((double)entry.Key, entry.Value.Seconds))]));
            }

            WritePlot(SvgChart.File($"Seconds for the MonoScore of {Latents} latents on {device.Name}", lines, "samples"));
        }
    }

    private Dictionary<int, (double Seconds, long PeakBytes, double[] Scores)> MeasureLinear(Device device, int[] sizes)
    {
        using var scorer = new LinearScorer(device, SizesFor(Batch));
        scorer.Score(sizes[0], out _);
        var results = new Dictionary<int, (double, long, double[])>();
        foreach (var size in sizes)
        {
            var scores = Array.Empty<double>();
            var seconds = new double[RoundsOr(UsualRounds)];
            for (var round = 0; round < seconds.Length; round++)
            {
                scores = scorer.Score(size, out seconds[round]);
            }

            using var process = Process.GetCurrentProcess();
            // The arrays of a device only ever grow.
            results[size] = (Timing.Median(seconds), device.Memory?.InUse ?? process.PeakWorkingSet64, scores);
        }

        return results;
    }

    private Dictionary<int, (double Seconds, double[] Scores)> MeasurePairwise(int[] sizes)
    {
        using var device = new CpuDevice(ThreadCount);
        var results = new Dictionary<int, (double, double[])>();
        foreach (var size in sizes)
        {
            using var scorer = new PairwiseScorer(device, SizesFor(Batch), size);
            var scores = scorer.Score(out var seconds);
            results[size] = (seconds, scores);
            if (seconds * PairwiseGrowth > Limit)
            {
                break;
            }
        }

        return results;
    }

    private void WritePlot(string svg)
    {
        try
        {
            File.WriteAllText(Out!, svg);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new BenchException($"cannot write {Out}: {exception.Message}");
        }

        Console.WriteLine($"\nplot: {Out}");
    }
}
