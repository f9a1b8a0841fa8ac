using MonoLoss.Cli;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>samples.parquet against a sort of what encode writes.</summary>
public sealed class SamplesTests : IDisposable
{
    private const int Rows = 640;
    private const int Dimension = 16;
    private const int Latents = 40;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("batch_topk", "texts")]
    [InlineData("jumprelu", "integers")]
    [InlineData("vanilla", "none")]
    [InlineData("gated", "none")]
    public void Top_and_bottom_are_those_of_a_sort_of_encode(string model, string kind)
    {
        const int Count = 3;
        var data = Write("features.parquet", kind);
        var run = Train(data, "--model", model, "--samples", $"{Count}");
        Run("encode", "--run", run, "--data", data, "--select", "batch", "--out", _folder["z.parquet"]);
        var table = ParquetTable.Read(Path.Combine(run, "samples.parquet"));
        var latent = table.ReadIntegers("latent");
        var rank = table.ReadTexts("rank");
        var row = table.ReadIntegers("row");
        var activation = table.ReadDoubles("activation");
        var found = Enumerable.Range(0, latent.Length)
            .Select(i => (Latent: (int)latent[i], Rank: rank[i]!, Row: (int)row[i], Z: (float)activation[i])).ToList();
        var expected = Encoded(_folder["z.parquet"]);
        for (var m = 0; m < Latents; m++)
        {
            var fires = expected.Where(entry => entry.Latent == m).ToList();
            var top = fires.OrderByDescending(entry => entry.Z).ThenBy(entry => entry.Row).Take(Count).ToList();
            var bottom = fires.OrderBy(entry => entry.Z).ThenBy(entry => entry.Row).Take(Count).Except(top)
                .OrderByDescending(entry => entry.Z).ThenBy(entry => entry.Row);
            Assert.Equal(top, Of("top", m));
            Assert.Equal(bottom, Of("bottom", m));
            Assert.Subset(fires.ToHashSet(), Of("middle", m).ToHashSet());
            Assert.Equal(Math.Min(fires.Count, 3 * Count), found.Count(sample => sample.Latent == m));
        }

        List<(int Latent, int Row, float Z)> Of(string name, int m) =>
            [.. found.Where(sample => sample.Latent == m && sample.Rank == name).Select(sample => (sample.Latent, sample.Row, sample.Z))];

        // Ids and labels are those of the rows.
        Assert.Equal(kind == "none" ? [] : ["id", "label"], table.Columns.Intersect(["id", "label"]));
        if (kind == "texts")
        {
            Assert.Equal(row.Select(Id), table.ReadTexts("id"));
            Assert.Equal(row.Select(Label), table.ReadTexts("label"));
        }
        else if (kind == "integers")
        {
            Assert.Equal(row.Select(i => 1000 - i), table.ReadIntegers("id"));
            Assert.Equal(row.Select(i => i % 5), table.ReadIntegers("label"));
        }

        // The evaluation of the same data gives the same file.
        var before = File.ReadAllBytes(Path.Combine(run, "samples.parquet"));
        string[] eval = ["eval", "--run", run, "--data", data, "--samples", $"{Count}"];
        Run([.. eval, "--samples-out", _folder["again.parquet"]]);
        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(_folder["again.parquet"])));
        File.Delete(Path.Combine(run, "samples.parquet"));
        Run(eval);
        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(run, "samples.parquet"))));
    }

    [Fact]
    public void Samples_are_of_the_last_evaluation_of_the_run()
    {
        var data = Write("features.parquet", "texts");
        var run = Train(data, "--samples", "2");
        var samples = Path.Combine(run, "samples.parquet");
        var two = File.ReadAllBytes(samples);

        // Another number evaluates anew and changes nothing else; none leaves no file.
        Train(data, "--samples", "4", "--resume");
        Assert.True(ParquetTable.Read(samples).Rows > 2 * 3 * Latents);
        Train(data, "--samples", "2", "--resume");
        Assert.True(two.AsSpan().SequenceEqual(File.ReadAllBytes(samples)));
        Train(data, "--samples", "0", "--resume");
        Assert.False(File.Exists(samples));
        Train(data, "--samples", "0", "--eval-every", "0", "--resume");
    }

    [Fact]
    public void Ids_that_only_some_files_have_are_left_out_with_a_notice()
    {
        Write("1.parquet", "texts");
        Write("2.parquet", "none");
        var run = Monoloss.Run(
            "train", "--train", _folder["1.parquet"], _folder["2.parquet"], "--no-labels", "--out", _folder["run"], "--latents", "40",
            "--k", "4", "--batch-size", "64", "--epochs", "1", "--threads", "2");
        Assert.Equal(ExitCode.Success, run.Exit);
        Assert.Contains("samples are without ids", run.Output + run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("id", ParquetTable.Read(_folder["run/samples.parquet"]).Columns);
    }

    [Fact]
    public void Samples_of_patches_have_their_positions()
    {
        // As extract --token patches writes them: an image's id in each of its rows, and special tokens below 0.
        const int Patches = 9;
        var data = _folder["patches.parquet"];
        ParquetWriter.Write(
            data,
            [
                ParquetData.Create("id", [.. Enumerable.Range(0, Rows).Select(row => Id(row / Patches))]),
                ParquetData.Create("position", Enumerable.Range(0, Rows).Select(row => (row % Patches) - 1).ToArray()),
                ParquetData.FloatLists("features", RunFiles.Features(Rows, Dimension), Dimension),
            ],
            new ParquetWriterOptions { RowGroupRows = 100 });
        var table = ParquetTable.Read(Path.Combine(Train(data), "samples.parquet"));
        var row = table.ReadIntegers("row");
        Assert.NotEmpty(row);
        Assert.Equal(["latent", "rank", "row", "id", "position", "activation"], table.Columns);
        Assert.Equal(row.Select(i => Id(i / Patches)), table.ReadTexts("id"));
        Assert.Equal(row.Select(i => (i % Patches) - 1), table.ReadIntegers("position"));
    }

    [Fact]
    public void Texts_are_no_positions()
    {
        var data = _folder["texts.parquet"];
        ParquetWriter.Write(
            data,
            [
                ParquetData.Create("Image_ID", Enumerable.Range(0, Rows).ToArray()),
                ParquetData.Create("position", [.. Enumerable.Range(0, Rows).Select(row => Id(row))]),
                ParquetData.FloatLists("features", RunFiles.Features(Rows, Dimension), Dimension),
            ]);
        var table = ParquetTable.Read(Path.Combine(Train(data), "samples.parquet"));
        Assert.Equal(["latent", "rank", "row", "id", "activation"], table.Columns);
        Assert.Equal(table.ReadIntegers("row"), table.ReadIntegers("id"));
    }

    [Fact]
    public void A_model_that_never_fires_has_no_samples()
    {
        var samples = new LatentSamples(3, 2);
        samples.Add([0, 0], [], []);
        var set = FeatureSet.Open(Write("features.parquet", "texts"));
        Assert.Null(SamplesFile.Write(_folder["samples.parquet"], samples, set));
        Assert.Equal(0, ParquetTable.Read(_folder["samples.parquet"]).Rows);
    }

    [Fact]
    public void Options_that_make_no_sense_are_refused()
    {
        var data = Write("features.parquet", "integers");
        var run = Train(data);
        string[] eval = ["eval", "--run", run, "--data", data];
        Monoloss.Run([.. eval, "--samples", "-1"]).Refused("--samples");
        Monoloss.Run([.. eval, "--samples", "1001"]).Refused("--samples", "1000");
        Monoloss.Run([.. eval, "--samples-out", _folder["x.parquet"]]).Refused("--samples-out", "--samples N");
        Monoloss.Run([.. eval, "--samples", "2", "--samples-out", _folder["x.csv"]]).Refused("--samples-out", ".parquet");
        Monoloss.Run([.. eval, "--samples", "2", "--samples-out", data]).Refused("--samples-out", data);
        Monoloss.Run([.. eval, "--samples", "2", "--samples-out", Path.Combine(run, "latents.parquet")]).Refused("--samples-out");
        Monoloss.Run([.. eval, "--samples", "2", "--out", _folder["x.parquet"], "--samples-out", _folder["x.parquet"]])
            .Refused("--samples-out");
        Monoloss.Run("train", "--train", data, "--out", _folder["other"], "--samples", "1001").Refused("--samples", "1000");
        using var claim = new RunLock(run);
        claim.ClaimExisting();
        Monoloss.Run([.. eval, "--samples", "2"]).Refused("in use");
        Run([.. eval, "--samples", "2", "--samples-out", _folder["x.parquet"]]);
    }

    /// <summary>Runs a command, which may say that rows lack a label.</summary>
    private static void Run(params string[] args)
    {
        var outcome = Monoloss.Run(args);
        Assert.True(outcome.Exit == ExitCode.Success, outcome.Error);
    }

    private static string Id(long row) => $"images/{row}.png";

    private static string? Label(long row) => row % 7 == 0 ? null : $"class {row % 3}";

    private static List<(int Latent, int Row, float Z)> Encoded(string path)
    {
        using var reader = new LatentsReader(path, Latents);
        var all = new List<(int, int, float)>();
        var start = 0;
        foreach (var group in reader.Read())
        {
            for (var row = 0; row < group.Rows; row++)
            {
                for (var i = group.Offsets[row]; i < group.Offsets[row + 1]; i++)
                {
                    all.Add((group.Indices[i], start + row, group.Values[i]));
                }
            }

            start += group.Rows;
        }

        return all;
    }

    private string Write(string name, string kind)
    {
        List<ParquetData> columns = [ParquetData.FloatLists("features", RunFiles.Features(Rows, Dimension), Dimension)];
        var rows = Enumerable.Range(0, Rows).Select(row => (long)row).ToArray();
        columns.AddRange(kind switch
        {
            "texts" =>
            [
                ParquetData.Create("id", [.. rows.Select(Id)]),
                ParquetData.Create("label", [.. rows.Select(Label)], nullable: true),
            ],
            "integers" =>
            [
                ParquetData.Create("id", Array.ConvertAll(rows, row => 1000 - row)),
                ParquetData.Create("label", Array.ConvertAll(rows, row => row % 5)),
            ],
            _ => [],
        });
        ParquetWriter.Write(_folder[name], columns, new ParquetWriterOptions { RowGroupRows = 100 });
        return _folder[name];
    }

    private string Train(string data, params string[] args)
    {
        Run(
        [
            "train", "--train", data, "--out", _folder["run"], "--latents", $"{Latents}", "--k", "4", "--batch-size", "64", "--lr", "1e-2",
            "--epochs", "2", "--threads", "2",
            .. args,
        ]);
        return _folder["run"];
    }
}
