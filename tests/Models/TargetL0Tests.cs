using MonoLoss.Kernels.Cpu;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>The steered sparsity penalty.</summary>
public sealed class TargetL0Tests
{
    private const double Tolerance = 0.05;

    /// <summary>From coefficients far below and far above the right one, on rows that are sums of few of many directions.</summary>
    [Theory]
    [InlineData(Architecture.Vanilla, 1e-5, 6)]
    [InlineData(Architecture.Vanilla, 1e-2, 12)]
    [InlineData(Architecture.JumpReLU, 1e-5, 6)]
    [InlineData(Architecture.JumpReLU, 1e-2, 12)]
    [Trait("Speed", "Slow")]
    public void L0_arrives_at_its_target(Architecture architecture, double start, double target)
    {
        const int Rows = 256, Dimension = 32, Steps = 1500, Last = 50;
        using var device = new CpuDevice(2);
        using var model = SparseAutoencoder.Create(device, new SaeConfig
        {
            Architecture = architecture,
            Dimension = Dimension,
            Latents = 96,
            L1Coefficient = start,
            Bandwidth = 0.1,
            Normalize = architecture == Architecture.JumpReLU,
        });
        model.Initialize(new Random(1));
        var options = new StepOptions { BatchSize = Rows, LearningRate = 3e-3, TargetL0 = target };
        using var step = new TrainingStep(model, options);
        using var x = device.Tensor(Rows, Dimension);
        var random = new Random(2);
        var directions = Enumerable.Range(0, 64 * Dimension).Select(_ => Gaussian(random)).ToArray();
        var l0 = new List<double>();
        for (var i = 0; i < Steps; i++)
        {
            x.Set(Draw(random, directions, Rows, Dimension));
            device.NormalizeRows(x);
            l0.Add(step.Run(x).L0);
        }

        Assert.InRange(l0.TakeLast(Last).Average(), (1 - Tolerance) * target, (1 + Tolerance) * target);
    }

    /// <summary>L0 in inverse proportion to the coefficient, with a delay: the controller settles, whatever it starts from.</summary>
    [Theory]
    [InlineData(1e-8)]
    [InlineData(1e-3)]
    [InlineData(10)]
    public void L1_penalty_settles_on_a_model_of_it(double start)
    {
        var controller = new TargetL0(32, start, isL0Penalty: false);
        var l0 = 500.0;
        for (var step = 0; step < 3000; step++)
        {
            Assert.InRange(controller.Coefficient, 1e-12, 1e6);
            l0 *= Math.Exp(0.01 * Math.Log(Math.Clamp(0.02 / controller.Coefficient, 1e-3, 1000) / l0));
            controller.Observe(l0, reconstructionLoss: 1, learningRate: 1e-3);
        }

        Assert.Equal(32, l0, 0.01 * 32);
    }

    /// <summary>An L0 penalty moves thresholds by its sign, against a drift; below the target it is negative.</summary>
    [Theory]
    [InlineData(1e-5, 500)]
    [InlineData(1e-3, 2)]
    public void L0_penalty_settles_on_a_model_of_it(double start, double l0)
    {
        const double Loss = 1e-3, Outweighs = 1e-4;
        var controller = new TargetL0(32, start, isL0Penalty: true);
        var below = l0 < 32;
        for (var step = 0; step < 3000; step++)
        {
            l0 *= Math.Exp(-0.004 - (0.01 * Math.Clamp(controller.Coefficient / Outweighs, -1, 1)));
            controller.Observe(l0, Loss, learningRate: 3e-3);
            Assert.True(step >= 10 || below == controller.Coefficient < 0);
        }

        Assert.Equal(32, l0, 0.01 * 32);
    }

    [Fact]
    public void Nothing_active_and_a_perfect_reconstruction_leave_the_coefficient_finite()
    {
        foreach (var isL0Penalty in new[] { false, true })
        {
            var controller = new TargetL0(32, 0, isL0Penalty);
            foreach (var l0 in new[] { 0, 0, 1e9, 0 })
            {
                controller.Observe(l0, reconstructionLoss: 0, learningRate: 1);
                Assert.True(double.IsFinite(controller.Coefficient));
            }
        }
    }

    private static float Gaussian(Random random) =>
        (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));

    private static float[] Draw(Random random, float[] directions, int rows, int dimension)
    {
        const int Active = 5;
        var values = new float[rows * dimension];
        for (var i = 0; i < rows; i++)
        {
            for (var active = 0; active < Active; active++)
            {
                var (direction, weight) = (random.Next(directions.Length / dimension), random.NextSingle() + 0.5f);
                for (var j = 0; j < dimension; j++)
                {
                    values[(i * dimension) + j] += weight * directions[(direction * dimension) + j];
                }
            }
        }

        return values;
    }
}
