using MonoLoss.Autodiff;
using MonoLoss.Kernels.Cpu;
using MonoLoss.Models;
using MonoLoss.Tests.Cli;

namespace MonoLoss.Tests.Models;

/// <summary>
/// BatchTopK's loss with dead latents against finite differences of a float64 loop, with the error of the auxiliary term as a function of
/// the weights and as a constant. Which latents are selected is held fixed, as the gradient does.
/// </summary>
public sealed class AuxDetachTests
{
    private const int B = 7, D = 5, M = 12, K = 2, AuxK = 3;
    private const double Coefficient = 0.7;

    private static readonly int[] Dead = [1, 4, 6, 7, 10];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradient_of_the_auxiliary_loss(bool detach)
    {
        using var device = new CpuDevice(2);
        using var model = (BatchTopK)SparseAutoencoder.Create(device, new SaeConfig
        {
            Architecture = Architecture.BatchTopK,
            Dimension = D,
            Latents = M,
            K = K,
            AuxK = AuxK,
            AuxCoefficient = Coefficient,
            AuxDetach = detach,
        });
        model.Initialize(new Random(3));
        model.Parameters.Single(parameter => parameter.Name == "b_dec").Value.Set([0.1f, -0.2f, 0.05f, 0.3f, -0.1f]);
        var x = RunFiles.Features(B, D);
        using var rows = device.Tensor(B, D).Set(x);
        using var dead = device.Allocate<int>(Dead.Length);
        dead.CopyFrom(Dead);
        using var tape = new Tape(device);
        var encoding = model.Encode(tape, rows);
        var loss = model.Loss(tape, rows, encoding, dead, batchMonoLoss: false);
        tape.Backward(loss.Total);

        double[] Values(string name) =>
            Array.ConvertAll(model.Parameters.Single(parameter => parameter.Name == name).Value.ToArray(), value => (double)value);
        var weights = new Weights(Values("W_enc"), Values("W_dec"), Values("b_dec"));
        var kept = encoding.Latents.Value.ToDense().Select(value => value != 0).ToArray();
        var auxiliary = new bool[B * M];
        for (var i = 0; i < B; i++)
        {
            foreach (var m in Dead.OrderByDescending(m => Act(weights, x, i, m)).Take(AuxK).Where(m => Act(weights, x, i, m) > 0))
            {
                auxiliary[(i * M) + m] = true;
            }
        }

        var residual = Residual(weights);
        double Formula() => Residual(weights).Sum(e => e * e / (B * D)) + (Coefficient * Decode(weights, auxiliary)
            .Zip(detach ? residual : Residual(weights)).Sum(pair => Math.Pow(pair.First - pair.Second, 2) / (B * D)));
        double[] Residual(Weights w) => [.. Decode(w, kept).Select((value, i) => x[i] - value - w.DecoderBias[i % D])];
        double[] Decode(Weights w, bool[] selected) => [.. Enumerable.Range(0, B * D).Select(i => Enumerable.Range(0, M)
            .Where(m => selected[(i / D * M) + m]).Sum(m => Act(w, x, i / D, m) * w.Decoder[(m * D) + (i % D)]))];
        Assert.Equal(Formula(), loss.Total.Read(), 5);

        foreach (var (name, values) in new[] { ("W_enc", weights.Encoder), ("W_dec", weights.Decoder), ("b_dec", weights.DecoderBias) })
        {
            const double H = 1e-5;
            var gradient = model.Parameters.Single(parameter => parameter.Name == name).Variable.Gradient.ToArray();
            for (var i = 0; i < values.Length; i++)
            {
                var value = values[i];
                values[i] = value + H;
                var up = Formula();
                values[i] = value - H;
                var difference = (up - Formula()) / (2 * H);
                values[i] = value;
                Assert.True(Math.Abs(difference - gradient[i]) <= 2e-5, $"{name}[{i}]: {gradient[i]} is not {difference}");
            }
        }
    }

    private static double Act(Weights w, float[] x, int row, int m) => Enumerable.Range(0, D)
        .Sum(j => (x[(row * D) + j] - w.DecoderBias[j]) * w.Encoder[(m * D) + j]);

    private sealed record Weights(double[] Encoder, double[] Decoder, double[] DecoderBias);
}
