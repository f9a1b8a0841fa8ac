using MonoLoss.Data.Parquet;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>Columns and labels through the command: what a run keeps, what is refused, and what is said.</summary>
public sealed class FeatureFileTests : IDisposable
{
    private const int Rows = 200;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Run_keeps_the_names_of_its_columns()
    {
        Write("train.parquet", "f0", "f1", "f2", "id");
        Write("other.parquet", "f0", "f1", "g2");
        Write("same.parquet", "f2", "f1", "f0");
        var train = Train("train.parquet", "--features-column", "f*,!f9*", "--test", _folder["same.parquet"]);
        Assert.Equal((0, ""), (train.Exit, train.Error));
        Assert.Equal(["f0", "f1", "f2"], new RunFolder(_folder["run"]).ReadConfig().Training!.FeatureNames!);
        Eval("same.parquet").Succeeded();
        Eval("other.parquet").Refused("other.parquet", "missing: f2", "the training set");
        Eval("other.parquet", "--features-column", "f0,f1,g2").Refused("missing: f2", "only here: g2");
        Directory.Delete(_folder["run"], recursive: true);
        Train("train.parquet", "--features-column", "f*", "--val", _folder["other.parquet"]).Refused("other.parquet", "missing: f2");
        Assert.False(Directory.Exists(_folder["run"]));
    }

    [Fact]
    public void Run_on_columns_is_resumed_on_the_same_columns()
    {
        Write("train.parquet", "f0", "f1", "f2");
        Train("train.parquet", "--features-column", "f*").Succeeded();
        Train("train.parquet", "--features-column", "f*", "--epochs", "2", "--resume", "--no-labels").Succeeded();
        Write("train.parquet", "f0", "f1", "f3");
        Train("train.parquet", "--features-column", "f*", "--epochs", "3", "--resume").Refused("run");
    }

    [Fact]
    public void Labels_that_cannot_be_used_do_not_stop_a_run()
    {
        Write("a.parquet", "f0", "f1");
        ParquetWriter.Write(_folder["b.parquet"],
        [
            ParquetData.Create("f0", Enumerable.Range(0, Rows).Select(i => (float)(i % 7)).ToArray()),
            ParquetData.Create("f1", Enumerable.Range(0, Rows).Select(i => (float)(i % 5)).ToArray()),
            ParquetData.Create("y", Enumerable.Range(0, Rows).Select(i => i / 3.0).ToArray()),
        ]);
        var train = Train("b.parquet", "--features-column", "f*", "--quiet");
        Assert.Equal(0, train.Exit);
        Assert.Contains("label column 'y', row 1: found a number that is not whole", train.Error, StringComparison.Ordinal);
        Assert.Contains("not used", train.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("purity", train.Output, StringComparison.Ordinal);
        Eval("b.parquet", "--no-labels").Succeeded();
        Eval("b.parquet", "--label-column", "y").Refused("b.parquet", "'y', row 1", "not whole");
        Eval("b.parquet", "--label-column", "y", "--no-labels").Refused("--no-labels", "--label-column");
    }

    [Fact]
    public void Column_of_ids_that_is_asked_for_is_counted()
    {
        ParquetWriter.Write(_folder["a.parquet"],
        [
            ParquetData.FloatLists("features", RunFiles.Features(Rows, 4), 4),
            ParquetData.Create("id", Enumerable.Range(0, Rows).Select(i => ulong.MaxValue - (ulong)i).ToArray()),
        ]);
        var train = Train("a.parquet", "--label-column", "id", "--quiet");
        Assert.Equal(0, train.Exit);
        Assert.Contains("200 classes for 200 rows", train.Error, StringComparison.Ordinal);
        var latents = ParquetTable.Read(_folder["run/latents.parquet"]);
        Assert.True(latents.IsText("dominant_label"));
        Assert.Contains(latents.ReadTexts("dominant_label"), label => label!.StartsWith("184467440737095", StringComparison.Ordinal));
    }

    [Fact]
    public void Names_of_classes_are_shown_and_their_numbers_kept()
    {
        const string Names = """{"info": {"features": {"label": {"names": ["<b>cat</b>", "猫"], "_type": "ClassLabel"}}}}""";
        ParquetWriter.Write(
            _folder["a.parquet"],
            [
                ParquetData.FloatLists("features", RunFiles.Features(Rows, 4), 4),
                ParquetData.Create("label", Enumerable.Range(0, Rows).Select(i => i / 3 % 3).ToArray()),
            ],
            new ParquetWriterOptions { Metadata = new Dictionary<string, string> { ["huggingface"] = Names } });
        Train("a.parquet").Succeeded();
        var latents = ParquetTable.Read(_folder["run/latents.parquet"]);
        // The third class has no name.
        string[] shown = ["<b>cat</b>", "猫", "2"];
        var labels = latents.ReadTexts("dominant_label");
        Assert.All(labels.OfType<string>(), label => Assert.Contains(label, shown));
        var file = ParquetFile.Open(_folder["run/latents.parquet"]);
        var numbers = new List<string?>();
        FlatColumn.ReadIntegers(file, file.FindColumn("dominant_label_number")!, 0, (n, isNull) => numbers.Add(isNull ? null : shown[n]));
        file.Dispose();
        Assert.Equal(labels, numbers);
        Assert.DoesNotContain("<b>cat", File.ReadAllText(_folder["run/report.html"]), StringComparison.Ordinal);
    }

    private Outcome Train(string file, params string[] args) => Monoloss.Run(
    [
        "train", "--train", _folder[file], "--out", _folder["run"], "--latents", "8", "-k", "2", "--batch-size", "50",
        .. args.Contains("--epochs") ? Array.Empty<string>() : ["--epochs", "1"], .. args,
    ]);

    private Outcome Eval(string file, params string[] args) =>
        Monoloss.Run(["eval", "--run", _folder["run"], "--data", _folder[file], .. args]);

    private void Write(string name, params string[] columns)
    {
        var values = RunFiles.Features(Rows, columns.Length);
        ParquetWriter.Write(_folder[name], [.. columns.Select((column, c) => ParquetData.Create(
            column, Enumerable.Range(0, Rows).Select(row => values[(row * columns.Length) + c]).ToArray()))]);
    }
}
