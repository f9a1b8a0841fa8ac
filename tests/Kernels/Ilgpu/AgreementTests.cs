using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;
using MonoLoss.Models;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Compares the kernels of the CPU device with ILGPU's on real features.</summary>
public abstract class AgreementTests(Device device)
{
    private const int Rows = 64;
    private const int Steps = 3;

    [SharedDataTheory]
    [InlineData(Architecture.BatchTopK)]
    [InlineData(Architecture.TopK)]
    [InlineData(Architecture.JumpReLU)]
    [InlineData(Architecture.Vanilla)]
    [InlineData(Architecture.Matryoshka)]
    [InlineData(Architecture.Gated)]
    public void Losses_of_a_short_run_agree(Architecture architecture) => Compare(architecture, options => options);

    /// <summary>The same with everything that a schedule can change, a start of the bias, and AdamW.</summary>
    [SharedDataTheory]
    [InlineData(Architecture.BatchTopK)]
    [InlineData(Architecture.TopK)]
    [InlineData(Architecture.JumpReLU)]
    [InlineData(Architecture.Vanilla)]
    [InlineData(Architecture.Matryoshka)]
    [InlineData(Architecture.Gated)]
    public void Losses_of_a_short_scheduled_run_agree(Architecture architecture) => Compare(architecture, options => options with
    {
        LearningRateWarmup = 2,
        MonoWarmup = Steps,
        KStart = architecture.SelectsK() ? 12 : null,
        KAnneal = architecture.SelectsK() ? 2 : 0,
        TargetL0 = architecture.SelectsK() ? null : 10,
        DecoderBiasStart = DecoderBiasStart.GeometricMedian,
        WeightDecay = 10,
    });

    private void Compare(Architecture architecture, Func<StepOptions, StepOptions> change)
    {
        using var cpu = new CpuDevice(1);
        var expected = Train(cpu, architecture, change);
        var actual = Train(device, architecture, change);
        for (var step = 0; step < Steps; step++)
        {
            Assert.True(
                Math.Abs(expected[step] - actual[step]) <= 1e-4 * Math.Abs(expected[step]),
                    $"step {step}: {actual[step]} is not {expected[step]}");
        }
    }

    private static List<double> Train(Device device, Architecture architecture, Func<StepOptions, StepOptions> change)
    {
        var set = FeatureSet.Open(SharedData.File("features", "cifar10-resnet56-train.parquet"));
        using var reader = set.OpenReader();
        using var model = SparseAutoencoder.Create(device, new SaeConfig
        {
            Architecture = architecture,
            Dimension = set.Dimension,
            Latents = 96,
            K = 8,
            AuxK = 8,
            Normalize = architecture == Architecture.JumpReLU,
            MonoCoefficient = 0.1,
            Bandwidth = 0.3,
        });
        model.Initialize(new Random(1));
        using var training = new TrainingStep(model, change(new StepOptions
        {
            BatchSize = Rows, LearningRate = 1e-3, MaxGradientNorm = 1, DeadAfter = Rows, DeadCheckInterval = 0,
        }));
        using var x = device.Tensor(Rows, set.Dimension);
        var rows = new float[Rows * set.Dimension];
        var losses = new List<double>();
        for (var step = 0; step < Steps; step++)
        {
            Assert.Equal(Rows, reader.Read(rows));
            x.Set(rows);
            losses.Add(training.Run(x).Loss);
        }

        return losses;
    }
}
