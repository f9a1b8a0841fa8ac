using MonoLoss.Autodiff;
using MonoLoss.Kernels.Cpu;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

public sealed class StepTests
{
    public static TheoryData<Architecture> Architectures => [.. MonoLoss.Models.Architectures.Trained];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AStepAllocatesNothingAfterTheFirst(Architecture architecture) => AssertNoAllocation(architecture, scheduled: false);

    [Theory]
    [MemberData(nameof(Architectures))]
    public void A_scheduled_step_allocates_nothing_after_the_first(Architecture architecture) =>
        AssertNoAllocation(architecture, scheduled: true);

    private static void AssertNoAllocation(Architecture architecture, bool scheduled)
    {
        using var run = new SmallRun(architecture, threads: 2, scheduled);
        // The most memory that the auxiliary loss can need is that of all latents being dead. Then batches with some dead latents and with
        // none.
        using var all = run.Model.Device.Allocate<int>(0);
        run.Model.Device.FindDead(run.Model.StepsSinceFired, 0, all);
        run.Tape.Backward(run.Model.Loss(run.Tape, run.X, run.Model.Encode(run.Tape, run.X), all, batchMonoLoss: true).Total);
        foreach (var parameter in run.Model.Parameters)
        {
            parameter.Variable.ClearGradient();
        }

        for (var warmUp = 0; warmUp < 10; warmUp++)
        {
            run.Model.StepsSinceFired.CopyFrom(Enumerable.Repeat(warmUp % 2 == 0 ? 100 : 0, run.Model.Config.Latents).ToArray());
            run.Step.Run(run.X);
        }

        // Other tests run at the same time: a collection that one of them causes in the middle of a step has once counted what was left of
        // this thread's allocation window. What a step allocates, it allocates every time.
        var allocated = new long[20];
        for (var attempt = 0; attempt == 0 || (attempt < 3 && allocated.Any(bytes => bytes != 0)); attempt++)
        {
            for (var step = 0; step < allocated.Length; step++)
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                run.Step.Run(run.X);
                allocated[step] = GC.GetAllocatedBytesForCurrentThread() - before;
            }
        }

        Assert.Equal(new long[20], allocated);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TheSameBitsOnAnyNumberOfThreads(Architecture architecture)
    {
        var expected = Weights(1);
        Assert.Equal(expected, Weights(2));
        Assert.Equal(expected, Weights(7));

        float[][] Weights(int threads)
        {
            using var run = new SmallRun(architecture, threads);
            for (var step = 0; step < 10; step++)
            {
                run.Step.Run(run.X);
            }

            return [.. run.Model.Parameters.Select(parameter => parameter.Value.ToArray())];
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Loss_of_the_same_encoding_twice_is_the_same_and_changes_nothing(Architecture architecture)
    {
        using var run = new SmallRun(architecture, threads: 2);
        for (var step = 0; step < 10; step++)
        {
            run.Step.Run(run.X);
        }

        var model = run.Model;
        using var tape = new Tape(model.Device);
        var encoding = model.Encode(tape, run.X);
        var dead = model.UpdateStepsSinceFired(encoding, deadAfter: 3);
        var state = State();
        var first = Numbers();
        Assert.Equal(first, Numbers());
        Assert.Equal(state, State());

        List<double?> Numbers()
        {
            var loss = model.Loss(tape, run.X, encoding, dead, batchMonoLoss: true);
            return
            [
                loss.Total.Read(), loss.Reconstruction.Read(), loss.Auxiliary?.Read(), loss.Sparsity?.Read(), loss.Mono?.Loss.Read(),
                loss.Mono?.MeanScore.Read(), loss.L0.Read(),
            ];
        }

        List<double> State() =>
        [
            .. model.Parameters.SelectMany(parameter => parameter.Value.ToArray()).Select(value => (double)value),
            .. model.StepsSinceFired.ToArray().Select(count => (double)count),
            .. model.StateNumbers.Select(number => number.Get() ?? double.NaN),
            .. encoding.Latents.Value.ToDense().Select(value => (double)value),
        ];
    }

    [Fact]
    public void DeadLatentsOfTopKRestartAtATenthOfADataRow()
    {
        using var run = new SmallRun(Architecture.TopK, threads: 1);
        var model = (TopK)run.Model;
        var pool = run.Batch();
        var silent = new int[model.Config.Latents];
        silent[3] = 11;
        silent[40] = 10;
        silent[90] = 12;
        model.StepsSinceFired.CopyFrom(silent);
        var before = model.Parameters[0].Value.ToArray();
        var moments = model.Parameters[0].FirstMoment.ToArray();
        Assert.Equal(2, model.RestartDead(deadAfter: 10, pool, new Random(5)));

        var d = model.Config.Dimension;
        var after = model.Parameters[0].Value.ToArray();
        Assert.Equal([.. silent.Select(count => count > 10 ? 0 : count)], model.StepsSinceFired.ToArray());
        Assert.Equal(moments, model.Parameters[0].FirstMoment.ToArray());
        var sources = new List<int>();
        for (var m = 0; m < silent.Length; m++)
        {
            var row = after.AsSpan(m * d, d).ToArray();
            if (silent[m] <= 10)
            {
                Assert.Equal(before.AsSpan(m * d, d).ToArray(), row);
                continue;
            }

            var source = Enumerable.Range(0, pool.Length / d).Single(
                i => Enumerable.Range(0, d).All(j => Math.Abs(row[j] - (0.1f * pool[(i * d) + j])) < 1e-6));
            sources.Add(source);
        }

        Assert.Equal(2, sources.Distinct().Count());
    }

    [Fact]
    public void MoreDeadLatentsThanRowsAreDrawnWithReplacement()
    {
        using var run = new SmallRun(Architecture.TopK, threads: 1);
        var model = (TopK)run.Model;
        model.StepsSinceFired.CopyFrom(Enumerable.Repeat(100, model.Config.Latents).ToArray());
        Assert.Equal(model.Config.Latents, model.RestartDead(10, run.Batch().AsSpan(0, 2 * model.Config.Dimension), new Random(5)));
    }

    /// <summary>A model of 96 latents on random rows of 24 features.</summary>
    private sealed class SmallRun : IDisposable
    {
        private const int Rows = 64;
        private const int Dimension = 24;

        private readonly CpuDevice _device;

        public SmallRun(Architecture architecture, int threads, bool scheduled = false)
        {
            _device = new CpuDevice(threads);
            Model = SparseAutoencoder.Create(_device, new SaeConfig
            {
                Architecture = architecture,
                Dimension = Dimension,
                Latents = 96,
                K = 8,
                AuxK = 8,
                AuxDetach = scheduled && architecture == Architecture.BatchTopK,
                Normalize = architecture == Architecture.JumpReLU,
                MonoCoefficient = 0.1,
                Bandwidth = 0.3,
            });
            Model.Initialize(new Random(1));
            Tape = new Tape(_device);
            var options = new StepOptions
            {
                BatchSize = Rows,
                LearningRate = 0.002,
                AdamEpsilon = 1e-9,
                MaxGradientNorm = 1,
                DeadAfter = 3 * Rows,
                DeadCheckInterval = 0,
            };
            Step = new TrainingStep(Model, scheduled ? Scheduled(options, architecture) : options, null, Tape);
            X = _device.Tensor(Rows, Dimension).Set(Batch());
        }

        public SparseAutoencoder Model { get; }

        public Tape Tape { get; }

        public TrainingStep Step { get; }

        public MonoLoss.Kernels.Tensor X { get; }

        /// <summary>Every schedule, moving throughout.</summary>
        private static StepOptions Scheduled(StepOptions options, Architecture architecture)
        {
            const int Long = 200;
            var selects = architecture.SelectsK();
            var penalizes = !architecture.SettingsWithoutEffect().Contains(nameof(SaeConfig.L1Coefficient));
            return options with
            {
                LearningRateWarmup = Long,
                LearningRateDecay = LearningRateDecay.Cosine,
                TotalSteps = 2 * Long,
                MonoWarmup = Long,
                KStart = selects ? 20 : null,
                KAnneal = selects ? Long : 0,
                TargetL0 = penalizes ? 10 : null,
                DecoderBiasStart = DecoderBiasStart.GeometricMedian,
                WeightDecay = 0.1,
            };
        }

        public float[] Batch()
        {
            var random = new Random(2);
            var rows = new float[Rows * Dimension];
            for (var i = 0; i < Rows; i++)
            {
                var row = rows.AsSpan(i * Dimension, Dimension);
                var squares = 0.0;
                foreach (ref var value in row)
                {
                    value = (float)(random.NextDouble() - 0.4);
                    squares += value * value;
                }

                foreach (ref var value in row)
                {
                    value /= (float)Math.Sqrt(squares);
                }
            }

            return rows;
        }

        public void Dispose()
        {
            Step.Dispose();
            Model.Dispose();
            X.Dispose();
            _device.Dispose();
        }
    }
}
