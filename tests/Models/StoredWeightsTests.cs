using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Cli;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Models;

/// <summary>Weights from a file: what cannot be a weight is named, and thresholds of 0 mean ReLU.</summary>
public sealed class StoredWeightsTests : IDisposable
{
    private const int Dimension = 16;
    private const int Latents = 40;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("W_enc", 43, float.NaN, "[1, 3]: found NaN")]
    [InlineData("W_dec", 35, float.PositiveInfinity, "[2, 3]: found Infinity")]
    [InlineData("b_enc", 39, float.NegativeInfinity, "[39]: found -Infinity")]
    [InlineData("b_dec", 0, float.NaN, "[0]: found NaN")]
    [InlineData("threshold", 7, float.NaN, "[7]: found NaN")]
    [InlineData("threshold", 7, -1e-3f, "[7]: found -0.001")]
    [InlineData("threshold", 7, float.PositiveInfinity, "[7]: found Infinity")]
    public void A_value_that_is_no_weight_is_named(string tensor, int index, float value, string expected)
    {
        Write(Change(tensor, index, value));
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device);
        Throws.Line(() => new RunFolder(_folder.Path).ReadWeights(model), "sae_weights.safetensors", $"'{tensor}'", expected);
    }

    [Fact]
    public void A_log_threshold_may_be_minus_infinity_but_not_NaN()
    {
        var tensors = Tensors();
        tensors.Remove("threshold");
        tensors["log_threshold"] = ([Latents], Enumerable.Repeat(float.NegativeInfinity, Latents).ToArray());
        Write(tensors);
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device);
        new RunFolder(_folder.Path).ReadWeights(model);
        tensors["log_threshold"].Values[3] = float.NaN;
        Write(tensors);
        Throws.Line(() => new RunFolder(_folder.Path).ReadWeights(model), "'log_threshold'", "[3]");
    }

    /// <summary>A JumpReLU whose thresholds are 0 trains, without sparsity and MonoLoss, like a ReLU; and they come back as 0.</summary>
    [Fact]
    public void Thresholds_of_0_mean_ReLU_and_stay()
    {
        var tensors = Tensors();
        Array.Clear(tensors["threshold"].Values);
        Write(tensors);
        using var device = DeviceFactory.Open("cpu");
        using var jump = Create(device);
        using var relu = SparseAutoencoder.Create(
            device, jump.Config with { Architecture = Architecture.Vanilla, L1Coefficient = 0, Normalize = true });
        new RunFolder(_folder.Path).ReadWeights(jump);
        new RunFolder(_folder.Path).ReadWeights(relu);
        // JumpReLU does not subtract b_dec, which stays at 0 here.
        var losses = new[] { jump, relu }.Select(model =>
        {
            using var step = new TrainingStep(model, new StepOptions { BatchSize = 64, LearningRate = 1e-9 });
            using var x = device.Tensor(64, Dimension).Set(RunFiles.Features(64, Dimension));
            return Enumerable.Range(0, 5).Select(_ => step.Run(x)).ToArray();
        }).ToArray();
        foreach (var (a, b) in losses[0].Zip(losses[1]))
        {
            Assert.Equal(b.Loss, a.Loss, 1e-5 * b.Loss);
            Assert.Equal(b.L0, a.L0, 0.02);
        }

        var saved = new RunFolder(_folder["again"]);
        Directory.CreateDirectory(saved.Path);
        saved.WriteWeights(jump);
        using var file = SafetensorsFile.Open(saved.Weights);
        Assert.Equal(new float[Latents], file.ReadFloats("threshold"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1e-3)]
    public void Training_from_thresholds_of_0_stays_finite(double sparsity)
    {
        var tensors = Tensors();
        for (var m = 0; m < Latents; m += 2)
        {
            tensors["threshold"].Values[m] = 0;
        }

        Write(tensors);
        var data = RunFiles.Write(_folder);
        Monoloss.Run(
            "train", "--train", data, "--init", _folder.Path, "--out", _folder["run"], "--model", "jumprelu", "--latents", $"{Latents}",
            "--batch-size", "64", "--epochs", "5", "--lr", "1e-2", "--bandwidth", "0.1", "--normalize", "--mono-coef", "0.01",
            "--l1-coef", FormattableString.Invariant($"{sparsity}"), "--quiet").Succeeded();
        using var file = SafetensorsFile.Open(Path.Combine(_folder["run"], "sae_weights.safetensors"));
        var thresholds = file.ReadFloats("threshold");
        Assert.All(thresholds.Index(), threshold => Assert.Equal(threshold.Index % 2 == 0, threshold.Item == 0));
        Assert.All(file.ReadFloats("W_enc"), value => Assert.True(float.IsFinite(value)));
        Assert.All(RunFiles.Steps(_folder["run"]), step => Assert.True(double.IsFinite(step.GradientNorm)));
    }

    private static SparseAutoencoder Create(Device device) => SparseAutoencoder.Create(device, new SaeConfig
    {
        Architecture = Architecture.JumpReLU, Dimension = Dimension, Latents = Latents, L1Coefficient = 0, Normalize = true,
    });

    private static Dictionary<string, (long[] Shape, float[] Values)> Tensors()
    {
        var random = new Random(3);
        float[] Random(int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) / 2)];
        return new()
        {
            ["W_enc"] = ([Dimension, Latents], Random(Dimension * Latents)),
            ["b_enc"] = ([Latents], new float[Latents]),
            ["W_dec"] = ([Latents, Dimension], Random(Dimension * Latents)),
            ["b_dec"] = ([Dimension], new float[Dimension]),
            ["threshold"] = ([Latents], Enumerable.Repeat(0.1f, Latents).ToArray()),
        };
    }

    private static Dictionary<string, (long[] Shape, float[] Values)> Change(string tensor, int index, float value)
    {
        var tensors = Tensors();
        tensors[tensor].Values[index] = value;
        return tensors;
    }

    private void Write(Dictionary<string, (long[] Shape, float[] Values)> tensors) => SafetensorsWriter.Write(
        _folder["sae_weights.safetensors"],
        tensors.Select(tensor => SafeTensor.Create(tensor.Key, tensor.Value.Shape, tensor.Value.Values)));
}
