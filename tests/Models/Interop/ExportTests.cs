using System.Text.Json.Nodes;
using MonoLoss.Autodiff;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Models;

/// <summary>Our models, written for other tools and read as those tools read them, compute the same.</summary>
public sealed class ExportTests
{
    private const int Dimension = 12;
    private const int Latents = 30;
    private const int Rows = 40;

    // As exact as the format allows: saev folds b_dec into the encoder's bias, SAELens scales by √D.
    private const float Tolerance = 2e-6f;

    public static TheoryData<Architecture, string> Exact => new()
    {
        { Architecture.Vanilla, "saelens" },
        { Architecture.Vanilla, "sparsify" },
        { Architecture.Vanilla, "dictionary-learning" },
        { Architecture.Vanilla, "saev" },
        { Architecture.Vanilla, "official" },
        { Architecture.BatchTopK, "saelens" },
        { Architecture.BatchTopK, "dictionary-learning" },
        { Architecture.BatchTopK, "saev" },
        { Architecture.Matryoshka, "saelens" },
        { Architecture.Matryoshka, "dictionary-learning" },
        { Architecture.Matryoshka, "saev" },
        { Architecture.Gated, "saelens" },
        { Architecture.Gated, "dictionary-learning" },
        { Architecture.JumpReLU, "saelens" },
        { Architecture.JumpReLU, "dictionary-learning" },
        { Architecture.JumpReLU, "official" },
        { Architecture.TopK, "official" },
        { Architecture.TopK, "saelens" },
    };

    [Theory]
    [MemberData(nameof(Exact))]
    public void Exported_model_has_the_same_latents_and_reconstructions(Architecture architecture, string format)
    {
        using var temporary = new TempFolder();
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device, architecture);
        var remarks = ForeignFormats.Write(format, model, temporary["x"], new Dictionary<string, JsonNode?>());

        var foreign = ForeignFormats.Read(temporary["x"]);
        using var again = SparseAutoencoder.Create(device, foreign.Config);
        foreign.CopyTo(again);
        model.SelectsByThreshold = again.SelectsByThreshold = true;
        // SAELens scales rows of any length itself; the other tools are told to give unit rows.
        var scale = format == "saelens" && architecture != Architecture.TopK ? 17f : 1;
        Assert.Equal(format is "saelens" or "official", remarks.All(remark => !remark.Contains("unit length", StringComparison.Ordinal)));
        var (latents, reconstruction) = Compute(device, model, 1);
        var (theirs, theirReconstruction) = Compute(device, again, scale);
        AssertNear(latents, theirs);
        AssertNear([.. reconstruction.Select(value => value * scale)], theirReconstruction);
        Assert.Contains(latents, value => value > 0);
        Assert.Contains(latents, value => value == 0);
    }

    /// <summary>Models of layer-normalized rows, whose weights no format scales.</summary>
    [Theory]
    [InlineData(Architecture.Matryoshka, "saelens")]
    [InlineData(Architecture.Matryoshka, "dictionary-learning")]
    [InlineData(Architecture.Gated, "saelens")]
    [InlineData(Architecture.Gated, "dictionary-learning")]
    public void Weights_come_back_with_the_same_bits(Architecture architecture, string format)
    {
        using var temporary = new TempFolder();
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device, architecture, normalize: true);
        ForeignFormats.Write(format, model, temporary["x"], new Dictionary<string, JsonNode?>());
        var foreign = ForeignFormats.Read(temporary["x"]);
        foreach (var parameter in model.Parameters)
        {
            Assert.Equal(parameter.Value.ToArray(), foreign.Weights[parameter.Name]);
        }

        Assert.Equal(architecture == Architecture.Matryoshka ? [1, 3, 7, 19] : null, foreign.Form.GroupSizes);
    }

    [Theory]
    [InlineData(Architecture.JumpReLU, "sparsify", "Threshold")]
    [InlineData(Architecture.JumpReLU, "saev", "Threshold")]
    [InlineData(Architecture.Gated, "sparsify", "Gated")]
    [InlineData(Architecture.Gated, "saev", "Gated")]
    [InlineData(Architecture.Gated, "official", "Gated")]
    public void What_a_tool_does_not_have_is_refused_by_name(Architecture architecture, string format, string word)
    {
        using var temporary = new TempFolder();
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device, architecture);
        Throws.Line(() => ForeignFormats.Write(format, model, temporary["x"], new Dictionary<string, JsonNode?>()), word);
    }

    private static SparseAutoencoder Create(Device device, Architecture architecture, bool normalize = false)
    {
        var random = new Random(7);
        var model = SparseAutoencoder.Create(device, new SaeConfig
        {
            Architecture = architecture, Dimension = Dimension, Latents = Latents, K = 5, Untied = architecture == Architecture.TopK,
            Normalize = normalize,
        });
        model.Initialize(random);
        foreach (var parameter in model.Parameters)
        {
            if (parameter.Name is "b_dec" or "b_enc" or "b_gate" or "b_mag" or "r_mag" or "log_threshold"
                && !(parameter.Name == "b_enc" && model is BatchTopK))
            {
                parameter.Value.Set([.. Enumerable.Range(0, (int)parameter.Value.Count)
                    .Select(_ => 0.2f * random.NextSingle())
                    .Select(value => parameter.Name == "log_threshold" ? MathF.Log(0.05f + value) : value - 0.1f)]);
            }
        }

        if (model is BatchTopK batchTopK)
        {
            batchTopK.InferenceThreshold = 0.2f;
        }

        return model;
    }

    private static (float[] Latents, float[] Reconstruction) Compute(Device device, SparseAutoencoder model, float scale)
    {
        using var tape = new Tape(device);
        using var x = device.Tensor(Rows, Dimension).Set(RunRows());
        device.NormalizeRows(x);
        device.LinearCombination(scale, x, 0, x, x);
        var encoding = model.Encode(tape, x);
        return (encoding.Latents.Value.ToDense(), model.Reconstruct(tape, encoding).Value.ToArray());
    }

    private static float[] RunRows()
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, Rows * Dimension).Select(_ => random.NextSingle() - 0.5f)];
    }

    private static void AssertNear(float[] expected, float[] actual)
    {
        var largest = expected.Max(Math.Abs);
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= Tolerance * largest, $"{pair}"));
    }
}
