using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Tests.Kernels;

/// <summary>Results are the same bits on any number of threads.</summary>
public sealed class CpuThreadsTests
{
    /// <summary>
    /// Latents that fire on most rows go through the batch together, others one by one, at the same time on other threads. This is the
    /// middle of a Vanilla or JumpReLU run.
    /// </summary>
    [Fact]
    public void Backward_of_latents_of_mixed_density_is_the_same_on_any_number_of_threads()
    {
        const int rows = 600, dimension = 64, latents = 256, denseLatents = 8, rowsOfOthers = 30, repeats = 60;
        var random = new Random(4);
        float[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
        var (x, g) = (Draw(rows * dimension), Draw(rows * dimension));
        var (encoder, decoder) = (Draw(latents * dimension), Draw(latents * dimension));
        var z = new float[rows * latents];
        for (var i = 0; i < z.Length; i++)
        {
            z[i] = i % latents < denseLatents || random.Next(rows) < rowsOfOthers ? random.NextSingle() + 0.1f : 0;
        }

        using var one = new CpuDevice(1);
        using var many = new CpuDevice(4);
        var expected = Backward(one);
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            Assert.Equal(expected, Backward(many));
        }

        List<float> Backward(CpuDevice device)
        {
            using var s = device.CsrMatrix().Set(z, rows, latents);
            using var input = device.Tensor(rows, dimension).Set(x);
            using var decoded = device.Tensor(rows, dimension).Set(g);
            using var encoderWeights = device.Tensor(latents, dimension).Set(encoder);
            using var decoderWeights = device.Tensor(latents, dimension).Set(decoder);
            using var encoderGradient = device.Tensor(latents, dimension);
            using var decoderGradient = device.Tensor(latents, dimension);
            using var norms = device.Allocate<double>(0);
            using var directions = device.Allocate<double>(dimension);
            using var scores = device.Tensor(1, latents);
            using var result = device.Allocate<double>(2);
            device.RowNorms(input, norms);
            device.SumUnitRows(input, norms, directions);
            device.BuildColumnIndex(s);
            device.FusedLatentBackward(new FusedBackwardArgs
            {
                Latents = s,
                DecodedGradient = decoded,
                Decoder = decoderWeights,
                DecoderGradient = decoderGradient,
                Mono = new MonoLossInputs
                {
                    X = input,
                    Norms = norms,
                    UnitRowSum = directions,
                    Factor = 1,
                    Scores = scores,
                    Result = result,
                },
                Input = input,
                Encoder = encoderWeights,
                EncoderGradient = encoderGradient,
            });
            return [.. scores.ToArray(), .. encoderGradient.ToArray(), .. decoderGradient.ToArray()];
        }
    }
}
