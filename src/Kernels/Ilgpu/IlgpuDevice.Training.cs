namespace MonoLoss.Kernels.Ilgpu;

/// <content>Training.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void SquaredError(Tensor r, Tensor t, double weight, bool relative, DeviceArray<double> result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void SquaredErrorGradient(Tensor r, Tensor t, double weight, bool relative, double factor, Tensor gradient) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AccumulateColumnErrors(Tensor x, Tensor r, DeviceArray<double> sums) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void CountSilentBatches(SparseRows s, DeviceArray<int> counters, int fired) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override int ListSilent(DeviceArray<int> counters, int least, DeviceArray<int> list) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AddSumSquares(Tensor x, DeviceArray<double> result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AddSum(DeviceArray<double> values, DeviceArray<double> result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void NormalizeRows(Tensor x) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void Adam(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamStep step) => throw new NotImplementedException();
}
