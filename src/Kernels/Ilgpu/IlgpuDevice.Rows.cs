using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Rows.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void RowNorms(Tensor x, DeviceArray<double> norms)
    {
        norms.Resize(x.Rows);
        if (IsVectorizable(x.Columns))
        {
            Launch(RowKernels.RowNorms<Float4>, Warps(x.Rows), Vectors(x), x.Rows, x.Columns / 4, View(norms));
        }
        else
        {
            Launch(RowKernels.RowNorms<Float1>, Warps(x.Rows), Singles(x), x.Rows, x.Columns, View(norms));
        }
    }

    /// <inheritdoc/>
    public override void SumUnitRows(Tensor x, DeviceArray<double> norms, DeviceArray<double> sum)
    {
        Require(norms.Length == x.Rows && sum.Length == x.Columns, "shapes do not fit");
        var (sums, parts) = SumColumnParts(x, new(View(norms), ArrayView<float>.Empty));
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
            Launch(
                RowKernels.LayerNorm<Float4>, RowGroups(x.Rows, x.Columns / 4), Vectors(x), x.Columns / 4, x.Columns, Vectors(normalized), View(mean), View(deviation));
        }
        else
        {
            Launch(
                RowKernels.LayerNorm<Float1>, RowGroups(x.Rows, x.Columns), Singles(x), x.Columns, x.Columns, Singles(normalized), View(mean), View(deviation));
        }
    }

    /// <inheritdoc/>
    public override void ScaleRows(Tensor x, Tensor scale, Tensor? shift, Tensor result)
    {
        Require(scale.Count == x.Rows && (shift is null || shift.Count == x.Rows), "one scale and shift a row");
        result.Resize(x.Rows, x.Columns);
        switch (IsVectorizable(x.Columns), shift)
        {
            case (true, null):
                Launch(RowKernels.ScaleRows<Float4>, Elements(x.Count / 4), Vectors(x), View(scale), x.Columns / 4, Vectors(result));
                break;
            case (false, null):
                Launch(RowKernels.ScaleRows<Float1>, Elements(x.Count), Singles(x), View(scale), x.Columns, Singles(result));
                break;
            case (true, _):
                Launch(
                    RowKernels.ScaleAndShiftRows<Float4>,
                    Elements(x.Count / 4),
                    Vectors(x),
                    View(scale),
                    View(shift),
                    x.Columns / 4,
                    Vectors(result));
                break;
            default:
                Launch(
                    RowKernels.ScaleAndShiftRows<Float1>, Elements(x.Count), Singles(x), View(scale), View(shift), x.Columns, Singles(result));
                break;
        }
    }

    /// <inheritdoc/>
    public override void AddRow(Tensor x, float alpha, Tensor row, Tensor result)
    {
        Require(row.Count == x.Columns, "shapes do not fit");
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
    public override void SumColumns(float alpha, Tensor x, Tensor sums)
    {
        Require(sums.Count == x.Columns, "shapes do not fit");
        var (partials, parts) = SumColumnParts(x, new(ArrayView<double>.Empty, ArrayView<float>.Empty));
        Launch(SumKernels.AddScaledPartials, Columns(x.Columns), partials, parts, x.Columns, alpha, View(sums));
    }

    /// <inheritdoc/>
    public override void LinearCombination(float alpha, Tensor x, float beta, Tensor y, Tensor result)
    {
        RequireSameShape(x, y);
        result.Resize(x.Rows, x.Columns);
        if (IsVectorizable(x.Count))
        {
            Launch(RowKernels.LinearCombination<Float4>, Elements(x.Count / 4), alpha, Vectors(x), beta, Vectors(y), Vectors(result));
        }
        else
        {
            Launch(RowKernels.LinearCombination<Float1>, Elements(x.Count), alpha, Singles(x), beta, Singles(y), Singles(result));
        }
    }

    /// <inheritdoc/>
    public override void GatherRows(Tensor matrix, DeviceArray<int> list, Tensor result)
    {
        result.Resize((int)list.Length, matrix.Columns);
        if (IsVectorizable(matrix.Columns))
        {
            Launch(
                RowKernels.GatherRows<Float4>, Elements(result.Count / 4), Vectors(matrix), View(list), matrix.Columns / 4, Vectors(result));
        }
        else
        {
            Launch(RowKernels.GatherRows<Float1>, Elements(result.Count), Singles(matrix), View(list), matrix.Columns, Singles(result));
        }
    }

    /// <inheritdoc/>
    public override void GatherElements(Tensor vector, DeviceArray<int> list, Tensor result)
    {
        result.Resize(1, (int)list.Length);
        Launch(RowKernels.GatherElements, Elements(result.Count), View(vector), View(list), View(result));
    }

    /// <summary>Sums the columns of x, its rows weighted, in parts.</summary>
    /// <returns>The sums, and in how many parts.</returns>
    private (ArrayView<double> Sums, int Parts) SumColumnParts(Tensor x, RowWeights weights)
    {
        var (rowsPerPart, parts) = Parts(x.Rows);
        var sums = PartialSums((long)parts * x.Columns);
        if (IsVectorizable(x.Columns))
        {
            Launch(
                SumKernels.SumColumns<Float4, Double4>,
                Columns(x.Columns / 4, parts),
                Vectors(x),
                x.Rows,
                x.Columns / 4,
                rowsPerPart,
                weights,
                sums.Cast<Double4>());
        }
        else
        {
            Launch(
                SumKernels.SumColumns<Float1, Double1>,
                Columns(x.Columns, parts),
                Singles(x),
                x.Rows,
                x.Columns,
                rowsPerPart,
                weights,
                sums.Cast<Double1>());
        }

        return (sums, parts);
    }
}
