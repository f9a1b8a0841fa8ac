using System.Diagnostics;
using CommandLine;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Bench;

/// <summary>
/// Kills training runs at random moments and checks that each can be resumed to the bits of a run that was not killed. A moment is a point
/// in time, or the n-th call of one of the system calls that write files, so that the middle of a checkpoint is hit as often as a step. In
/// a third of the runs the disk is full from some write on.
/// </summary>
[Verb("kill", HelpText = "Kills runs at random moments, on full disks too: each must resume to the same bits or say what is missing.")]
internal sealed class KillCommand : ICommand
{
    private const int Dimension = 16;
    private const int Rows = 640;
    private const int MostKillsPerRun = 3;

    // The system calls by which files are created, written, made durable, renamed and deleted.
    private static readonly string[] FileCalls =
        ["openat", "pwrite64", "fsync", "rename", "unlink", "mkdir", "ftruncate", "fallocate", "flock", "close"];

    private static readonly string[] SameFiles =
        ["sae_weights.safetensors", "training_state.safetensors", "latents.parquet", "evals.parquet"];

    private readonly Dictionary<string, int[]> _counts = [];
    private readonly List<string> _wrong = [];

    [Option("moments", Default = 200, MetaValue = "N", HelpText = "Number of kills")]
    public int Moments { get; set; }

    [Option("seed", Default = 1, MetaValue = "N", HelpText = "Seed of the moments")]
    public int Seed { get; set; }

    [Option("command", MetaValue = "FILE", HelpText = "monoloss.dll [the one built in this source tree]")]
    public string? CommandPath { get; set; }

    [Option("keep", HelpText = "Keep the folders of runs that went wrong.")]
    public bool Keep { get; set; }

    /// <inheritdoc/>
    public void Run()
    {
        var monoloss = new MonolossProcess(CommandPath);
        var folder = Directory.CreateTempSubdirectory("monoloss-kill-").FullName;
        try
        {
            var data = Path.Combine(folder, "features.parquet");
            Write(data);
            var whole = Path.Combine(folder, "whole");
            var clock = Stopwatch.StartNew();
            Expect(monoloss.Run([], Train(data, whole)));
            var seconds = clock.Elapsed.TotalSeconds;
            var calls = CountCalls(monoloss, data, Path.Combine(folder, "counted"));
            var random = new Random(Seed);
            for (int moment = 0, run = 0; moment < Moments; run++)
            {
                moment += Break(monoloss, data, whole, Path.Combine(folder, $"run{run}"), random, seconds, calls, Moments - moment);
            }
        }
        finally
        {
            if (!Keep || _wrong.Count == 0)
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        Print();
    }

    /// <summary>Kills one run some times, and resumes it to its end.</summary>
    /// <returns>The number of kills.</returns>
    private int Break(
        MonolossProcess monoloss,
        string data,
        string whole,
        string run,
        Random random,
        double seconds,
        IReadOnlyList<(string Name, int Count)> calls,
        int most)
    {
        var kills = Math.Min(most, random.Next(1, MostKillsPerRun + 1));
        var moments = new List<KillMoment>();
        for (var i = 0; i < kills; i++)
        {
            var moment = KillMoment.Draw(random, seconds, calls);
            moments.Add(moment);
            var before = Directory.Exists(run) && File.Exists(Path.Combine(run, "training_state.safetensors"));
            var outcome = moment.Apply(monoloss, [.. Train(data, run), .. Resume(before)]);
            Count(moment, outcome.Exit switch { 0 => Ending.Completed, 2 => Ending.Refused, _ => Ending.Killed });
            if (outcome.Exit is not (0 or 2 or 130 or 137))
            {
                Wrong(run, moments, $"exit code {outcome.Exit}: {outcome.FirstError}");
                return i + 1;
            }

            var isLine = outcome.Error.StartsWith("monoloss: ", StringComparison.Ordinal) && outcome.Error.Count(c => c == '\n') == 1;
            if (outcome.Exit == 2 && !isLine)
            {
                Wrong(run, moments, $"not one line: {outcome.Error}");
                return i + 1;
            }

            if (before && !File.Exists(Path.Combine(run, "training_state.safetensors")))
            {
                Wrong(run, moments, "the checkpoint is gone");
                return i + 1;
            }
        }

        // A run that is complete is resumed, too: it may have been killed before its report.
        var resumed = File.Exists(Path.Combine(run, "training_state.safetensors"));
        var last = monoloss.Run([], [.. Train(data, run), .. Resume(resumed)]);
        Count(moments[^1], resumed ? Ending.Resumed : Ending.Restarted);
        if (last.Exit != 0)
        {
            Wrong(run, moments, $"cannot be {(resumed ? "resumed" : "restarted")}: {last.FirstError}");
            return kills;
        }

        if (Difference(whole, run) is { } difference)
        {
            Wrong(run, moments, difference);
        }
        else
        {
            Directory.Delete(run, recursive: true);
        }

        return kills;
    }

    private static string[] Train(string data, string output) =>
    [
        "train", "--train", data, "--val", data, "--out", output, "--model", "batch_topk", "--latents", "40", "--k", "4",
        "--batch-size", "64", "--epochs", "6", "--lr", "1e-2", "--mono-coef", "0.01", "--dead-after", "192", "--checkpoint-every", "3",
        "--threads", "1", "--device", "cpu",
    ];

    private static IEnumerable<string> Resume(bool resume) => resume ? ["--resume"] : [];

    private static void Write(string path)
    {
        var labels = Enumerable.Range(0, Rows).Select(i => (long)(i % 5)).ToArray();
        ParquetWriter.Write(path,
        [
            ParquetData.FloatLists("features", SyntheticData.UnitRows(Rows, Dimension, 1), Dimension), ParquetData.Create("label", labels),
        ]);
    }

    private static void Expect(CommandOutcome outcome)
    {
        if (outcome.Exit != 0)
        {
            throw new BenchException($"the run that is not killed ended with exit code {outcome.Exit}: {outcome.FirstError}");
        }
    }

    /// <summary>How often the thread that writes the files makes each system call: faults are counted by thread, too.</summary>
    private static List<(string Name, int Count)> CountCalls(MonolossProcess monoloss, string data, string output)
    {
        var log = output + ".log";
        CommandOutcome outcome;
        try
        {
            outcome = monoloss.Run(["strace", "-f", "-qq", "-o", log, "-e", $"trace={string.Join(',', FileCalls)}"], Train(data, output));
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new BenchException("strace is not installed: it kills at the system calls that write files");
        }

        Expect(outcome);
        var writer = File.ReadLines(log).GroupBy(line => line.Split(' ')[0])
            .MaxBy(thread => thread.Count(line => line.Contains(" pwrite64(", StringComparison.Ordinal)))!.ToList();
        return [.. FileCalls.Select(name => (name, writer.Count(line => line.Contains($" {name}(", StringComparison.Ordinal))))
            .Where(call => call.Item2 > 0)];
    }

    /// <summary>What differs between two completed runs, or was left behind; null if nothing.</summary>
    private static string? Difference(string expected, string actual)
    {
        foreach (var file in SameFiles)
        {
            var path = Path.Combine(actual, file);
            if (!File.Exists(path))
            {
                return $"{file} is missing";
            }

            if (!File.ReadAllBytes(path).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(expected, file))))
            {
                return $"{file} differs";
            }
        }

        var (steps, others) = (Steps(expected), Steps(actual));
        return !steps.SequenceEqual(others) ? "metrics.parquet differs"
            : !File.Exists(Path.Combine(actual, "report.html")) ? "report.html is missing"
            : Directory.EnumerateFiles(actual, "*.tmp").FirstOrDefault() is { } left ? $"{Path.GetFileName(left)} was left behind"
            : Directory.EnumerateFiles(actual, ".*.tmp").FirstOrDefault() is { } hidden ? $"{Path.GetFileName(hidden)} was left behind"
            : null;
    }

    private static IEnumerable<Models.StepMetrics> Steps(string run) =>
        Models.MetricsFiles.ReadSteps(Path.Combine(run, "metrics.parquet")).Select(step => step with { SamplesPerSecond = 0 });

    private void Wrong(string run, List<KillMoment> moments, string problem)
    {
        _wrong.Add($"{Path.GetFileName(run)} ({string.Join("; ", moments)}): {problem}");
        Count(moments[^1], Ending.Wrong);
    }

    private void Count(KillMoment moment, Ending ending)
    {
        if (!_counts.TryGetValue(moment.Kind, out var counts))
        {
            _counts.Add(moment.Kind, counts = new int[Enum.GetValues<Ending>().Length]);
        }

        counts[(int)ending]++;
    }

    private void Print()
    {
        var table = new Table("killed", "moments", "killed", "refused", "had ended", "resumed", "begun again", "wrong");
        foreach (var (kind, counts) in _counts.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            table.Add([kind, $"{counts[0] + counts[1] + counts[2]}", .. counts.Select(count => $"{count}")]);
        }

        var all = _counts.Values.Aggregate(
            new int[Enum.GetValues<Ending>().Length], (sum, counts) => [.. sum.Zip(counts, (a, b) => a + b)]);
        table.Add(["all", $"{all[0] + all[1] + all[2]}", .. all.Select(count => $"{count}")]);
        table.Print();
        if (_wrong.Count > 0)
        {
            throw new BenchException($"{_wrong.Count} runs went wrong: {string.Join(" | ", _wrong)}");
        }
    }

    /// <summary>How a killed run ended, and what became of the runs.</summary>
    private enum Ending
    {
        Killed,
        Refused,
        Completed,
        Resumed,
        Restarted,
        Wrong,
    }
}
