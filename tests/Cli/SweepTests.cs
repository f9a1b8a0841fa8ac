using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using MonoLoss.Cli;
using MonoLoss.Data.Parquet;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>Sweeps of small runs: whole, with failing runs, killed, and run by hand.</summary>
public sealed partial class SweepTests : IDisposable
{
    // A shell must be given it in quotes.
    private const string Data = "it's features.parquet";

    private readonly TempFolder _folder = new();

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Table_has_the_figures_of_the_runs()
    {
        var recipe = Recipe("model: [batch_topk, topk]\nmono-coef: [0, 10]\nseed: [1, 2]\nruns: {add: [{model: topk, mono-coef: 0.01}]}");
        var output = Run(recipe, "a", "--parallel", "2").Succeeded().Output;
        Assert.Contains("10 runs, 0 of them complete", output, StringComparison.Ordinal);
        var rows = Rows("a");
        Assert.Equal(5, rows.Count);
        foreach (var row in rows)
        {
            var results = new[] { 1, 2 }.Select(seed => Results("a", $"{row["run"]}_seed={seed}")).ToArray();
            Check(row, "r2", results.Average(result => result.R2));
            Check(row, "mono_mean", results.Average(result => result.MonoMean));
            Check(row, "mono_mean_sd", Math.Abs(results[0].MonoMean - results[1].MonoMean) / Math.Sqrt(2));
            Check(row, "purity_binary", results.Average(result => result.PurityBinary!.Value));
            Check(row, "stability", StabilityOf($"{row["run"]}_seed=1", $"{row["run"]}_seed=2"));
            if (row["mono_coef"] == "0")
            {
                Assert.Equal(string.Empty, row["mono_gain"]);
                continue;
            }

            var bases = new[] { 1, 2 }.Select(seed => Results("a", $"{row["model"]}_mono-coef=0_seed={seed}")).ToArray();
            Check(row, "r2_loss", bases.Average(result => result.R2) - results.Average(result => result.R2));
            Check(row, "mono_gain", results.Average(result => result.MonoMean) - bases.Average(result => result.MonoMean));
            Check(
                row,
                "purity_gain",
                results.Average(result => result.PurityBinary!.Value) - bases.Average(result => result.PurityBinary!.Value));
            Assert.InRange(Number(row, "mono_gain"), Number(row, "mono_gain_low"), Number(row, "mono_gain_high"));
        }

        AssertFrontAndWinners(rows, maxLoss: 0.01);
        AssertParquetIsCsv(rows);

        // Ten runs are more than a report shows well: those that win and their baselines.
        var title = Regex.Match(File.ReadAllText(Path.Combine(_folder["a"], "report.html")), "<title>(.*?) – MonoLoss</title>");
        var winners = rows.Where(row => row["wins"] == "1")
            .SelectMany(row => new[] { $"{row["model"]}_mono-coef=0_seed=1", $"{row["run"]}_seed=1" }).ToList();
        Assert.NotEmpty(winners);
        Assert.Equal(string.Join(", ", winners), title.Groups[1].Value);

        // All is done: the same table, and nothing is trained.
        var again = Run(recipe, "a").Succeeded().Output;
        Assert.DoesNotContain("started", again, StringComparison.Ordinal);
        Assert.Equal(Table(output), Table(again));

        // Another allowance may have other winners.
        Run(recipe, "a", "--max-r2-loss", "1").Succeeded();
        AssertFrontAndWinners(Rows("a"), maxLoss: 1);
    }

    [Fact]
    public void Failed_run_leaves_the_others_alone_and_is_named()
    {
        var recipe = Recipe($"mono-coef: [0, 0.01]\nruns:\n- seed: 1\n- train: '{_folder["absent.parquet"]}'");
        var outcome = Run(recipe, "a");
        Assert.Equal(ExitCode.BadInput, outcome.Exit);
        Assert.Equal(2, outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.All(outcome.Error.Trim().Split('\n'), line => Assert.Matches("^monoloss: .* failed: .*absent.parquet", line));
        Assert.Equal(["1", "1", "0", "0"], Rows("a").Select(row => row["complete"]));
        Assert.Contains("MonoScore", outcome.Output, StringComparison.Ordinal);
        var log = Directory.GetFiles(Path.Combine(_folder["a"], "logs"), "*absent*")[0];
        Assert.Contains("absent.parquet: ", File.ReadAllText(log), StringComparison.Ordinal);

        // What was missing is there now.
        File.Copy(_folder[Data], _folder["absent.parquet"]);
        Assert.Contains("4 runs, 2 of them complete", Run(recipe, "a").Succeeded().Output, StringComparison.Ordinal);
        Assert.All(Rows("a"), row => Assert.Equal("1", row["complete"]));
    }

    [Fact]
    public void More_epochs_go_on_and_other_settings_are_refused()
    {
        Run(Recipe("seed: 1"), "a").Succeeded();
        Run(Recipe("seed: 1", epochs: 4), "a").Succeeded();
        Run(Recipe("seed: 1", epochs: 4), "whole").Succeeded();
        RunFiles.AssertSame(Path.Combine(_folder["whole"], "batch_topk"), Path.Combine(_folder["a"], "batch_topk"), evaluations: false);

        // The run of k 4 stays as it is, but is none of this recipe.
        var outcome = Run(Recipe("seed: 1", epochs: 4, k: 3), "a");
        outcome.Refused("batch_topk failed: ", "other settings: --k was 4, now 3");
        Assert.DoesNotContain("MonoScore", outcome.Output, StringComparison.Ordinal);

        // Without its checkpoint it can neither go on nor be skipped.
        File.Delete(new RunFolder(Path.Combine(_folder["a"], "batch_topk")).State);
        Run(Recipe("seed: 1", epochs: 4, k: 3), "a").Refused("batch_topk", "other settings and no checkpoint");
        Run(Recipe("seed: 1", epochs: 4), "a").Succeeded();
    }

    [UnixFact]
    public void Listed_commands_give_the_same_table()
    {
        var recipe = Recipe("mono-coef: [0, 0.01]\nseed: [3]");
        var expected = Run(recipe, "a").Succeeded().Output;
        var lines = Run(recipe, "b", "--list", "--threads", "1").Succeeded().Output.Trim().Split('\n');
        Assert.Equal(2, lines.Length);
        foreach (var line in lines.Reverse())
        {
            using var shell = Process.Start(new ProcessStartInfo("sh", ["-c", line]) { RedirectStandardOutput = true })!;
            shell.StandardOutput.ReadToEnd();
            shell.WaitForExit();
            Assert.Equal(0, shell.ExitCode);
        }

        var output = Run(recipe, "b").Succeeded().Output;
        Assert.Contains("2 runs, 2 of them complete", output, StringComparison.Ordinal);
        Assert.Equal(Table(expected), Table(output));
        Assert.Equal(File.ReadAllText(Csv("a")), File.ReadAllText(Csv("b")));
    }

    [Fact]
    public void Second_sweep_of_a_folder_is_refused_and_a_stopped_one_continues()
    {
        var recipe = Recipe("seed: [1, 2]\ncheckpoint-every: 5", epochs: 30);
        Directory.CreateDirectory(_folder["a"]);
        using (var claim = new RunLock(_folder["a"]))
        {
            claim.ClaimExisting();
            Run(recipe, "a").Refused(RunLock.InUse);
        }

        var stopped = Monoloss.RunUntil("[1/2] batch_topk_seed=1: started", "sweep", recipe, "--out", _folder["a"], "--device", "cpu");
        Assert.Equal(ExitCode.Stopped, stopped.Exit);
        Assert.Contains("the same command continues", stopped.Output, StringComparison.Ordinal);
        Run(recipe, "a").Succeeded();
        Run(recipe, "b").Succeeded();
        Assert.Equal(File.ReadAllText(Csv("b")), File.ReadAllText(Csv("a")));
    }

    [Fact]
    public void Killed_sweep_ends_with_the_same_table() => Kill(times: 2, epochs: 100, parallel: 1);

    [Fact]
    [Trait("Speed", "Slow")]
    public void Sweep_killed_twenty_times_ends_with_the_same_table() => Kill(times: 20, epochs: 1000, parallel: 2);

    private void Kill(int times, int epochs, int parallel)
    {
        var seeds = string.Join(", ", Enumerable.Range(1, parallel + 1));
        var recipe = Recipe($"mono-coef: [0, 0.01]\nseed: [{seeds}]\ncheckpoint-every: 40", epochs);
        var expected = Run(recipe, "a").Succeeded().Output;
        var random = new Random(5);
        var running = 0;
        for (var i = 0; i < times; i++)
        {
            using var process = Monoloss.Start(
                shell: null, "sweep", recipe, "--out", _folder["b"], "--device", "cpu", "--parallel", $"{parallel}");
            process.StandardError.ReadToEndAsync();
            if (i % 4 > 0)
            {
                // Not while the program starts, where this takes long.
                while (process.StandardOutput.ReadLine() is { } line && !line.EndsWith(": started", StringComparison.Ordinal))
                {
                }
            }

            process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(random.Next(50, 3000)))
            {
                running++;

                // Every third time the runs die with it, and do not save a checkpoint.
                process.Kill(entireProcessTree: i % 3 == 0);
            }

            process.WaitForExit();
        }

        Assert.True(running > 0);
        Assert.Equal(Table(expected), Table(Run(recipe, "b").Succeeded().Output));
        Assert.Equal(File.ReadAllText(Csv("a")), File.ReadAllText(Csv("b")));
    }

    private static void AssertFrontAndWinners(List<Dictionary<string, string>> rows, double maxLoss)
    {
        double[] Scores(Dictionary<string, string> row) =>
            [Number(row, "r2"), Number(row, "mono_mean"), -Number(row, "l0"), Number(row, "purity_binary")];
        foreach (var row in rows)
        {
            var dominated = rows.Exists(other => Scores(other).Zip(Scores(row)).All(pair => pair.First >= pair.Second)
                && !Scores(other).SequenceEqual(Scores(row)));
            Assert.Equal(dominated ? "0" : "1", row["front"]);
            var allowed = rows.Where(other => other["model"] == row["model"] && other["mono_coef"] != "0"
                && Number(other, "r2_loss") <= maxLoss && Number(other, "mono_gain") > 0).ToList();
            Assert.Equal(allowed.Count > 0 && allowed.MaxBy(other => Number(other, "mono_mean")) == row ? "1" : "0", row["wins"]);
        }
    }

    private void AssertParquetIsCsv(List<Dictionary<string, string>> rows)
    {
        var table = ParquetTable.Read(Path.Combine(_folder["a"], "sweep.parquet"));
        Assert.Equal(rows[0].Keys, table.Columns);
        foreach (var column in table.Columns)
        {
            var values = table.IsText(column)
                ? table.ReadTexts(column)
                : Array.ConvertAll(table.ReadNullableDoubles(column), value => value?.ToString(CultureInfo.InvariantCulture));
            Assert.Equal(rows.Select(row => row[column]), values.Select(value => value ?? string.Empty));
        }
    }

    private static double Number(Dictionary<string, string> row, string column) => double.Parse(row[column], CultureInfo.InvariantCulture);

    private static void Check(Dictionary<string, string> row, string column, double expected) =>
        Assert.Equal(expected, Number(row, column), 1e-9);

    /// <summary>The part of the output that is the same however the runs came about.</summary>
    private static string Table(string output) => string.Join('\n', output.Split('\n')
        .Where(line => !Progress().IsMatch(line) && !line.StartsWith("table ", StringComparison.Ordinal)));

    [GeneratedRegex(@"^(\[|\d+ runs|.*: waiting)")]
    private static partial Regex Progress();

    private double StabilityOf(string first, string second)
    {
        using var device = DeviceFactory.Open("cpu");
        using var one = ModelSource.Open(Path.Combine(_folder["a"], first)).Load(device);
        using var other = ModelSource.Open(Path.Combine(_folder["a"], second)).Load(device);
        return Stability.Of(one, other).MeanCosine;
    }

    private EvaluationSummary Results(string sweep, string run) =>
        new RunFolder(Path.Combine(_folder[sweep], run)).ReadResults().Splits.Last().Value;

    private string Csv(string sweep) => Path.Combine(_folder[sweep], "sweep.csv");

    private List<Dictionary<string, string>> Rows(string sweep)
    {
        var lines = File.ReadAllLines(Csv(sweep)).Select(line => line.Split(',')).ToList();
        return [.. lines.Skip(1).Select(line => lines[0].Zip(line).ToDictionary(cell => cell.First, cell => cell.Second))];
    }

    private Outcome Run(string recipe, string output, params string[] args) =>
        Monoloss.Run(["sweep", recipe, "--out", _folder[output], "--device", "cpu", .. args]);

    /// <summary>A recipe on small features, with further lines.</summary>
    private string Recipe(string lines, int epochs = 2, int k = 4)
    {
        var data = RunFiles.Write(_folder, Data);
        File.WriteAllText(
            _folder["recipe.yaml"],
            $"train: \"{data.Replace('\\', '/')}\"\nlatents: 24\nk: {k}\nbatch-size: 64\nlr: 1e-2\n"
                + $"epochs: {epochs}\nlog-every: 0\n{lines}\n");
        return _folder["recipe.yaml"];
    }
}
