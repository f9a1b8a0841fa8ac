using System.Text.Json;
using MonoLoss.Data.Parquet;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>Compares the linear MonoScore with the pairwise one, and both with the official code.</summary>
public sealed class ScoreTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Score_gives_the_official_scores()
    {
        var golden = Golden.Open("monoscore");
        var (d, m) = (golden.Shape("embeddings")[1], golden.Shape("activations")[1]);
        var linear = Score("linear", golden.Floats("embeddings"), d, golden.Floats("activations"), m);
        var pairwise = Score("pairwise", golden.Floats("embeddings"), d, golden.Floats("activations"), m);
        AssertNear(Official(golden, "score_linear"), linear, 1e-6);
        AssertNear(Official(golden, "score_pairwise"), pairwise, 1e-6);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 3, 8)]
    [InlineData(57, 7, 8)]
    [InlineData(300, 33, 200)]
    public void Linear_and_pairwise_scores_are_equal(int rows, int d, int m)
    {
        var random = new Random(rows);
        var features = RunFiles.Features(rows, d);
        var activations = new float[rows * m];
        for (var i = 0; i < activations.Length; i++)
        {
            var (row, latent) = (i / m, i % m);
            activations[i] = (latent % 8) switch
            {
                0 => random.NextSingle(),
                1 => random.Next(10) == 0 ? random.NextSingle() : 0,
                2 => random.NextSingle() - 0.5f,
                3 => 0.7f,
                4 => 0,
                5 => row == rows / 2 ? 2.5f : 0,
                6 => random.Next(6) == 0 ? random.NextSingle() - 0.5f : 0,
                _ => -3 - random.NextSingle(),
            };
        }

        var linear = Score("linear", features, d, activations, m);
        AssertNear(Score("pairwise", features, d, activations, m), linear, 1e-5);
        AssertNear(PairwiseMonoScore.Compute(features, d, activations, m, stop: TestContext.Current.CancellationToken), linear, 1e-5);
        foreach (var latent in Enumerable.Range(0, m).Where(latent => latent % 8 is 3 or 4 or 5))
        {
            Assert.Equal(0, linear[latent]);
        }
    }

    [Fact]
    public void Chunks_of_rows_and_one_column_per_latent_give_the_same()
    {
        // 70 000 latents: 59 rows per chunk.
        const int Rows = 130, Dimension = 5, Latents = 70_000;
        var features = RunFiles.Features(Rows, Dimension);
        var activations = new float[Rows * Latents];
        var random = new Random(3);
        for (var n = 0; n < 20_000; n++)
        {
            activations[random.Next(activations.Length)] = random.NextSingle();
        }

        // The first column fires often, so that it has a score.
        for (var row = 0; row < Rows; row++)
        {
            activations[row * Latents] = random.NextSingle();
        }

        var scores = Score("linear", features, Dimension, activations, Latents);
        var pairwise = PairwiseMonoScore.Compute(features, Dimension, activations, Latents, stop: TestContext.Current.CancellationToken);
        AssertNear(pairwise, scores, 1e-5);
        Assert.NotEqual(0, scores[0]);

        ParquetWriter.Write(_folder["columns.parquet"], [.. Enumerable.Range(0, 3).Select(latent => ParquetData.Create(
            $"z{latent}", Enumerable.Range(0, Rows).Select(row => activations[(row * Latents) + latent]).ToArray()))]);
        Monoloss.Run(
            "score", "--features", _folder["features.parquet"], "--activations", _folder["columns.parquet"], "--activations-column", "z*",
            "--out", _folder["scores.parquet"]).Succeeded();
        Assert.Equal(scores[..3], ReadScores());

        Monoloss.Run(
            "score", "--features", _folder["features.parquet"], "--activations", _folder["columns.parquet"], "--activations-column", "z*",
            "--out", _folder["scores.json"]).Succeeded();
        using var json = JsonDocument.Parse(File.ReadAllText(_folder["scores.json"]));
        Assert.Equal(Rows, json.RootElement.GetProperty("rows").GetInt64());
        Assert.Equal(3, json.RootElement.GetProperty("latents").GetInt32());
        Assert.Equal(scores[..3].Average(), json.RootElement.GetProperty("mono_mean").GetDouble());
        Assert.Equal(scores[..3].Order().ElementAt(1), json.RootElement.GetProperty("mono_median").GetDouble());
    }

    [Fact]
    public void Results_never_replace_what_they_are_computed_from()
    {
        var data = RunFiles.Write(_folder);
        var before = File.ReadAllBytes(data);
        Monoloss.Run("score", "--features", data, "--activations", data, "--out", data).Refused("--out", "features.parquet");
        Monoloss.Run("score", "--features", data, "--activations", data, "--out", _folder["absent/scores.json"])
            .Refused("scores.json", "no such folder");
        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(data)));
    }

    private static double[] Official(Golden golden, string name) => golden.Shape(name).Length == 1 && golden.TypeOf(name) == "F64"
        ? golden.Doubles(name)
        : Array.ConvertAll(golden.Floats(name), value => (double)value);

    private static void AssertNear(double[] expected, double[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"latent {i}: {actual[i]} is not {expected[i]}");
        }
    }

    private double[] Score(string method, float[] features, int d, float[] activations, int m)
    {
        RunFiles.Write(_folder["features.parquet"], features, d);
        ParquetWriter.Write(_folder["activations.parquet"], [ParquetData.FloatLists("activations", activations, m)]);
        Monoloss.Run(
            "score", "--features", _folder["features.parquet"], "--activations", _folder["activations.parquet"], "--method", method,
            "--out", _folder["scores.parquet"], "--threads", "2").Succeeded();
        return ReadScores();
    }

    private double[] ReadScores() => ParquetTable.Read(_folder["scores.parquet"]).ReadDoubles("mono_score");
}
