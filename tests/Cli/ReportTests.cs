using System.Text.RegularExpressions;
using System.Xml.Linq;
using MonoLoss.Data.Parquet;
using MonoLoss.Models;
using MonoLoss.Tests.Data;
using MonoLoss.Tests.Vision;

namespace MonoLoss.Tests.Cli;

/// <summary>Reports made again from run folders, and what names and labels do to a page.</summary>
public sealed partial class ReportTests : IDisposable
{
    private const string HostileRun = "<b>{{body}} \u202E'&é";

    private static readonly string[] HostileLabels =
    [
        new('x', 5000), "<script>alert(1)</script>", "\u202Eabc", "שלום", string.Concat(Enumerable.Repeat("👩‍👩‍👧‍👦", 100)),
        "a\nb", "nul\0",
        "{{body}}", "&amp;\"'", string.Empty,
    ];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("integers")]
    [InlineData("texts")]
    [InlineData("none")]
    [InlineData("not evaluated")]
    public void The_report_of_a_run_is_written_again_to_the_byte(string kind)
    {
        var run = Train(HostileRun, Write(kind), kind == "not evaluated" ? ["--eval-every", "0"] : ["--mono-coef", "0.001"]);
        var report = Path.Combine(run, "report.html");
        var before = File.ReadAllText(report);
        File.Delete(report);
        Assert.Contains(report, Monoloss.Run("report", "--run", run).Succeeded().Output, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllText(report));
        Monoloss.Run("report", "--run", run, "--out", _folder["other.html"]).Succeeded();
        Assert.Equal(before, File.ReadAllText(_folder["other.html"]));
    }

    [Fact]
    public void Several_runs_are_side_by_side_as_in_the_demo()
    {
        var data = Write("texts");
        var first = Train("first", data, []);
        var second = Train("second", data, ["--mono-coef", "0.01"]);
        Monoloss.Run("report", "--run", first, second, "--out", _folder["both.html"]).Succeeded();
        Monoloss.Run("report", "--run", first, "--run", second, "--out", _folder["again.html"]).Succeeded();
        var html = File.ReadAllText(_folder["both.html"]);
        Assert.Equal(html, File.ReadAllText(_folder["again.html"]));
        Assert.Equal(4, Regex.Count(html, "<h3><bdi>(first|second)</bdi></h3>"));

        // Runs of the same name are told apart by their paths.
        Directory.Move(second, Directory.CreateDirectory(_folder["moved"]).FullName + "/first");
        Monoloss.Run("report", "--run", first, _folder["moved/first"], "--out", _folder["both.html"]).Succeeded();
        Assert.Contains($"<h3><bdi>{_folder["moved/first"]}</bdi></h3>", File.ReadAllText(_folder["both.html"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Schedules_are_shown_where_they_vary()
    {
        const string Charts = "<h3>(Learning rate|Coefficient of [a-zA-Z ]+|k)</h3>";
        var data = Write("none");
        var plain = Train("plain", data, ["--mono-coef", "0.01"]);
        var run = Train("run", data, [.. "--mono-coef 0.01 --lr-decay linear --mono-warmup 9 --k-start 6 --k-anneal 9".Split(' ')]);
        string[] Titles(string report) => [.. Regex.Matches(File.ReadAllText(report), Charts).Select(match => match.Groups[1].Value)];
        Assert.Empty(Titles(Path.Combine(plain, "report.html")));
        Assert.Equal(["Learning rate", "Coefficient of MonoLoss", "k"], Titles(Path.Combine(run, "report.html")));
        var jump = Train("jump", data, ["--model", "jumprelu", "--target-l0", "5", "--lr", "1e-2"]);
        Monoloss.Run("report", "--run", jump, run, "--out", _folder["both.html"]).Succeeded();
        Assert.Contains("Coefficient of the sparsity penalty", Titles(_folder["both.html"]));
        Assert.DoesNotContain("NaN", File.ReadAllText(_folder["both.html"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_and_labels_stay_text()
    {
        var html = File.ReadAllText(Path.Combine(Train(HostileRun, Write("texts"), []), "report.html"));
        Assert.Equal(3, Regex.Count(html, "<script"));
        Assert.Equal(3, Regex.Count(html, "</script"));
        Assert.DoesNotContain("<b>{{", html, StringComparison.Ordinal);
        Assert.DoesNotContain('\0', html);
        Assert.Contains("<h1><bdi>&lt;b&gt;{{body}} \u202E&#39;&amp;&#233;</bdi></h1>", html, StringComparison.Ordinal);
        Assert.All(Cell().Matches(html), cell => Assert.Matches("^(<span [^<>]*>)?<bdi>[^<>]*</bdi>(</span>)?$", cell.Groups[1].Value));
        Assert.All(Svg().Matches(html), svg => XElement.Parse(svg.Value));

        // What is shown of a long label is short.
        Assert.All(Regex.Matches(html, "<bdi>(x+…?)</bdi>"), label => Assert.True(label.Groups[1].Length <= 61, label.Value));
    }

    [Fact]
    public void A_folder_has_all_latents_on_the_last_split_or_on_other_features()
    {
        var data = Write("texts");
        var run = Train("run", data, ["--test", data]);
        Report(run, "--out", _folder["site"]).Succeeded();
        AssertSite(Path.Combine(run, "samples.parquet"));
        RunFiles.Write(_folder["other.parquet"], RunFiles.Features(300, 16, seed: 3), 16);
        Report(run, "--out", _folder["site"], "--data", _folder["other.parquet"], "--samples", "4").Succeeded();
        Monoloss.Run("eval", "--run", run, "--data", _folder["other.parquet"], "--samples", "4", "--samples-out", _folder["eval.parquet"])
            .Succeeded();
        AssertSite(_folder["eval.parquet"]);

        // Without its features a run is shown by its own files.
        File.Move(data, _folder["moved.parquet"]);
        var outcome = Report(run, "--out", _folder["site"]);
        Assert.Equal(0, outcome.Exit);
        Assert.Contains("test split cannot be read", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("samples:[[0,", File.ReadAllText(_folder["site/data/0/0000.js"]), StringComparison.Ordinal);

        void AssertSite(string samples)
        {
            Assert.Equal(["data", "index.html", "report.css", "report.js"],
                Directory.GetFileSystemEntries(_folder["site"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
            Assert.Equal(File.ReadAllBytes(samples), File.ReadAllBytes(_folder["site/data/0/samples.parquet"]));
            var chunk = File.ReadAllText(_folder["site/data/0/0000.js"]);
            Assert.Equal(40, Regex.Count(chunk, "histogram:"));
            Assert.Empty(Directory.GetDirectories(_folder.Path, "*.partial*"));
        }
    }

    [Fact]
    public void Reports_that_cannot_be_written_are_refused_and_nothing_is_lost()
    {
        var data = Write("integers");
        var run = Train("run", data, []);
        Directory.CreateDirectory(_folder["mine"]);
        File.WriteAllText(_folder["mine/notes.txt"], "mine");
        Report(run, "--out", _folder["mine"]).Refused("mine", "not of a report");
        Report(run, "--out", run).Refused("run");
        Report(run, "--out", data).Refused("features.parquet", "expected a folder");
        Report(run, "--out", _folder["mine/x.html"], "--data", _folder["mine/x.html"]).Refused("x.html");
        Report(run, "--out", _folder["site"], "--single").Refused("--single", ".html");
        Report(run, "--out", _folder["site"], "--best", "3").Refused("--best");
        Report(run, "--best", "0").Refused("--best");
        Report(run, "--out", _folder["site"], "--samples", "0").Refused("--samples");
        Report(run, "--thumbnail", "5").Refused("--thumbnail");
        Report(run, "--image-column", "x").Refused("--images");
        Report(run, "--out", _folder["site"], "--images", _folder["absent"]).Refused("absent");
        Report(run, "--out", _folder["site"], "--data", _folder["absent.parquet"]).Refused("absent.parquet");

        File.Copy(VisionFixtures.PathOf("wide.png"), _folder["mine/0.png"]);
        var other = Train("other", RunFiles.Write(_folder["other.parquet"], RunFiles.Features(300, 16), 16), []);
        Monoloss.Run("report", "--run", run, other, "--out", _folder["site"], "--images", _folder["mine"]).Refused("--data", "different");

        // An image for each row is wanted, and these are too few.
        Report(run, "--out", _folder["site"], "--images", _folder["mine"]).Refused("images is 1,", "rows 640");
        Assert.False(Directory.Exists(_folder["site"]));
        Report(run, "--out", _folder["site"]).Succeeded();
        var before = File.ReadAllText(_folder["site/index.html"]);
        Report(run, "--out", _folder["site"], "--images", _folder["mine"]).Refused("images is 1,", "rows 640");
        Assert.Equal(before, File.ReadAllText(_folder["site/index.html"]));
        Assert.Equal("mine", File.ReadAllText(_folder["mine/notes.txt"]));
        Assert.Empty(Directory.GetDirectories(_folder.Path, "*.partial*"));
    }

    [Fact]
    public void A_run_that_is_not_complete_is_refused()
    {
        var run = Train("run", Write("integers"), []);
        var results = File.ReadAllText(Path.Combine(run, "results.json"));
        File.WriteAllText(Path.Combine(run, "results.json"), results.Replace("\"steps\": 20", "\"steps\": 10", StringComparison.Ordinal));
        Monoloss.Run("report", "--run", run).Refused("metrics.parquet", "20", "10");
        foreach (var damaged in new[] { "", "{}", "[]", "{", "null", """{"model": 1}""", """{"splits": {"test": 1}}""",
            """{"steps": 1, "steps": 2}""", results.Replace("\"mse\":", "\"nmse\":", StringComparison.Ordinal), Null(results) })
        {
            File.WriteAllText(Path.Combine(run, "results.json"), damaged);
            Monoloss.Run("report", "--run", run).Refused("results.json");
        }

        File.Delete(Path.Combine(run, "results.json"));
        Monoloss.Run("report", "--run", run).Refused(run, "not complete");
        Monoloss.Run("report", "--run", _folder["absent"]).Refused("absent", "no run");
    }

    [Theory]
    [InlineData("batch_topk", "batch_top_k")]
    [InlineData("topk", "top_k")]
    [InlineData("jumprelu", "jump_re_lu")]
    [InlineData("vanilla", "vanilla")]
    public void Models_have_one_name_and_folders_of_version_0_1_are_read(string model, string former)
    {
        var data = Write("integers");
        var run = Train("run", data, ["--model", model]);
        foreach (var file in new[] { "cfg.json", "results.json" })
        {
            var path = Path.Combine(run, file);
            var json = File.ReadAllText(path);
            Assert.Contains($"\"architecture\": \"{model}\"", json, StringComparison.Ordinal);
            Assert.Contains(file == "cfg.json" ? "\"d_in\"" : "\"silent_latents\"", json, StringComparison.Ordinal);
            json = json.Replace($"\"{model}\"", $"\"{former}\"", StringComparison.Ordinal)
                .Replace("silent_latents", "dead_latents", StringComparison.Ordinal);
            // Some editors add a byte order mark.
            File.WriteAllText(path, json, new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        }

        var report = File.ReadAllText(Path.Combine(run, "report.html"));
        Assert.Contains($"<td><bdi>{model}</bdi></td>", report, StringComparison.Ordinal);
        Monoloss.Run("report", "--run", run).Succeeded();
        Assert.Equal(report, File.ReadAllText(Path.Combine(run, "report.html")));
        Monoloss.Run("eval", "--run", run, "--data", data).Succeeded();
    }

    [Fact]
    public void Evaluations_of_version_0_1_are_read()
    {
        var row = new EvaluationRow(2, "test", new EvaluationSummary(1, 2, 3, 4, 5, 6, 7, 8, null, null));
        MetricsFiles.WriteEvaluations(_folder["new.parquet"], [row]);
        var columns = ParquetTable.Read(_folder["new.parquet"]).Columns;
        Assert.Contains("silent_latents", columns);
        Assert.DoesNotContain("dead_latents", columns);
        ParquetWriter.Write(_folder["old.parquet"],
        [
            ParquetData.Create("epoch", new[] { 2 }), ParquetData.Create("split", new[] { "test" }), Doubles("mse", 1), Doubles("nmse", 2),
            Doubles("r2", 3), Doubles("l0", 4), ParquetData.Create("dead_latents", new[] { 5 }), Doubles("mono_mean", 6),
            Doubles("mono_median", 7), Doubles("mono_p90", 8), ParquetData.Create("purity_binary", new double?[] { null }),
            ParquetData.Create("purity_weighted", new double?[] { null }),
        ]);
        Assert.Equal([row], MetricsFiles.ReadEvaluations(_folder["new.parquet"]));
        Assert.Equal([row], MetricsFiles.ReadEvaluations(_folder["old.parquet"]));
    }

    [Fact]
    public void A_dataset_config_may_have_a_byte_order_mark()
    {
        Write("integers");
        const string Json = """{"train_path": "features.parquet"}""";
        foreach (var encoding in new System.Text.Encoding[] { new System.Text.UTF8Encoding(true), System.Text.Encoding.Unicode })
        {
            File.WriteAllText(_folder["data.json"], Json, encoding);
            Monoloss.Run("train", "--dataset-config", _folder["data.json"], "--out", _folder["run"], "--latents", "41", "--k", "50")
                .Refused("--k 50");
            Assert.Equal("features.parquet", Path.GetFileName(MonoLoss.Data.DatasetConfig.Load(_folder["data.json"]).Train.Single()));
        }
    }

    private static Outcome Report(string run, params string[] args) => Monoloss.Run(["report", "--run", run, .. args]);

    private static string Null(string results)
    {
        var json = System.Text.Json.Nodes.JsonNode.Parse(results)!;
        json["splits"]!["train"] = null;
        return json.ToJsonString();
    }

    [GeneratedRegex("<td class=\"text\">(.*?)</td>", RegexOptions.Singleline)]
    private static partial Regex Cell();

    [GeneratedRegex("<svg.*?</svg>", RegexOptions.Singleline)]
    private static partial Regex Svg();

    private static ParquetData Doubles(string name, double value) => ParquetData.Create(name, new[] { value });

    /// <summary>Writes 640 rows of 16 floats with labels of a kind.</summary>
    private string Write(string kind)
    {
        if (kind is not ("texts" or "none"))
        {
            return RunFiles.Write(_folder);
        }

        var features = ParquetData.FloatLists("features", RunFiles.Features(640, 16), 16);
        var labels = Enumerable.Range(0, 640).Select(i => HostileLabels[i % HostileLabels.Length]).ToArray();
        ParquetWriter.Write(_folder["features.parquet"], kind == "texts" ? [features, ParquetData.Create("label", labels)] : [features]);
        return _folder["features.parquet"];
    }

    private string Train(string name, string data, string[] args)
    {
        Monoloss.Run(
        [
            "train", "--train", data, "--out", _folder[name], "--latents", "40", "--k", "4", "--batch-size", "64",
            "--epochs", "2", "--threads", "2",
            .. args.Contains("--lr") ? Array.Empty<string>() : ["--lr", "1e-2"],
            .. args,
        ]).Succeeded();
        return _folder[name];
    }
}
