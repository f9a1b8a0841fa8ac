namespace MonoLoss.Kernels.Ilgpu;

/// <content>JumpReLU.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void JumpReLU( SparseRows s, Tensor x, Tensor weights, Tensor bias, Tensor logThreshold, float bandwidth, DeviceArray<float> pre) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void JumpReLUGradient( SparseRows s, DeviceArray<float> pre, Tensor logThreshold, float bandwidth, double l0Factor, Tensor gradient) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void JumpReLUBounds(Tensor logThreshold, float bandwidth, Tensor bounds) => throw new NotImplementedException();
}
