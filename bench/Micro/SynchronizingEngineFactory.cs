using BenchmarkDotNet.Engines;

namespace MonoLoss.Bench;

/// <summary>
/// Ends every iteration when the device has finished its calls. There is no wait between them: kernels are queued as in training,
/// and the measured time is that of the whole queue.
/// </summary>
internal sealed class SynchronizingEngineFactory : IEngineFactory
{
    /// <inheritdoc/>
    public IEngine CreateReadyToRun(EngineParameters engineParameters)
    {
        engineParameters.WorkloadActionNoUnroll = Synchronized(engineParameters.WorkloadActionNoUnroll);
        engineParameters.WorkloadActionUnroll = Synchronized(engineParameters.WorkloadActionUnroll);
        return new EngineFactory().CreateReadyToRun(engineParameters);
    }

    private static Action<long> Synchronized(Action<long> calls) => count =>
    {
        calls(count);
        KernelBenchmark.Device.Synchronize();
    };
}
