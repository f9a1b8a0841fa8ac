namespace MonoLoss.Kernels.Ilgpu;

/// <content>MonoScore.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void MonoScores( SparseRows s, Tensor x, DeviceArray<double> norms, DeviceArray<double> directions, Tensor scores, DeviceArray<float> gradient, DeviceArray<double> result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override int CountMonoActive(SparseRows s, DeviceArray<double> norms) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void BackwardLatents(in LatentBackward work) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AddMonoGradient(SparseRows s, DeviceArray<float> scoreGradient, DeviceArray<double> result, double factor) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AccumulateMonoScore(SparseRows s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void FinishMonoScore(MonoScoreSums sums, DeviceArray<double> scores) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AddDatasetMonoGradient( SparseRows s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums, DeviceArray<double> scores, double factor) => throw new NotImplementedException();
}
