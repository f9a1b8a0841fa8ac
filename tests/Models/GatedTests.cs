using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>Gated beside Vanilla: with r_mag 0 and both biases the same, its latents are Vanilla's.</summary>
public sealed class GatedTests
{
    private const int Rows = 40;
    private const int Dimension = 12;
    private const int Latents = 50;

    /// <summary>
    /// The gradient of the dataset's scores goes through the magnitudes alone. Half of the latents are active, which the cpu device stores
    /// dense until the scores ask for the nonzeros.
    /// </summary>
    [Fact]
    public void Dataset_gradient_is_that_of_Vanilla()
    {
        using var device = DeviceFactory.Open("cpu");
        using var vanilla = Create(device, Architecture.Vanilla);
        using var gated = Create(device, Architecture.Gated);
        var random = new Random(5);
        float[] bias = [.. Enumerable.Range(0, Latents).Select(_ => (random.NextSingle() - 0.5f) / 5)];
        float[] Values(SparseAutoencoder model, string name) =>
            model.Parameters.Single(parameter => parameter.Name == name).Variable.Gradient.ToArray();
        foreach (var (model, name) in new[] { (vanilla, "b_enc"), (gated, "b_gate"), (gated, "b_mag") })
        {
            model.Parameters.Single(parameter => parameter.Name == name).Value.Set(bias);
        }

        using var x = device.Tensor(Rows, Dimension)
            .Set([.. Enumerable.Range(0, Rows * Dimension).Select(_ => random.NextSingle() - 0.5f)]);
        device.NormalizeRows(x);
        double[][] scores =
        [
            .. new[] { vanilla, gated }.Select(model =>
            {
                using var dataset = new DatasetMonoLoss(model);
                return dataset.AddGradient([new Batch(x)], 0.3);
            }),
        ];

        Near(scores[0], scores[1]);
        Near(Values(vanilla, "W_enc"), Values(gated, "W_enc"));
        Near(Values(vanilla, "b_dec"), Values(gated, "b_dec"));
        Near(Values(vanilla, "b_enc"), Values(gated, "b_mag"));
        Assert.All(Values(gated, "b_gate"), value => Assert.InRange(value, -1e-6, 1e-6));
    }

    private static SparseAutoencoder Create(Device device, Architecture architecture)
    {
        var model = SparseAutoencoder.Create(device, new SaeConfig
        {
            Architecture = architecture, Dimension = Dimension, Latents = Latents, MonoCoefficient = 0.3,
        });
        model.Initialize(new Random(3));
        return model;
    }

    private static void Near(float[] expected, float[] actual) =>
        Near(Array.ConvertAll(expected, value => (double)value), Array.ConvertAll(actual, value => (double)value));

    private static void Near(double[] expected, double[] actual)
    {
        var largest = expected.Max(Math.Abs);
        Assert.True(largest > 0);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(pair.First - pair.Second, -1e-5 * largest, 1e-5 * largest));
    }
}
