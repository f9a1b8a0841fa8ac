using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Rows of dense matrices.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void RowNorms(Tensor x, DeviceArray<double> norms)
    {
        norms.Resize(x.Rows);
        if (IsVectorizable(x.Columns))
        {
            Launch(RowKernels.RowNorms<Float4>, Warps(x.Rows), Floats<Float4>(x), x.Rows, x.Columns / 4, View(norms));
        }
        else
        {
            Launch(RowKernels.RowNorms<Float1>, Warps(x.Rows), Floats<Float1>(x), x.Rows, x.Columns, View(norms));
        }
    }

    /// <inheritdoc/>
    public override void SumUnitRows(Tensor x, DeviceArray<double> norms, DeviceArray<double> sum)
    {
        Require(norms.Length == x.Rows && sum.Length == x.Columns, "shapes do not fit");
        var (sums, parts) = SumColumnParts(x, x.Rows, new(View(norms), ArrayView<float>.Empty));
        Launch(SumKernels.AddPartials, Columns(x.Columns), sums, parts, x.Columns, View(sum));
    }

    /// <inheritdoc/>
    public override void LayerNorm(Tensor x, Tensor normalized, Tensor mean, Tensor deviation)
    {
        normalized.Resize(x.Rows, x.Columns);
        mean.Resize(1, x.Rows);
        deviation.Resize(1, x.Rows);
        if (IsVectorizable(x.Columns))
        {
            LayerNorm<Float4>(x, normalized, mean, deviation);
        }
        else
        {
            LayerNorm<Float1>(x, normalized, mean, deviation);
        }
    }

    /// <inheritdoc/>
    public override void ScaleRows(Tensor x, Tensor scale, Tensor? shift, Tensor result)
    {
        Require(scale.Count == x.Rows && (shift is null || shift.Count == x.Rows), "one scale and shift per row");
        result.Resize(x.Rows, x.Columns);
        if (IsVectorizable(x.Columns))
        {
            ScaleRows<Float4>(x, scale, shift, result);
        }
        else
        {
            ScaleRows<Float1>(x, scale, shift, result);
        }
    }

    /// <inheritdoc/>
    public override void AddRow(Tensor x, float alpha, Tensor row, Tensor result)
    {
        Require(row.Count == x.Columns, "shapes do not fit");
        result.Resize(x.Rows, x.Columns);
        if (IsVectorizable(x.Columns))
        {
            AddRow<Float4>(x, alpha, row, result);
        }
        else
        {
            AddRow<Float1>(x, alpha, row, result);
        }
    }

    /// <inheritdoc/>
    public override void SumColumns(float alpha, Tensor x, Tensor sums, int? rows = null)
    {
        Require(sums.Count == x.Columns && (rows is null or >= 0) && (rows ?? 0) <= x.Rows, "shapes do not fit");
        var (partials, parts) = SumColumnParts(x, rows ?? x.Rows, new(ArrayView<double>.Empty, ArrayView<float>.Empty));
        Launch(SumKernels.AddScaledPartials, Columns(x.Columns), partials, parts, x.Columns, alpha, View(sums));
    }

    /// <inheritdoc/>
    public override void LinearCombination(float alpha, Tensor x, float beta, Tensor y, Tensor result)
    {
        RequireSameShape(x, y);
        result.Resize(x.Rows, x.Columns);
        if (IsVectorizable(x.Count))
        {
            LinearCombination<Float4>(alpha, x, beta, y, result);
        }
        else
        {
            LinearCombination<Float1>(alpha, x, beta, y, result);
        }
    }

    /// <inheritdoc/>
    public override void GatherRows(Tensor matrix, DeviceArray<int> list, Tensor result)
    {
        result.Resize((int)list.Length, matrix.Columns);
        if (IsVectorizable(matrix.Columns))
        {
            GatherRows<Float4>(matrix, list, result);
        }
        else
        {
            GatherRows<Float1>(matrix, list, result);
        }
    }

    /// <inheritdoc/>
    public override void GatherElements(Tensor vector, DeviceArray<int> list, Tensor result)
    {
        result.Resize(1, (int)list.Length);
        Launch(RowKernels.GatherElements, Elements(result.Count), View(vector), View(list), View(result));
    }

    /// <inheritdoc/>
    public override void ScatterRows(Tensor rows, DeviceArray<int> list, Tensor matrix)
    {
        Require(rows.Rows == list.Length && rows.Columns == matrix.Columns, "shapes do not fit");
        if (IsVectorizable(matrix.Columns))
        {
            ScatterRows<Float4>(rows, list, matrix);
        }
        else
        {
            ScatterRows<Float1>(rows, list, matrix);
        }
    }

    private void LayerNorm<T>(Tensor x, Tensor normalized, Tensor mean, Tensor deviation)
        where T : unmanaged, IFloats<T>
    {
        var columns = InUnits<T>(x.Columns);
        Launch(
            RowKernels.LayerNorm<T>,
            RowGroups(x.Rows, columns),
            Floats<T>(x),
            columns,
            x.Columns,
            Floats<T>(normalized),
            View(mean),
            View(deviation));
    }

    private void ScaleRows<T>(Tensor x, Tensor scale, Tensor? shift, Tensor result)
        where T : unmanaged, IFloats<T>
    {
        var (values, target, columns) = (Floats<T>(x), Floats<T>(result), InUnits<T>(x.Columns));
        if (shift is null)
        {
            Launch(RowKernels.ScaleRows<T>, Elements(values.Length), values, View(scale), columns, target);
        }
        else
        {
            Launch(RowKernels.ScaleAndShiftRows<T>, Elements(values.Length), values, View(scale), View(shift), columns, target);
        }
    }

    private void AddRow<T>(Tensor x, float alpha, Tensor row, Tensor result)
        where T : unmanaged, IFloats<T>
    {
        var values = Floats<T>(x);
        Launch(RowKernels.AddRow<T>, Elements(values.Length), values, alpha, Floats<T>(row), Floats<T>(result));
    }

    private void LinearCombination<T>(float alpha, Tensor x, float beta, Tensor y, Tensor result)
        where T : unmanaged, IFloats<T>
    {
        var values = Floats<T>(x);
        Launch(RowKernels.LinearCombination<T>, Elements(values.Length), alpha, values, beta, Floats<T>(y), Floats<T>(result));
    }

    private void GatherRows<T>(Tensor matrix, DeviceArray<int> list, Tensor result)
        where T : unmanaged, IFloats<T>
    {
        var target = Floats<T>(result);
        Launch(
            RowKernels.GatherRows<T>, Elements(target.Length), Floats<T>(matrix), View(list), InUnits<T>(matrix.Columns), target);
    }

    private void ScatterRows<T>(Tensor rows, DeviceArray<int> list, Tensor matrix)
        where T : unmanaged, IFloats<T>
    {
        var source = Floats<T>(rows);
        Launch(
            RowKernels.ScatterRows<T>, Elements(source.Length), source, View(list), InUnits<T>(matrix.Columns), Floats<T>(matrix));
    }

    /// <summary>Sums the columns of the first rows of x, weighted, in parts.</summary>
    /// <returns>The partial sums, and the number of parts.</returns>
    private (ArrayView<double> Sums, int Parts) SumColumnParts(Tensor x, int rows, RowWeights weights) => IsVectorizable(x.Columns)
        ? SumColumnParts<Float4, Double4>(x, rows, weights)
        : SumColumnParts<Float1, Double1>(x, rows, weights);

    private (ArrayView<double> Sums, int Parts) SumColumnParts<T, TSums>(Tensor x, int rows, RowWeights weights)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var (rowsPerPart, parts) = Parts(rows);
        var sums = Scratch.PartialSums.WithLength((long)parts * x.Columns).View;
        var columns = InUnits<T>(x.Columns);
        Launch(
            SumKernels.SumColumns<T, TSums>,
            Columns(columns, parts),
            Floats<T>(x),
            rows,
            columns,
            rowsPerPart,
            weights,
            sums.Cast<TSums>());
        return (sums, parts);
    }
}
