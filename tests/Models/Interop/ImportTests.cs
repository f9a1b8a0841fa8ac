using System.Text.Json.Nodes;
using MonoLoss.Autodiff;
using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Models;

/// <summary>Autoencoders that other tools wrote give those tools' latents and reconstructions.</summary>
public sealed class ImportTests
{
    // Relative to the largest value; the folders' page states what was measured.
    private const float Tolerance = 2e-6f;

    public static TheoryData<string> Folders =>
    [
        "saelens/gated", "dictionary_learning/gated/trainer_0",
        "saelens/standard", "saelens/standard_layer_norm", "saelens/standard_constant_norm", "saelens/standard_float16",
        "saelens/topk", "saelens/topk_rescale", "saelens/topk_trained", "saelens/topk_bfloat16",
        "saelens/batchtopk", "saelens/batchtopk_training", "saelens/batchtopk_rescale", "saelens/batchtopk_rescale_training",
        "saelens/matryoshka", "saelens/matryoshka_training", "saelens/jumprelu", "saelens/jumprelu_bfloat16",
        "saelens/expected_average_checkpoint", "saelens/expected_average_final",
        "saelens/old_v3_standard", "saelens/old_v5_topk", "saelens/old_v2_scaling_ones",
        "dictionary_learning/autoencoder/trainer_0", "dictionary_learning/autoencoder_unit_decoder/trainer_0",
        "dictionary_learning/topk/trainer_0", "dictionary_learning/batch_topk/trainer_0", "dictionary_learning/matryoshka/trainer_0",
        "dictionary_learning/batch_topk_no_threshold/trainer_0", "dictionary_learning/jumprelu/trainer_0",
        "saev/relu_no_schema", "saev/relu_schema5", "saev/topk_schema5", "saev/batch_topk_schema5",
        "monoloss_official/topk", "monoloss_official/topk_untied", "monoloss_official/batch_topk", "monoloss_official/vanilla",
        "monoloss_official/jumprelu",
        "sparsify/topk/layers.3", "sparsify/topk_free_decoder/layers.3", "sparsify/topk_bfloat16/layers.3", "sparsify/groupmax/layers.3",
    ];

    public static TheoryData<string, string> Refused => new()
    {
        { "saelens/abstopk", "'abstopk'" },
        { "saelens/matching_pursuit", "'matching_pursuit'" },
        { "saelens/transcoder", "'transcoder'" },
        { "saelens/skip_transcoder", "'skip_transcoder'" },
        { "saelens/jumprelu_transcoder", "'jumprelu_transcoder'" },
        { "saelens/whitening_checkpoint", "'covariance_whitening'" },
        { "sparsify/transcode/layers.3.mlp", "transcoder" },
        { "sparsify/skip/layers.3.mlp", "transcoder" },
    };

    [SharedDataTheory]
    [MemberData(nameof(Folders))]
    public void Imported_autoencoder_computes_what_its_tool_does(string folder)
    {
        var source = SharedData.File(["interop", .. folder.Split('/')]);
        var foreign = ForeignFormats.Read(source);
        using var device = DeviceFactory.Open("cpu");
        using var model = SparseAutoencoder.Create(device, foreign.Config);
        foreign.CopyTo(model);
        using var io = SafetensorsFile.Open(Path.Combine(source, "io.safetensors"));
        // The files have the selection within the batch for those that a trainer left.
        var rows = io.ReadFloats("x");
        using var tape = new Tape(device);
        using var x = device.Tensor(rows.Length / foreign.Config.Dimension, foreign.Config.Dimension);
        x.Set(rows);
        var encoding = model.Encode(tape, x);
        var latents = encoding.Latents.Value.ToDense();
        var reconstruction = model.Reconstruct(tape, encoding).Value.ToArray();
        AssertClose(
            Expected(io, "latents"),
            latents,
            foreign.Config.Latents,
            exactSupport: foreign.Form.Rule is not (ActivationRule.ReLU or ActivationRule.Gated));
        AssertClose(Expected(io, "reconstruction"), reconstruction, foreign.Config.Dimension, exactSupport: false);
    }

    [SharedDataTheory]
    [MemberData(nameof(Refused))]
    public void What_cannot_be_had_is_refused_by_name(string folder, string word) =>
        Throws.Line(() => ForeignFormats.Read(SharedData.File(["interop", .. folder.Split('/')])), word);

    [SharedDataTheory]
    [MemberData(nameof(Folders))]
    public void Exported_and_imported_back_it_has_the_same_bits(string folder)
    {
        using var temporary = new TempFolder();
        var foreign = ForeignFormats.Read(SharedData.File(["interop", .. folder.Split('/')]));
        using var device = DeviceFactory.Open("cpu");
        using var model = SparseAutoencoder.Create(device, foreign.Config);
        foreign.CopyTo(model);
        ForeignFormats.Write(foreign.Form.Tool, model, temporary["x"], new Dictionary<string, JsonNode?>());
        var again = ForeignFormats.Read(temporary["x"]);
        foreach (var (name, values) in foreign.Weights)
        {
            // A trainer's scale is folded into the weights, as SAELens does it at the end of a training run.
            if (foreign.Form.InputScale == 1)
            {
                Assert.Equal(values, again.Weights[name]);
            }
        }
    }

    /// <summary>The groups that it was trained with stay known, in the words of either tool.</summary>
    [SharedDataTheory]
    [InlineData("saelens/matryoshka", 6, 6, 12, 30, 42)]
    [InlineData("saelens/matryoshka_training", 6, 6, 12, 30, 42)]
    [InlineData("dictionary_learning/matryoshka/trainer_0", 6, 12, 24, 54)]
    public void Groups_are_read_and_written(string folder, params int[] sizes)
    {
        using var temporary = new TempFolder();
        var foreign = ForeignFormats.Read(SharedData.File(["interop", .. folder.Split('/')]));
        Assert.Equal(sizes, foreign.Form.GroupSizes);
        using var device = DeviceFactory.Open("cpu");
        using var model = SparseAutoencoder.Create(device, foreign.Config);
        foreign.CopyTo(model);
        foreach (var format in new[] { "saelens", "dictionary-learning" })
        {
            ForeignFormats.Write(format, model, temporary[format], new Dictionary<string, JsonNode?>());
            Assert.Equal(sizes, ForeignFormats.Read(temporary[format]).Form.GroupSizes);
        }
    }

    /// <summary>Our own definition on unit rows, and what SAELens gives on raw rows for the layout that is right there.</summary>
    [SharedDataTheory]
    [InlineData("vanilla")]
    [InlineData("batch_topk")]
    [InlineData("jumprelu")]
    [InlineData("topk")]
    [InlineData("jumprelu_normalize")]
    public void Export_for_SAELens_is_what_was_measured_to_be_right(string folder)
    {
        using var temporary = new TempFolder();
        var source = SharedData.File("interop", "export", folder);
        using var ours = SafetensorsFile.Open(Path.Combine(source, "ours.safetensors"));
        using var device = DeviceFactory.Open("cpu");
        var config = new SaeConfig
        {
            Architecture = Architectures.Trained.Single(architecture => folder.StartsWith(architecture.Name(), StringComparison.Ordinal)),
            Dimension = 24,
            Latents = 96,
            K = 6,
            Untied = folder == "topk",
            Normalize = folder == "jumprelu_normalize",
        };
        using var model = SparseAutoencoder.Create(device, config);
        SaeLensFormat.ReadWeights(ours.Path, model);
        ForeignFormats.Write("saelens", model, temporary["x"], new Dictionary<string, JsonNode?>());

        var (expected, actual) = (Json(Path.Combine(source, "saelens", "cfg.json")), Json(Path.Combine(temporary["x"], "cfg.json")));
        Assert.Equal(expected.Select(entry => entry.Key).Order(), actual.Select(entry => entry.Key).Order());
        foreach (var (name, value) in expected)
        {
            Assert.True(JsonNode.DeepEquals(value, actual[name]), $"{name}: {actual[name]}, expected {value}");
        }

        using var theirs = SafetensorsFile.Open(Path.Combine(source, "saelens", "sae_weights.safetensors"));
        using var written = SafetensorsFile.Open(Path.Combine(temporary["x"], "sae_weights.safetensors"));
        Assert.Equal(theirs.Tensors.Select(tensor => (tensor.Name, tensor.Dtype, tensor.ShapeText)).Order(),
            written.Tensors.Select(tensor => (tensor.Name, tensor.Dtype, tensor.ShapeText)).Order());
        foreach (var tensor in theirs.Tensors)
        {
            AssertClose(theirs.ReadFloats(tensor.Name), written.ReadFloats(tensor.Name), 1, exactSupport: false);
        }
    }

    private static JsonObject Json(string path) => JsonNode.Parse(File.ReadAllText(path))!.AsObject();

    private static float[] Expected(SafetensorsFile io, string name) =>
        io.ReadFloats(io.Contains(name + "_scaled") ? name + "_scaled" : io.Contains(name + "_float32") ? name + "_float32" : name);

    private static void AssertClose(float[] expected, float[] actual, int columns, bool exactSupport)
    {
        Assert.Equal(expected.Length, actual.Length);
        var largest = expected.Where(float.IsFinite).Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
        {
            // A row of zeros has no direction; SAELens divides by its length of 0.
            if (float.IsNaN(expected[i]))
            {
                continue;
            }

            Assert.True(
                Math.Abs(expected[i] - actual[i]) <= Tolerance * largest,
                $"row {i / columns}, column {i % columns}: {actual[i]}, expected {expected[i]}");
            Assert.True(!exactSupport || (expected[i] != 0) == (actual[i] != 0), $"row {i / columns}, column {i % columns}: support");
        }
    }
}
