using MonoLoss.Data;
using MonoLoss.Kernels.Cpu;
using MonoLoss.Models;
using MonoLoss.Tests.Cli;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Batches are the same however they reach the device.</summary>
[Collection(IlgpuTests.Name)]
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
public sealed class BatchLoaderTests : IDisposable
{
    private const int Rows = 203;
    private const int Batch = 32;

    private readonly IlgpuFixture _ilgpu;
    private readonly CpuDevice _cpu = new(1);
    private readonly TempFolder _folder = new();
    private readonly FeatureSet _set;

    public BatchLoaderTests(IlgpuFixture ilgpu)
    {
        _ilgpu = ilgpu;
        _set = FeatureSet.Open([RunFiles.Write(_folder["x.parquet"], RunFiles.Features(Rows, 11), 11, rowGroupRows: 40)],
            new FeatureSetOptions());
    }

    /// <summary>Bytes of memory on the host, free bytes on the device, and where the features are expected to be.</summary>
    public static TheoryData<long, long, FeatureResidency> Memories => new()
    {
        { 1 << 20, 1 << 20, FeatureResidency.Device },
        { 1 << 20, 100, FeatureResidency.Memory },
        { 4000, 1 << 20, FeatureResidency.Files },
    };

    public void Dispose()
    {
        _cpu.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Memories))]
    public void Batches_equal_those_of_the_host(long hostBytes, long deviceBytes, FeatureResidency entry)
    {
        var options = new BatchOptions { BatchSize = Batch, MemoryBytes = hostBytes };
        using var expected = BatchLoader.Open(_cpu, _set, options, deviceBytes);
        using var actual = BatchLoader.Open(_ilgpu.Device, _set, options, deviceBytes);
        Assert.Equal(entry == FeatureResidency.Files ? entry : FeatureResidency.Memory, expected.Residency);
        Assert.Equal(entry, actual.Residency);
        Assert.Equal(Rows / Batch, actual.BatchesPerEpoch);
        Assert.Equal(expected.FirstBatch(), actual.FirstBatch());
        foreach (var (epoch, skip, most) in new[] { (0, 0, 100), (1, 2, 2), (1, 0, 100), (0, 6, 100) })
        {
            expected.StartEpoch(epoch, skip);
            actual.StartEpoch(epoch, skip);
            for (var i = 0; i < most; i++)
            {
                var batch = expected.Next();
                var copy = actual.Next();
                Assert.Equal(batch?.X.ToArray(), copy?.X.ToArray());
                if (batch is null)
                {
                    break;
                }
            }

            foreach (var (batch, copy) in expected.InFileOrder().Zip(actual.InFileOrder()))
            {
                Assert.Equal((batch.Rows, batch.X.Columns), (copy.Rows, copy.X.Columns));
                Assert.Equal(batch.X.ToArray(), copy.X.ToArray());
            }
        }
    }

    [Fact]
    public void Failed_upload_throws_at_the_next_batch()
    {
        using var feed = BatchLoader.Open(_ilgpu.Device, _set, new BatchOptions { BatchSize = Batch, MemoryBytes = 4000 }, 0);
        File.WriteAllText(_folder["x.parquet"], "no Parquet any more");
        Assert.Throws<DataException>(() =>
        {
            feed.StartEpoch(0);
            while (feed.Next() is not null)
            {
            }
        });
    }

    /// <summary>Training on features in device memory waits twice per step, and ends in the same bits as with copied batches.</summary>
    [Fact]
    public void Training_on_resident_features_ends_in_the_same_bits()
    {
        const int Steps = 2;
        const int MaxHostSyncs = 2;
        var device = _ilgpu.Device;
        var options = new BatchOptions { BatchSize = Batch, MemoryBytes = 1 << 20 };
        using var resident = new ResidentBatchLoader(device, _set, new InMemoryBatchSource(_set, options));
        using var prefetching = new PrefetchingBatchLoader(device, _set, BatchSource.Create(_set, options));
        var expected = Train(prefetching, out _);
        Assert.Equal(expected, Train(resident, out var waits));
        // The selection's outcome with the dead latents, and the figures of the step.
        Assert.InRange(waits, 1, MaxHostSyncs);

        List<float> Train(BatchLoader feed, out long waits)
        {
            using var model = SparseAutoencoder.Create(
                device,
                new SaeConfig
                {
                    Architecture = Architecture.BatchTopK,
                    Dimension = _set.Dimension,
                    Latents = 24,
                    K = 2,
                    MonoCoefficient = 0.1,
                });
            model.Initialize(new Random(1));
            using var training = new TrainingStep(
                model, new StepOptions { BatchSize = Batch, LearningRate = 1e-3, AdamEpsilon = 1e-8, DeadAfter = 100 * Batch });
            var losses = new List<float>();
            waits = 0;
            feed.StartEpoch(0);
            for (var step = 0; step < Steps; step++)
            {
                waits = device.HostSyncCount;
                var metrics = training.Run(feed.Next()!.Value);
                losses.AddRange([(float)metrics.Loss, (float)metrics.ReconstructionLoss, (float)metrics.MonoScore, (float)metrics.L0]);
                waits = device.HostSyncCount - waits;
            }

            return [.. losses, .. model.Parameters.SelectMany(parameter => parameter.Value.ToArray())];
        }
    }
}
