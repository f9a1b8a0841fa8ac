namespace MonoLoss.Kernels.Ilgpu;

/// <content>Products.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void Gemm( bool transposeA, bool transposeB, float alpha, Tensor a, Tensor b, float beta, Tensor c, Tensor? bias = null, bool relu = false) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AddWeightedRows(float alpha, Tensor weights, Tensor matrix, Tensor y) => throw new NotImplementedException();
}
