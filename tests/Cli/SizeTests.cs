using System.Diagnostics;
using MonoLoss.Data.Parquet;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>The smallest and the largest of everything: it works in bounded memory.</summary>
public sealed class SizeTests : IDisposable
{
    private const long MiB = 1 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("batch_topk", 1, 1)]
    [InlineData("topk", 1, 1)]
    [InlineData("jumprelu", 1, 1)]
    [InlineData("vanilla", 1, 1)]
    [InlineData("batch_topk", 1, 8)]
    [InlineData("topk", 5, 1)]
    [InlineData("jumprelu", 5, 1)]
    [InlineData("vanilla", 1, 8)]
    [InlineData("matryoshka", 1, 16)]
    [InlineData("gated", 1, 1)]
    [InlineData("gated", 1, 8)]
    public void One_latent_and_one_dimension_train(string model, int dimension, int latents)
    {
        var data = RunFiles.Write(_folder["x.parquet"], RunFiles.Features(200, dimension), dimension);
        Monoloss.Run(
            "train", "--train", data, "--test", data, "--out", _folder["run"], "--model", model, "--latents", $"{latents}", "-k", "1",
            "--batch-size", "20", "--epochs", "2", "--mono-coef", "0.01").Succeeded();
        Monoloss.Run("eval", "--run", _folder["run"], "--data", data).Succeeded();
    }

    [Theory]
    [Trait("Speed", "Slow")]
    [InlineData("batch_topk")]
    [InlineData("topk")]
    [InlineData("jumprelu")]
    [InlineData("vanilla")]
    [InlineData("matryoshka")]
    [InlineData("gated")]
    public void Many_latents_train(string model)
    {
        const int Latents = 65536;
        var data = RunFiles.Write(_folder["x.parquet"], RunFiles.Features(512, 32), 32);
        var (outcome, peak) = Measure(
            "train", "--train", data, "--test", data, "--out", _folder["run"], "--model", model, "--latents", $"{Latents}", "-k", "16",
            "--batch-size", "128", "--epochs", "1", "--mono-coef", "0.01");
        outcome.Succeeded();
        Assert.Equal(Latents, ParquetTable.Read(Path.Combine(_folder["run"], "latents.parquet")).Rows);
        // Weights, gradients and moments take 67 MB; where half of the latents are active, a batch has 4 million activations (with gates
        // twice as many), and samples are drawn from 9·18 rows of each latent at 24 bytes: 283 MB.
        Assert.InRange(peak, 0, (model == "gated" ? 1536 : 1280) * MiB);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public void Row_group_of_a_million_rows_is_streamed()
    {
        const int Dimension = 768;
        const int Rows = 1_000_000;
        const int RowsPerPage = 341;
        var random = new Random(3);
        var table = Enumerable.Range(0, RowsPerPage * Dimension).Select(_ => random.NextSingle() - 0.5f).ToArray();
        StreamedParquet.Write(_folder["x.parquet"], Rows, Dimension, RowsPerPage, (_, floats) =>
        {
            table.AsSpan(0, floats.Length).CopyTo(floats);
            floats[0] = random.NextSingle();
        });
        var (outcome, peak) = Measure(
            "train", "--train", _folder["x.parquet"], "--out", _folder["run"], "--latents", "64", "-k", "4", "--batch-size", "4096",
            "--epochs", "1", "--eval-every", "0", "--memory", "256M");
        Assert.Contains("1,000,000 rows (training set streamed)", outcome.Succeeded().Output, StringComparison.Ordinal);
        Assert.Equal(Rows / 4096, RunFiles.Steps(_folder["run"]).Count());
        Assert.InRange(peak, 0, 640 * MiB);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public void A_hundred_thousand_files_train()
    {
        const int Files = 100_000;
        var one = File.ReadAllBytes(RunFiles.Write(_folder["one.parquet"], RunFiles.Features(2, 4), 4));
        Directory.CreateDirectory(_folder["many"]);
        for (var i = 0; i < Files; i++)
        {
            File.WriteAllBytes(Path.Combine(_folder["many"], $"part-{i:000000}.parquet"), one);
        }

        var (outcome, peak) = Measure(
            "train", "--train", _folder["many"], "--out", _folder["run"], "--latents", "16", "-k", "2", "--batch-size", "1000",
            "--epochs", "1", "--eval-every", "0");
        Assert.Contains("200,000 rows", outcome.Succeeded().Output, StringComparison.Ordinal);
        Assert.InRange(peak, 0, 1024 * MiB);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public void A_million_classes_are_counted_or_left_out()
    {
        const int Rows = 1_000_000;
        ParquetWriter.Write(
            _folder["x.parquet"],
            [
                ParquetData.FloatLists("features", RunFiles.Features(Rows, 4), 4),
                ParquetData.Create("label", Enumerable.Range(0, Rows).Select(i => (long)i).ToArray()),
            ]);
        var (outcome, peak) = Measure(
            "train", "--train", _folder["x.parquet"], "--out", _folder["run"], "--latents", "4096", "-k", "4", "--batch-size", "4096",
            "--epochs", "1");
        Assert.Equal(0, outcome.Exit);
        Assert.Contains("label", outcome.Output + outcome.Error, StringComparison.Ordinal);
        Assert.InRange(peak, 0, 1536 * MiB);
    }

    /// <summary>Runs the program in a process of its own and measures its memory.</summary>
    private static (Outcome Outcome, long PeakBytes) Measure(params string[] args)
    {
        using var process = Monoloss.Start(shell: null, args);
        var outcome = Task.Run(() => Monoloss.Finish(process));
        var peak = 0L;
        while (!outcome.Wait(TimeSpan.FromMilliseconds(20)))
        {
            peak = Math.Max(peak, Peak(process));
        }

        return (outcome.Result, peak);
    }

    private static long Peak(Process process)
    {
        try
        {
            process.Refresh();
            return process.PeakWorkingSet64;
        }
        catch (InvalidOperationException)
        {
            // It has just ended.
            return 0;
        }
    }
}
