using MonoLoss.Autodiff;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>Latents and features as files: the same as the library gives, and back.</summary>
public sealed class EncodeTests : IDisposable
{
    private const int Dimension = 16;
    private const int Latents = 40;

    private readonly TempFolder _folder = new();

    public static TheoryData<string> ForeignFolders =>
    [
        "saelens/standard", "saelens/topk_rescale", "saelens/batchtopk_training", "saelens/standard_constant_norm", "saelens/jumprelu",
        "saelens/expected_average_checkpoint", "sparsify/groupmax/layers.3", "dictionary_learning/matryoshka/trainer_0",
        "saev/topk_schema5",
        "monoloss_official/topk", "monoloss_official/jumprelu",
    ];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("batch_topk", "--normalize")]
    [InlineData("topk", "--untied")]
    [InlineData("jumprelu", "--normalize")]
    [InlineData("vanilla", "--quiet")]
    [InlineData("matryoshka", "--groups=0.2,0.3,0.5")]
    [InlineData("gated", "--normalize")]
    public void Encoded_latents_are_the_models_and_decode_to_its_reconstruction(string model, string option)
    {
        var features = RunFiles.Features(300, Dimension).Select(value => 7 * value).ToArray();
        var data = RunFiles.Write(_folder["x.parquet"], features, Dimension, rowGroupRows: 70);
        Monoloss.Run(
            "train", "--train", data, "--out", _folder["run"], "--model", model, "--latents", $"{Latents}", "-k", "4", "--batch-size", "50",
            "--epochs", "3", "--lr", "1e-2", "--bandwidth", "0.1", "--mono-coef", "0.01", option).Succeeded();
        Monoloss.Run(
            "encode", "--run", _folder["run"], "--data", data, "--out", _folder["z.parquet"], "--reconstruction", _folder["r.parquet"],
            "--batch-size", "64").Succeeded();
        Monoloss.Run(
            "decode", "--run", _folder["run"], "--latents", _folder["z.parquet"], "--out", _folder["d.parquet"]).Succeeded();

        var expected = EncodeByLibrary(_folder["run"], data, byThreshold: model is "batch_topk" or "matryoshka");
        Assert.Equal(expected.Latents, ReadLatents(_folder["z.parquet"], Latents));
        var reconstruction = ReadRows(_folder["r.parquet"]);
        AssertNear(expected.Reconstruction, reconstruction, 1e-5f);
        AssertNear(reconstruction, ReadRows(_folder["d.parquet"]), 2e-6f);
        Assert.Equal(
            Enumerable.Range(0, 300).Select(row => (long)(row % 5)), ParquetTable.Read(_folder["z.parquet"]).ReadIntegers("label"));
    }

    [SharedDataTheory]
    [MemberData(nameof(ForeignFolders))]
    public void Folders_of_other_tools_encode_to_those_tools_latents(string name)
    {
        var source = SharedData.File(["interop", .. name.Split('/')]);
        using var io = SafetensorsFile.Open(Path.Combine(source, "io.safetensors"));
        var x = io.ReadFloats(io.Contains("x_raw") ? "x_raw" : "x");
        ParquetWriter.Write(_folder["x.parquet"], [ParquetData.FloatLists("features", x, 24)]);
        Monoloss.Run(
            "encode", "--run", source, "--data", _folder["x.parquet"], "--out", _folder["z.parquet"], "--select", "batch").Succeeded();
        var expected = io.ReadFloats(io.Contains("latents_scaled") ? "latents_scaled" : "latents");
        var largest = expected.Where(float.IsFinite).Max(Math.Abs);
        var actual = ReadLatents(_folder["z.parquet"], 96);
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.True(
            float.IsNaN(pair.First) || Math.Abs(pair.First - pair.Second) <= 2e-6f * largest, $"{pair.Second}, expected {pair.First}"));
    }

    [Fact]
    public void Similarity_column_trains_as_the_official_code_with_other_embeddings()
    {
        var golden = Golden.Open("batch_topk_similarity_mono");
        var (d, m, batch) = (golden.Integer("d"), golden.Integer("latents"), golden.Integer("batch"));
        var similarity = golden.Floats("similarity");
        ParquetWriter.Write(
            _folder["x.parquet"],
            [
                ParquetData.FloatLists("features", golden.Floats("batches"), d),
                ParquetData.FloatLists("clip", similarity, similarity.Length / (golden.Integer("steps") * batch)),
            ],
            new ParquetWriterOptions { RowGroupRows = 50 });
        Directory.CreateDirectory(_folder["init"]);
        File.WriteAllText(
            Path.Combine(_folder["init"], "cfg.json"), $$"""{"architecture": "standard", "d_in": {{d}}, "d_sae": {{m}}}""");
        SafetensorsWriter.Write(Path.Combine(_folder["init"], "sae_weights.safetensors"),
        [
            SafeTensor.Create("W_enc", [d, m], golden.Floats("init.W_enc")), SafeTensor.Create("b_enc", [m], golden.Floats("init.b_enc")),
            SafeTensor.Create("W_dec", [m, d], golden.Floats("init.W_dec")), SafeTensor.Create("b_dec", [d], golden.Floats("init.b_dec")),
        ]);
        foreach (var memory in new[] { "1G", "4K" })
        {
            Monoloss.Run(
                "train", "--train", _folder["x.parquet"], "--features-column", "features", "--similarity-column", "clip", "--rows", "unit",
                "--init", _folder["init"], "--out", _folder[memory], "--no-shuffle", "--epochs", "1", "--latents", $"{m}",
                "-k", golden.Setting("k"), "--batch-size", $"{batch}", "--lr", golden.Setting("lr"),
                "--adam-eps", golden.Setting("adam_eps"),
                "--aux-k", golden.Setting("aux_k"), "--aux-coef", golden.Setting("aux_coef"), "--mono-coef", golden.Setting("mono_coef"),
                "--max-grad-norm", golden.Setting("max_grad_norm"), "--dead-after", $"{golden.Integer("dead_after_batches") * batch}",
                "--memory", memory).Succeeded();
            var losses = golden.Doubles("step.loss");
            Assert.All(RunFiles.Steps(_folder[memory]).Zip(losses), pair =>
                Assert.True(Math.Abs(pair.First.Loss - pair.Second) <= 2e-5 * Math.Abs(pair.Second), $"{pair}"));
            Assert.Equal(losses.Length, RunFiles.Steps(_folder[memory]).Count());
        }
    }

    [Fact]
    public void Latents_that_cannot_be_decoded_are_refused()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(
            "train", "--train", data, "--out", _folder["run"], "--latents", $"{Latents}", "-k", "4", "--batch-size", "64", "--epochs", "1")
            .Succeeded();
        void Refused(string[] words, params ParquetData[] columns)
        {
            ParquetWriter.Write(_folder["bad.parquet"], columns);
            Monoloss.Run("decode", "--run", _folder["run"], "--latents", _folder["bad.parquet"], "--out", _folder["d.parquet"])
                .Refused(["bad.parquet", .. words]);
            Assert.False(File.Exists(_folder["d.parquet"]));
        }

        ParquetData Indices(params int[] indices) => ParquetData.IntegerLists("indices", indices, [0, indices.Length]);
        ParquetData Values(params float[] values) => ParquetData.FloatLists("values", values, [0, values.Length]);
        var scale = ParquetData.Create("scale", [2.0]);
        Refused(["row 0", "index 40"], Indices(3, 40), Values(1, 1), scale);
        Refused(["row 0", "latent 3 twice"], Indices(3, 3), Values(1, 1), scale);
        Refused(["row 0", "2 indices, but 1 values"], Indices(3, 4), Values(1), scale);
        Refused(["row 0", "latent 3"], Indices(3), Values(float.NaN), scale);
        Refused(["'scale'"], Indices(3), Values(1));
        Refused(["'values'"], Indices(3), scale);
        Refused(["row 0", "'scale'"], Indices(3), Values(1), ParquetData.Create("scale", [double.NaN]));
    }

    [Fact]
    public void Undefined_scores_are_zero_or_left_out()
    {
        // Latent 1 fires once, so that no pair of rows carries weight.
        var features = RunFiles.Features(50, 4);
        var activations = Enumerable.Range(0, 100).Select(i => i % 2 == 0 ? (i / 2 % 3) : i == 31 ? 1f : 0f).ToArray();
        ParquetWriter.Write(_folder["x.parquet"], [ParquetData.FloatLists("features", features, 4)]);
        ParquetWriter.Write(_folder["z.parquet"], [ParquetData.FloatLists("latents", activations, 2)]);
        foreach (var method in new[] { "linear", "pairwise" })
        {
            double[] Scores(string undefined)
            {
                Monoloss.Run(
                    "score", "--features", _folder["x.parquet"], "--activations", _folder["z.parquet"], "--method", method,
                    "--undefined", undefined, "--out", _folder["s.parquet"]).Succeeded();
                return ParquetTable.Read(_folder["s.parquet"]).ReadDoubles("mono_score");
            }

            var (zero, nan) = (Scores("zero"), Scores("nan"));
            Assert.Equal(zero[0], nan[0]);
            Assert.Equal(0, zero[1]);
            Assert.Equal(double.NaN, nan[1]);
        }
    }

    private static (float[] Latents, float[] Reconstruction) EncodeByLibrary(string run, string data, bool byThreshold)
    {
        using var device = DeviceFactory.Open("cpu");
        using var model = ModelSource.Open(run).Load(device);
        model.SelectsByThreshold = byThreshold;
        var raw = FeatureSet.Open(data, new FeatureSetOptions { Normalize = false });
        using var unit = FeatureSet.Open(data).ReadAll();
        using var all = raw.ReadAll();
        using var tape = new Tape(device);
        using var x = device.Tensor((int)raw.Rows, raw.Dimension).Set(unit.Slice(0, (int)unit.Count));
        var encoding = model.Encode(tape, x);
        var reconstruction = model.Reconstruct(tape, encoding).Value.ToArray();
        for (var row = 0; row < raw.Rows; row++)
        {
            var length = Math.Sqrt(all.Slice(row * Dimension, Dimension).ToArray().Sum(value => (double)value * value)) + 1e-8;
            for (var i = row * Dimension; i < (row + 1) * Dimension; i++)
            {
                reconstruction[i] = (float)(reconstruction[i] * length);
            }
        }

        return (encoding.Latents.Value.ToDense(), reconstruction);
    }

    private static float[] ReadLatents(string path, int latents)
    {
        using var reader = new LatentsReader(path, latents);
        var dense = new List<float>();
        foreach (var group in reader.Read())
        {
            var rows = new float[group.Rows * latents];
            for (var row = 0; row < group.Rows; row++)
            {
                for (var i = group.Offsets[row]; i < group.Offsets[row + 1]; i++)
                {
                    rows[(row * latents) + group.Indices[i]] = group.Values[i];
                }
            }

            dense.AddRange(rows);
        }

        return [.. dense];
    }

    private static float[] ReadRows(string path)
    {
        using var rows = FeatureSet.Open(path, new FeatureSetOptions { Normalize = false }).ReadAll();
        return rows.Slice(0, (int)rows.Count).ToArray();
    }

    private static void AssertNear(float[] expected, float[] actual, float tolerance)
    {
        var largest = expected.Max(Math.Abs);
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= tolerance * largest));
    }
}
