namespace MonoLoss.Kernels.Ilgpu;

/// <content>Sparse.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void IndexColumns(SparseRows s) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void SpMM(SparseRows s, Tensor matrix, Tensor? bias, Tensor result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void SpMMTransposed(SparseRows s, bool useGradient, Tensor x, Tensor result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void Sddmm(SparseRows s, Tensor g, Tensor matrix) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void SumGradientColumns(SparseRows s, Tensor sums) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void SumPositive(SparseRows s, DeviceArray<double> result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AddToGradientWherePositive(SparseRows s, float amount) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void MapColumns(SparseRows s, DeviceArray<int> list, int columns) => throw new NotImplementedException();
}
