using System.Reflection;
using MonoLoss.Data;
using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Models;
using MonoLoss.Tests.Cli;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>Counts the waits for the device and the kernel launches of a training step on features in device memory.</summary>
public sealed class StepWaitTests : IDisposable
{
    private const int Rows = 160, Batch = 32, Features = 12, Latents = 160, Active = 4;

    // The selection's outcome with the dead latents, and the numbers of the step.
    private const int MaxWaits = 2;

    private readonly LaunchCounter _launches = new();
    private readonly IlgpuDevice _device;
    private readonly TempFolder _folder = new();

    public StepWaitTests() => _device = IlgpuDevice.OpenSimulation(new() { Executor = new PtxExecutor(), Observer = _launches });

    public void Dispose()
    {
        _device.Dispose();
        _folder.Dispose();
    }

    /// <summary>The expected numbers of launches are the present ones, so that a change that adds some is noticed.</summary>
    /// <param name="architecture">The model.</param>
    /// <param name="auxK">Latents of the auxiliary loss; in the second case enough for its products to be dense.</param>
    /// <param name="launches">Launches of a step without dead latents, including the one that gathers the batch.</param>
    /// <param name="launchesWithDead">Launches of a step in which some latents are dead.</param>
    [Theory]
    [InlineData(Architecture.BatchTopK, Active, 51, 74)]
    [InlineData(Architecture.BatchTopK, Latents, 51, 82)]
    [InlineData(Architecture.TopK, Active, 58, 73)]
    [InlineData(Architecture.JumpReLU, Active, 49, 49)]
    [InlineData(Architecture.Vanilla, Active, 54, 54)]
    [InlineData(Architecture.Matryoshka, Active, 51, 74)]
    [InlineData(Architecture.Gated, Active, 71, 71)]
    public void Step_waits_twice_at_most(Architecture architecture, int auxK, int launches, int launchesWithDead)
    {
        var set = FeatureSet.Open(
            [RunFiles.Write(_folder["x.parquet"], RunFiles.Features(Rows, Features), Features)], new FeatureSetOptions());
        using var loader = new ResidentBatchLoader(_device, set, new InMemoryBatchSource(set, new BatchOptions { BatchSize = Batch }));
        using var model = Create(architecture, auxK);
        loader.StartEpoch(0);

        // The first step of each model keeps the batch, has no threshold to start from, and takes memory.
        var usual = Step(deadAfter: 1000, steps: 2);
        var withDead = Step(deadAfter: 1, steps: 2);
        Assert.InRange(usual.Waits, 1, MaxWaits);
        Assert.InRange(withDead.Waits, 1, MaxWaits);
        // Half of the latents of these fire at every row.
        Assert.Equal(architecture is not (Architecture.Vanilla or Architecture.Gated), withDead.DeadLatents > 0);
        Assert.Equal((launches, launchesWithDead), (usual.Launches, withDead.Launches));

        // Results are those of the last of several steps.
        (long Waits, int Launches, int DeadLatents) Step(int deadAfter, int steps)
        {
            using var training = new TrainingStep(model, new StepOptions { BatchSize = Batch, DeadAfter = deadAfter * Batch });
            (long Waits, int Launches, int DeadLatents) last = default;
            for (var step = 0; step < steps; step++)
            {
                var (waits, count) = (_device.HostSyncCount, _launches.Count);
                var metrics = training.Run(loader.Next()!.Value);
                last = (_device.HostSyncCount - waits, _launches.Count - count, metrics.DeadLatents);
            }

            return last;
        }
    }

    /// <summary>Scheduled values are arguments of the same launches: none is added, and none waits.</summary>
    [Theory]
    [InlineData(Architecture.BatchTopK, 51)]
    [InlineData(Architecture.TopK, 58)]
    [InlineData(Architecture.JumpReLU, 49)]
    [InlineData(Architecture.Vanilla, 54)]
    public void Scheduled_step_waits_and_launches_no_more(Architecture architecture, int launches)
    {
        using var model = Create(architecture, Active);
        using var x = _device.Tensor(Batch, Features).Set(RunFiles.Features(Batch, Features));
        using var training = new TrainingStep(model, new StepOptions
        {
            BatchSize = Batch,
            LearningRateWarmup = 9,
            LearningRateDecay = LearningRateDecay.Linear,
            TotalSteps = 20,
            MonoWarmup = 9,
            KStart = architecture.SelectsK() ? 2 * Active : null,
            KAnneal = architecture.SelectsK() ? 8 : 0,
            TargetL0 = architecture.SelectsK() ? null : Active,
            WeightDecay = 0.1,
        });
        StepMetrics[] last = [training.Run(x), training.Run(x)];
        var (waits, count) = (_device.HostSyncCount, _launches.Count);
        last[0] = training.Run(x);
        Assert.InRange(_device.HostSyncCount - waits, 1, MaxWaits);
        // Without the launch that gathers the batch.
        Assert.Equal(launches - 1, _launches.Count - count);
        Assert.NotEqual(last[0].LearningRate, last[1].LearningRate);
        Assert.NotEqual((last[0].L1Coefficient, last[0].K), (last[1].L1Coefficient, last[1].K));
    }

    [Fact]
    public void RestartDead_copies_a_few_times_however_many_are_dead()
    {
        using var model = (TopK)Create(Architecture.TopK, Active);
        model.StepsSinceFired.CopyFrom([.. Enumerable.Repeat(100, Latents)]);
        var before = _device.HostSyncCount;
        Assert.Equal(Latents, model.RestartDead(10, RunFiles.Features(Rows, Features), new Random(5)));

        // The number of dead latents, their list, the biases and the counters.
        Assert.Equal(4, _device.HostSyncCount - before);
    }

    private SparseAutoencoder Create(Architecture architecture, int auxK)
    {
        var model = SparseAutoencoder.Create(_device, new SaeConfig
        {
            Architecture = architecture,
            Dimension = Features,
            Latents = Latents,
            K = Active,
            AuxK = auxK,
            Normalize = architecture is Architecture.TopK or Architecture.JumpReLU,
            MonoCoefficient = 0.1,
            Bandwidth = 0.3,
        });
        model.Initialize(new Random(1));
        return model;
    }

    private sealed class LaunchCounter : ILaunchObserver
    {
        public int Count { get; private set; }

        public void Launching(MethodInfo kernel, long threads) => Count++;

        public void Launched()
        {
        }
    }
}
