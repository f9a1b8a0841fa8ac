using BenchmarkDotNet.Engines;

namespace MonoLoss.Bench;

/// <summary>
/// Ends every iteration when the device is through with its calls. Between them it is not waited for: kernels are queued as in training,
/// and what is measured is how long they take in a row.
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
