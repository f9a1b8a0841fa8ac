using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MonoLoss.Data.Parquet;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>The output and the files of runs.</summary>
public sealed partial class RunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_writes_a_run_folder_and_eval_finds_the_same_figures()
    {
        var data = RunFiles.Write(_folder);
        var test = RunFiles.Write(_folder["test.parquet"], RunFiles.Features(100, 16, seed: 2), 16);
        File.WriteAllText(
            _folder["data.json"],
            """{"train_path": "features.parquet", "val_path": ["features.parquet"], "test_path": "test.parquet"}""");
        var output = Train("--dataset-config", _folder["data.json"], "--mono-coef", "0.001").Output;
        Assert.Contains("epoch 1/2  step 1  loss ", output, StringComparison.Ordinal);
        Assert.Contains("MonoScore", output, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^\s*test\s+[\d.-]+", output);

        var run = new RunFolder(_folder["run"]);
        var results = run.ReadResults();
        Assert.Equal(["train", "val", "test"], results.Splits.Keys);
        Assert.Equal(20, results.Steps);
        Assert.Equal(
            ["step", "epoch", "loss", "reconstruction_loss", "aux_loss", "sparsity_loss", "mono_loss", "mono_score", "l0", "dead_latents",
                "grad_norm", "samples_per_second", "learning_rate", "l1_coef", "mono_coef", "k"],
            Columns(run.Metrics));
        Assert.Equal(
            ["epoch", "split", "mse", "nmse", "r2", "fvu", "l0", "silent_latents", "mono_mean", "mono_median", "mono_p90", "purity_binary",
                "purity_weighted"],
            Columns(run.Evaluations));
        Assert.Equal(
            ["latent", "mono_score", "activation_count", "activation_mean", "activation_max", "dominant_label", "purity_binary",
                "purity_weighted"],
            Columns(run.Latents));

        using var json = JsonDocument.Parse(Monoloss.Run("eval", "--run", run.Path, "--data", test, "--json").Succeeded().Output);
        Assert.Equal(100, json.RootElement.GetProperty("rows").GetInt64());
        Assert.Equal(results.Splits["test"].R2, json.RootElement.GetProperty("r2").GetDouble());
        Assert.Equal(results.Splits["test"].MonoMean, json.RootElement.GetProperty("mono_mean").GetDouble());
        Assert.Equal(results.Splits["test"].PurityBinary, json.RootElement.GetProperty("purity_binary").GetDouble());

        Monoloss.Run("eval", "--run", run.Path, "--data", test, "--out", _folder["latents.parquet"]).Succeeded();
        Assert.True(File.ReadAllBytes(run.Latents).AsSpan().SequenceEqual(File.ReadAllBytes(_folder["latents.parquet"])));
        AssertReport(_folder["run/report.html"], "run");
        Assert.NotEmpty(data);
    }

    /// <summary>By its threshold BatchTopK has k active latents per training row on average, however the rows are batched.</summary>
    [Fact]
    public void Eval_by_threshold_finds_k_active_latents_per_training_row()
    {
        var data = RunFiles.Write(_folder);
        var test = RunFiles.Write(_folder["test.parquet"], RunFiles.Features(100, 16, seed: 2), 16);
        var output = Train("--train", data, "--test", test, "--epochs", "5").Output;
        Assert.Matches(@"(?m)^\s*test by threshold\s+[\d.-]+", output);

        var run = new RunFolder(_folder["run"]);
        var results = run.ReadResults();
        Assert.Equal(["train", "test"], results.ByThreshold.Keys);
        Assert.InRange(results.ByThreshold["train"].L0, 0.99 * results.Model.K, 1.01 * results.Model.K);
        Assert.Equal(
            ["train", "test", "train by threshold", "test by threshold"],
            MetricsFiles.ReadEvaluations(run.Evaluations).Where(row => row.Epoch == 5).Select(row => row.Split));
        Assert.Contains("test by threshold", File.ReadAllText(_folder["run/report.html"]), StringComparison.Ordinal);

        foreach (var batch in new[] { "1", "7", "640" })
        {
            using var json = JsonDocument.Parse(Monoloss.Run(
                "eval", "--run", run.Path, "--data", data, "--threshold", "--json", "--batch-size", batch).Succeeded().Output);
            Assert.Equal(results.ByThreshold["train"].L0, json.RootElement.GetProperty("l0").GetDouble());
            Assert.Equal(results.ByThreshold["train"].R2, json.RootElement.GetProperty("r2").GetDouble(), 1e-6);
        }

        Train("--train", data, "--out", _folder["vanilla"], "--model", "vanilla");
        Assert.Empty(new RunFolder(_folder["vanilla"]).ReadResults().ByThreshold);
        Monoloss.Run("eval", "--run", _folder["vanilla"], "--data", data, "--threshold").Refused("--threshold", "batch_topk", "vanilla");
    }

    [Fact]
    public void Train_without_labels_reports_no_purity()
    {
        ParquetWriter.Write(_folder["plain.parquet"], [ParquetData.FloatLists("features", RunFiles.Features(640, 16), 16)]);
        var output = Train("--train", _folder["plain.parquet"], "--test", _folder["plain.parquet"]).Output;
        Assert.DoesNotContain("purity", output, StringComparison.Ordinal);
        Assert.Null(new RunFolder(_folder["run"]).ReadResults().Splits["test"].PurityBinary);
        AssertReport(_folder["run/report.html"], "run");
    }

    [Fact]
    public void Train_quiet_prints_only_the_table()
    {
        var output = Train("--train", RunFiles.Write(_folder), "--quiet").Output;
        Assert.DoesNotContain("step", output, StringComparison.Ordinal);
        Assert.Contains("R²", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_without_evaluation_reports_only_steps()
    {
        var output = Train("--train", RunFiles.Write(_folder), "--eval-every", "0", "--log-every", "7").Output;
        Assert.Equal(["7", "14"], LoggedStep().Matches(output).Select(match => match.Groups[1].Value));
        Assert.Empty(new RunFolder(_folder["run"]).ReadResults().Splits);
        Assert.False(File.Exists(_folder["run/evals.parquet"]));
        AssertReport(_folder["run/report.html"], "run");
    }

    [Fact]
    public void Demo_raises_MonoScore_and_purity_at_the_same_R2()
    {
        var output = _folder["demo"];
        Directory.CreateDirectory(Path.Combine(output, "baseline"));
        ParquetWriter.Write(
            Path.Combine(output, "train.parquet"),
            [ParquetData.Create("old", new float[1])],
            new ParquetWriterOptions { Metadata = new Dictionary<string, string> { ["monoloss.demo"] = "seed 1" } });
        foreach (var file in new[] { "cfg.json", "results.json", "notes.txt" })
        {
            File.WriteAllText(Path.Combine(output, "baseline", file), "of an earlier demo");
        }

        var printed = Monoloss.Run("demo", "--out", output, "--quiet").Succeeded().Output;
        Assert.Contains("MonoScore", printed, StringComparison.Ordinal);
        var baseline = new RunFolder(Path.Combine(output, "baseline")).ReadResults().Splits["test"];
        var mono = new RunFolder(Path.Combine(output, "monoloss")).ReadResults().Splits["test"];
        Assert.True(mono.MonoMean > baseline.MonoMean + 0.1, $"MonoScore {baseline.MonoMean} → {mono.MonoMean}");
        Assert.True(mono.PurityBinary > baseline.PurityBinary + 0.2, $"purity {baseline.PurityBinary} → {mono.PurityBinary}");
        Assert.True(Math.Abs(mono.R2 - baseline.R2) < 0.01, $"R² {baseline.R2} → {mono.R2}");
        Assert.Equal("of an earlier demo", File.ReadAllText(Path.Combine(output, "baseline", "notes.txt")));
        var report = Path.Combine(output, "report");
        Assert.Contains("<bdi>monoloss</bdi>", File.ReadAllText(Path.Combine(report, "index.html")), StringComparison.Ordinal);
        var covered = SamplesFile.Read(Path.Combine(report, "data", "1", "samples.parquet")).Select(sample => sample.Row).ToHashSet();
        covered.UnionWith(SamplesFile.Read(Path.Combine(report, "data", "0", "samples.parquet")).Select(sample => sample.Row));
        Assert.Equal(covered.Count, Directory.GetFiles(Path.Combine(report, "thumbs"), "*.webp", SearchOption.AllDirectories).Length);

        var ids = ParquetTable.Read(Path.Combine(output, "test.parquet")).ReadTexts("id");
        var images = ParquetTable.Read(Path.Combine(output, "images.parquet"));
        Assert.Equal(ids, images.ReadTexts("id"));
        Assert.Equal("seed 42", images.Metadata["monoloss.demo"]);
        var shown = ParquetTable.Read(new RunFolder(Path.Combine(output, "monoloss")).Samples).ReadTexts("id");
        Assert.Subset(ids.ToHashSet(), shown.ToHashSet());
    }

    [Fact]
    public void Demo_does_not_replace_files_it_did_not_write()
    {
        Directory.CreateDirectory(_folder["demo"]);
        var data = RunFiles.Write(_folder, "demo/train.parquet");
        var before = File.ReadAllBytes(data);
        Monoloss.Run("demo", "--out", _folder["demo"], "--quiet").Refused("train.parquet", "--out");
        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(data)));
        File.Move(data, _folder["demo/images.parquet"]);
        Monoloss.Run("demo", "--out", _folder["demo"], "--quiet").Refused("images.parquet", "--out");
        Assert.Equal(["images.parquet"], Directory.GetFiles(_folder["demo"]).Select(Path.GetFileName));
    }

    [GeneratedRegex(@"  step (\d+)  ")]
    private static partial Regex LoggedStep();

    [GeneratedRegex("<svg.*?</svg>", RegexOptions.Singleline)]
    private static partial Regex Svg();

    private static IReadOnlyList<string> Columns(string path) => ParquetTable.Read(path).Columns;

    /// <summary>Checks that a report is self-contained and its charts are well-formed XML.</summary>
    private static void AssertReport(string path, params string[] runs)
    {
        var html = File.ReadAllText(path);
        Assert.All(runs, run => Assert.Contains(run, html, StringComparison.Ordinal));
        Assert.DoesNotMatch(" src=", html);
        Assert.DoesNotMatch(" href=(?!\"#/)", html);
        Assert.DoesNotContain("NaN", html, StringComparison.Ordinal);
        Assert.All(Svg().Matches(html), svg => XElement.Parse(svg.Value));
        Assert.NotEmpty(Svg().Matches(html));
    }

    private Outcome Train(params string[] args)
    {
        var defaults = new[]
        {
            ("--out", _folder["run"]), ("--latents", "40"), ("--k", "4"), ("--batch-size", "64"), ("--lr", "1e-2"), ("--epochs", "2"),
            ("--threads", "2"),
        }.Where(option => !args.Contains(option.Item1)).SelectMany(option => new[] { option.Item1, option.Item2 });
        return Monoloss.Run(["train", .. defaults, .. args]).Succeeded();
    }
}
