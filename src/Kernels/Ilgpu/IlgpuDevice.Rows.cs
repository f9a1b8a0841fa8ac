namespace MonoLoss.Kernels.Ilgpu;

/// <content>Rows.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void RowNorms(Tensor x, DeviceArray<double> norms) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void SumUnitRows(Tensor x, DeviceArray<double> norms, DeviceArray<double> sum) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void LayerNorm(Tensor x, Tensor normalized, Tensor mean, Tensor deviation) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void ScaleRows(Tensor x, Tensor scale, Tensor? shift, Tensor result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AddRow(Tensor x, float alpha, Tensor row, Tensor result)
    {
        Require(row.Count == x.Columns, $"a row of {row.Count} values for {x.Columns} columns");
        result.Resize(x.Rows, x.Columns);
        if (IsVectorizable(x.Columns))
        {
            Launch(RowKernels.AddRow<Float4>, Elements(x.Count / 4), Vectors(x), alpha, Vectors(row), Vectors(result));
        }
        else
        {
            Launch(RowKernels.AddRow<Float1>, Elements(x.Count), Singles(x), alpha, Singles(row), Singles(result));
        }
    }

    /// <inheritdoc/>
    public override void SumColumns(float alpha, Tensor x, Tensor sums) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void Combine(float alpha, Tensor x, float beta, Tensor y, Tensor result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void GatherRows(Tensor matrix, DeviceArray<int> list, Tensor result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void GatherColumns(Tensor vector, DeviceArray<int> list, Tensor result) => throw new NotImplementedException();
}
