namespace MonoLoss.Kernels.Ilgpu;

/// <content>Encode.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void EncodeTopK(Tensor x, Tensor weights, Tensor? bias, int k, SparseRows latents) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override float EncodeBatchTopK(Tensor x, Tensor weights, Tensor? bias, int k, SparseRows latents) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void EncodeThreshold(Tensor x, Tensor weights, Tensor? bias, Tensor? bounds, SparseRows latents) => throw new NotImplementedException();
}
