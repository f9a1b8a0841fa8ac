using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MonoLoss.Cli;
using MonoLoss.Data;
using MonoLoss.Models;
using MonoLoss.Tests.Data;
using MonoLoss.Tests.Models;

namespace MonoLoss.Tests.Cli;

/// <summary>The comparison of runs in its formats, against their results.json and weights.</summary>
public sealed partial class CompareTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_format_has_the_final_figures()
    {
        var data = RunFiles.Write(_folder);
        // What Windows allows in the name of a folder.
        var hostile = OperatingSystem.IsWindows() ? "a,b" : "a,\"b\"|*";
        var quoted = hostile.Replace("\"", "\"\"", StringComparison.Ordinal);
        var escaped = hostile.Replace("|", @"\|", StringComparison.Ordinal).Replace("*", @"\*", StringComparison.Ordinal);
        string[] runs =
        [
            Train("first", data, "--test", data), Train(hostile, data, "--test", data, "--mono-coef", "0.01", "--model", "vanilla"),
        ];
        var results = Array.ConvertAll(runs, run => new RunFolder(run).ReadResults());
        var figures = Array.ConvertAll(results, result => result.Splits["test"]);

        var csv = Run(["--format", "csv", .. runs]).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var head = csv[0].Trim().Split(',');
        Assert.StartsWith($"first,{runs[0]},batch_topk,false,16,40,4,0,test,", csv[1], StringComparison.Ordinal);
        Assert.StartsWith($"\"{quoted}\",\"", csv[2], StringComparison.Ordinal);
        Assert.Contains("vanilla,false,16,40,,0.01,test,", csv[2], StringComparison.Ordinal);
        for (var i = 0; i < runs.Length; i++)
        {
            // Counted from the end: the names have commas.
            var cells = csv[i + 1].Trim().Split(',');
            double Cell(string name) => double.Parse(cells[^(head.Length - Array.IndexOf(head, name))], CultureInfo.InvariantCulture);
            Assert.Equal(
                (figures[i].Mse, figures[i].R2, figures[i].SilentLatents, figures[i].MonoMean, figures[i].PurityWeighted, figures[i].Fvu),
                (Cell("mse"), Cell("r2"), (int)Cell("silent_latents"), Cell("mono_mean"), Cell("purity_weighted"), Cell("fvu")));
            Assert.Equal(NaiveStability(runs), Cell("stability"), 1e-6);
        }

        var json = JsonNode.Parse(Run([.. runs, "--format=json"]))!;
        Assert.Equal(NaiveStability(runs), json["stability"]!["mean_cosine"]!.GetValue<double>(), 1e-6);
        Assert.Equal(40, json["stability"]!["pairs"]!.GetValue<int>());
        Assert.Equal(["first", hostile], json["runs"]!.AsArray().Select(run => run!["name"]!.ToString()));
        Assert.Equal(runs, json["runs"]!.AsArray().Select(run => run!["folder"]!.ToString()));
        Assert.Equal(figures.Select(figure => figure.MonoP90), json["runs"]!.AsArray().Select(run =>
            run!["figures"]!["mono_p90"]!.GetValue<double>()));
        Assert.Null(json["runs"]![1]!["k"]);

        var markdown = Run([.. runs, "--format", "markdown"]).Split('\n');
        Assert.All(markdown[..4], line => Assert.Equal(18, Regex.Count(line, @"(?<!\\)\|")));
        Assert.StartsWith($"| {escaped} | vanilla | 40 | – | 0.01 | test |", markdown[3], StringComparison.Ordinal);
        Assert.StartsWith("Stability 0.", markdown[5], StringComparison.Ordinal);
    }

    [Fact]
    public void The_best_of_each_column_is_marked()
    {
        var data = RunFiles.Write(_folder);
        string[] runs = [Train("a", data), Train("b", data, "--k", "2"), Train("c", data, "--k", "6")];
        var figures = Array.ConvertAll(runs, run => new RunFolder(run).ReadResults().Splits["train"]);
        var table = Run([.. runs]).Split('\n').Where(line => Regex.IsMatch(line, "^ *[abc] ")).ToArray();
        var markdown = Run(["--format", "markdown", .. runs]).Split('\n')[2..5];
        Assert.DoesNotContain("Stability", Run([.. runs]), StringComparison.Ordinal);
        var lines = Array.ConvertAll(table, line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        AssertBest(6, [.. figures.Select(figure => -figure.R2)]);
        AssertBest(7, [.. figures.Select(figure => figure.Fvu!.Value)]);
        AssertBest(10, [.. figures.Select(figure => figure.L0)]);
        AssertBest(12, [.. figures.Select(figure => -figure.MonoMean)]);

        // What all have in common is not better than anything.
        var same = Run(runs[0], runs[0]);
        Assert.DoesNotContain('*', same);
        Assert.Contains("Stability 1.0000", same, StringComparison.Ordinal);
        Assert.DoesNotContain('*', Run(runs[0]));

        void AssertBest(int column, double[] costs)
        {
            for (var i = 0; i < costs.Length; i++)
            {
                Assert.Equal(costs[i] == costs.Min(), lines[i][column].EndsWith('*'));
                Assert.Equal(costs[i] == costs.Min(), Regex.IsMatch(markdown[i].Split(" | ")[column], @"^\*\*[^*]+\*\*$"));
            }
        }
    }

    [Theory]
    [InlineData(200)]
    [InlineData(70)]
    public void A_terminal_shows_the_best_in_bold_whatever_its_width(int width)
    {
        var data = RunFiles.Write(_folder);
        string[] runs = [Train("a", data), Train("[b]", data, "--k", "2")];
        var output = Monoloss.RunOnTerminal(width, ["compare", .. runs]).Succeeded().Output;
        var best = runs.Max(run => new RunFolder(run).ReadResults().Splits["train"].R2).ToString("0.0000", CultureInfo.InvariantCulture);
        Assert.Matches($@"\u001b\[1;3?2m{best}\u001b\[0m", output);
        var text = Escape().Replace(output, string.Empty);
        Assert.DoesNotContain('*', text);
        Assert.Contains("[b]", text, StringComparison.Ordinal);
        Assert.All(text.Split('\n').Where(line => line.Contains('│', StringComparison.Ordinal)), line => Assert.True(line.Length <= width));
    }

    [Fact]
    public void Folders_may_be_given_in_every_form()
    {
        var data = RunFiles.Write(_folder);
        string[] runs = [Train("a", data), Train("b", data)];
        var expected = Run(runs[0], runs[1], "--format", "csv");
        Assert.Equal(expected, Run("--format=csv", runs[0], runs[1]));
        Assert.Equal(expected, Run(runs[0], "--format", "csv", runs[1]));
        Assert.Equal(expected, Run("--run", runs[0], runs[1], "--format", "csv"));
        Assert.Equal(expected, Run("--format", "csv", "--run", runs[0], $"--run={runs[1]}"));
        Assert.Matches(@"(?m)^  monoloss compare DIR… \[options\]", Monoloss.Run("compare", "--help").Succeeded().Output);
        Monoloss.Run("compare").Refused("DIR… is required");
        Monoloss.Run("compare", runs[0], string.Empty).Refused("--run");
        Monoloss.Run("compare", runs[0], "--format", "xml").Refused("--format", "xml", "markdown");
    }

    [Fact]
    public void Runs_that_differ_in_split_or_size_are_compared_as_far_as_that_goes()
    {
        var data = RunFiles.Write(_folder);
        var other = RunFiles.Write(_folder["other.parquet"], RunFiles.Features(640, 12), 12);
        string[] runs = [Train("a", data, "--test", data), Train("b", data, "--latents", "30"), Train("c", other)];
        var unevaluated = Train("d", data, "--eval-every", "0");

        var splits = Monoloss.Run("compare", runs[0], runs[1]);
        Assert.Equal(ExitCode.Success, splits.Exit);
        Assert.Contains("different splits", splits.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('*', splits.Output);
        Assert.Contains("Stability", splits.Output, StringComparison.Ordinal);
        Assert.Contains('*', Run(runs[0], runs[1], "--split", "train"));
        Assert.Contains("mean cosine of 30 ", Run(runs[0], runs[1], "--split", "train by threshold"), StringComparison.Ordinal);
        Monoloss.Run("compare", runs[0], runs[1], "--split", "test").Refused(runs[1], "test", "train, train by threshold");
        Monoloss.Run("compare", runs[0], unevaluated, "--split", "test").Refused(unevaluated, "test");

        var dimensions = Monoloss.Run("compare", runs[1], runs[2]);
        Assert.Equal(ExitCode.Success, dimensions.Exit);
        Assert.Contains("no stability: the runs have 16 and 12 features", dimensions.Error, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^ *d +batch_topk +40 +4 +0 +– +– ", Run(runs[0], unevaluated));
        Assert.Contains(",,,", Run(runs[0], unevaluated, "--format", "csv"), StringComparison.Ordinal);
        Assert.DoesNotContain("R²", Run(unevaluated), StringComparison.Ordinal);
    }

    [Fact]
    public void Runs_that_are_damaged_or_incomplete_are_refused()
    {
        var data = RunFiles.Write(_folder);
        string[] runs = [Train("a", data), Train("b", data)];
        Monoloss.Run("compare", runs[0], _folder["absent"]).Refused("absent", "no run");
        foreach (var file in new[] { "sae_weights.safetensors", "evals.parquet", "latents.parquet", "metrics.parquet", "results.json" })
        {
            var path = Path.Combine(runs[1], file);
            var bytes = File.ReadAllBytes(path);
            File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
            Monoloss.Run("compare", runs[0], runs[1]).Refused(path);
            File.Delete(path);
            Monoloss.Run("compare", runs[0], runs[1]).Refused(file);
            File.WriteAllBytes(path, bytes);
        }

        // The settings of another run.
        var config = Path.Combine(runs[1], "cfg.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"latents\": 40", "\"latents\": 50", StringComparison.Ordinal));
        Monoloss.Run("compare", runs[0], runs[1]).Refused("cfg.json", "40", "50");
    }

    [GeneratedRegex("\u001b\\[[0-9;?]*[a-zA-Z]")]
    private static partial Regex Escape();

    private static string Run(params string[] args) => Monoloss.Run(["compare", .. args]).Succeeded().Output;

    /// <summary>The best mean cosine of decoder rows, from the files, in float64.</summary>
    private static double NaiveStability(string[] runs)
    {
        var rows = Array.ConvertAll(runs, run =>
        {
            using var file = SafetensorsFile.Open(new RunFolder(run).Weights);
            var width = (int)file.Find("W_dec").Shape[1];
            return file.ReadFloats("W_dec").Chunk(width).Select(row =>
            {
                var norm = Math.Sqrt(row.Sum(value => (double)value * value));
                return Array.ConvertAll(row, value => value / norm);
            }).ToArray();
        });
        var costs = Array.ConvertAll(rows[0], a => Array.ConvertAll(rows[1], b => -a.Zip(b, (x, y) => x * y).Sum()));
        return -AssignmentTests.Hungarian(costs) / costs.Length;
    }

    private string Train(string name, string data, params string[] args)
    {
        string[] defaults = ["--latents", "40", "--k", "4"];
        Monoloss.Run(
        [
            "train", "--train", data, "--out", _folder[name], "--batch-size", "64", "--lr", "1e-2", "--epochs", "2", "--threads", "2",
            .. defaults.Chunk(2).Where(option => !args.Contains(option[0])).SelectMany(option => option),
            .. args,
        ]).Succeeded();
        return _folder[name];
    }
}
