using MonoLoss.Kernels.Cpu;
using MonoLoss.Models;
using MonoLoss.Tests.Cli;

namespace MonoLoss.Tests.Models;

/// <summary>Starts of the decoder's bias.</summary>
public sealed class RowCentersTests
{
    private const double MedianTolerance = 2e-6;

    [Fact]
    public void Mean_and_geometric_median_are_those_of_the_golden()
    {
        var golden = Golden.Open("schedules");
        var (rows, d) = (golden.Floats("points"), golden.Shape("points")[1]);
        Near(golden.Doubles("mean"), RowCenters.Mean(rows, d), 1e-12);
        Near(golden.Doubles("geometric_median"), RowCenters.GeometricMedian(rows, d), MedianTolerance);
    }

    [Fact]
    public void Equal_rows_are_their_own_center() =>
        Assert.Equal([3.0, -1], RowCenters.GeometricMedian([3, -1, 3, -1, 3, -1], 2));

    /// <summary>The bias is set at the first step only, from the rows as the encoder gets them.</summary>
    [Theory]
    [InlineData(Architecture.BatchTopK, false, DecoderBiasStart.Mean)]
    [InlineData(Architecture.TopK, true, DecoderBiasStart.Mean)]
    [InlineData(Architecture.JumpReLU, true, DecoderBiasStart.GeometricMedian)]
    [InlineData(Architecture.Vanilla, false, DecoderBiasStart.GeometricMedian)]
    public void First_step_starts_from_the_center_of_its_batch(Architecture architecture, bool normalizes, DecoderBiasStart start)
    {
        const int Rows = 40, Dimension = 8;
        const double Rate = 1e-6;
        using var device = new CpuDevice(2);
        using var model = SparseAutoencoder.Create(
            device, new SaeConfig { Architecture = architecture, Dimension = Dimension, Latents = 16, K = 4, Normalize = normalizes });
        model.Initialize(new Random(1));
        var bias = model.Parameters.Single(parameter => parameter.Name == "b_dec").Value;
        var values = RunFiles.Features(Rows, Dimension);
        using var x = device.Tensor(Rows, Dimension).Set(values);
        using var step = new TrainingStep(model, new StepOptions { BatchSize = Rows, LearningRate = Rate, DecoderBiasStart = start });
        step.Run(x);

        var input = normalizes ? LayerNorm(values, Dimension) : values;
        var expected = start == DecoderBiasStart.Mean
            ? RowCenters.Mean(input, Dimension)
            : RowCenters.GeometricMedian(input, Dimension);
        // A step of Adam moves every element by the learning rate.
        Near(expected, Array.ConvertAll(bias.ToArray(), value => (double)value), MedianTolerance);

        bias.Clear();
        step.Run(x);
        Near(new double[Dimension], Array.ConvertAll(bias.ToArray(), value => (double)value), MedianTolerance);
    }

    private static float[] LayerNorm(float[] values, int d) => [.. values.Chunk(d).SelectMany(row =>
    {
        var mean = row.Average(value => (double)value);
        var deviation = Math.Sqrt(row.Sum(value => Math.Pow(value - mean, 2)) / (d - 1));
        return row.Select(value => (float)((value - mean) / (deviation + 1e-5)));
    })];

    private static void Near(double[] expected, double[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, tolerance));
    }
}
