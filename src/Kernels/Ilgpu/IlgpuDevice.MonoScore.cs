using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>MonoScore.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void MonoScores(
        CsrMatrix s,
        Tensor x,
        DeviceArray<double> norms,
        DeviceArray<double> unitRowSum,
        Tensor scores,
        DeviceArray<float> gradient,
        DeviceArray<double> result)
    {
        RequireColumnIndex(s);
        gradient.Resize(s.MaxNonzeroCount);
        if (IsVectorizable(x.Columns))
        {
            MonoScores<Float4, Double4>(s, x, norms, unitRowSum, scores, gradient);
        }
        else
        {
            MonoScores<Float1, Double1>(s, x, norms, unitRowSum, scores, gradient);
        }

        SumScores(scores, result);
    }

    /// <inheritdoc/>
    public override int CountMonoActive(CsrMatrix s, DeviceArray<double> norms)
    {
        RequireColumnIndex(s);
        var weights = Scratch.MonoWeights.WithLength(s.MaxNonzeroCount).View;
        FormTerms(s, GatherValues(s), View(norms), weights, Scratch.MonoScores.WithLength(s.Columns).View);
        return Read(Scratch.MonoActiveCount, 0);
    }

    /// <inheritdoc/>
    public override void AddMonoGradient(CsrMatrix s, DeviceArray<float> scoreGradient, DeviceArray<double> result, double factor)
    {
        var count = s.MaxNonzeroCount;
        Require(scoreGradient.Length == count, $"{scoreGradient.Length} gradients for {count} nonzeros");
        Launch(MonoKernels.AddScoreGradient, Elements(count), View(s.OpenGradient), View(scoreGradient), View(result), factor);
    }

    /// <inheritdoc/>
    public override void AccumulateMonoScore(CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums)
    {
        RequireColumnIndex(s);
        Require(s.Columns == sums.Latents && x.Columns == sums.Dimension && s.Rows == x.Rows, "shapes do not fit");
        SumUnitRows(x, norms, sums.UnitRowSum);
        Launch(
            DatasetMonoKernels.AddValues,
            Warps(s.Columns),
            View(s.ColumnOffsets),
            View(s.OpenEntryOf),
            View(s.OpenValues),
            Sums<double>(sums));
        if (IsVectorizable(x.Columns))
        {
            AddWeightedUnitRows<Float4, Double4>(s, x, norms, sums);
        }
        else
        {
            AddWeightedUnitRows<Float1, Double1>(s, x, norms, sums);
        }

        sums.Rows += s.Rows;
    }

    /// <inheritdoc/>
    public override void FinishMonoScore(MonoScoreSums sums, DeviceArray<double> scores)
    {
        scores.Resize(sums.Latents);
        if (IsVectorizable(sums.Dimension))
        {
            FinishMonoScore<Float4, Double4>(sums, scores);
        }
        else
        {
            FinishMonoScore<Float1, Double1>(sums, scores);
        }
    }

    /// <inheritdoc/>
    public override void AddDatasetMonoGradient(
        CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums, DeviceArray<double> scores, double factor)
    {
        RequireColumnIndex(s);
        Require(
            s.Columns == sums.Latents && scores.Length == sums.Latents && x.Columns == sums.Dimension && s.Rows == x.Rows,
            "shapes do not fit");
        if (IsVectorizable(x.Columns))
        {
            AddDatasetMonoGradient<Float4, Double4>(s, x, norms, sums, scores, factor);
        }
        else
        {
            AddDatasetMonoGradient<Float1, Double1>(s, x, norms, sums, scores, factor);
        }
    }

    private static DatasetSums<TSums> Sums<TSums>(MonoScoreSums sums)
        where TSums : unmanaged => new()
        {
            Sum = View(sums.Sum),
            SumSquares = View(sums.SumSquares),
            Minimum = View(sums.Minimum),
            Maximum = View(sums.Maximum),
            Nonzeros = View(sums.Nonzeros),
            Fired = View(sums.Fired),
            MinimumTies = View(sums.MinimumTies),
            MaximumTies = View(sums.MaximumTies),
            WeightedUnitRows = View(sums.WeightedUnitRows).Cast<TSums>(),
            UnitRowSum = View(sums.UnitRowSum).Cast<TSums>(),
            Rows = sums.Rows,
        };

    private void MonoScores<T, TSums>(
        CsrMatrix s, Tensor x, DeviceArray<double> norms, DeviceArray<double> unitRowSum, Tensor scores, DeviceArray<float> gradient)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var visit = Visit<T, TSums>(s, x.Columns, gradient);
        AddMono(ref visit, s, x, norms, unitRowSum, scores);
        VisitLatents(s, visit);
    }

    /// <summary>Gathers the values of the nonzeros in column order.</summary>
    private ArrayView<float> GatherValues(CsrMatrix s)
    {
        var z = Scratch.ColumnActivations.WithLength(s.MaxNonzeroCount).View;
        Launch(MonoKernels.GatherValues, Elements(s.MaxNonzeroCount), View(s.OpenEntryOf), View(s.OpenValues), z);
        return z;
    }

    /// <summary>Forms the terms and weights of every latent, and counts the active latents.</summary>
    private ArrayView<LatentMonoScore> FormTerms(
        CsrMatrix s, ArrayView<float> z, ArrayView<double> norms, ArrayView<float> weights, ArrayView<float> scores)
    {
        var active = Scratch.MonoActiveCount.WithLength(1);
        active.Clear();
        var terms = Scratch.MonoTerms.WithLength(s.Columns).View;
        Launch(
            MonoKernels.FormTerms,
            Warps(s.Columns),
            View(s.ColumnOffsets),
            View(s.OpenRowIndices),
            z,
            norms,
            weights,
            terms,
            scores,
            active.View);
        return terms;
    }

    private void SumScores(Tensor scores, DeviceArray<double> result) => Launch(
        MonoKernels.SumScores, Groups(1), View(scores), Scratch.MonoActiveCount.View, View(result));

    private void AddWeightedUnitRows<T, TSums>(CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var columns = InUnits<T>(x.Columns);
        var pieces = (columns + DatasetMonoKernels.ColumnsPerGroup - 1) / DatasetMonoKernels.ColumnsPerGroup;
        Launch(
            DatasetMonoKernels.AddWeightedUnitRows<T, TSums>,
            new KernelConfig(new Index3D(s.Columns, pieces, 1), new Index3D(GroupSize, 1, 1)),
            View(s.ColumnOffsets),
            View(s.OpenRowIndices),
            View(s.OpenEntryOf),
            View(s.OpenValues),
            RowsOrNone<T>(x),
            View(norms),
            columns,
            View(sums.WeightedUnitRows).Cast<TSums>());
    }

    private void FinishMonoScore<T, TSums>(MonoScoreSums sums, DeviceArray<double> scores)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T> => Launch(
            DatasetMonoKernels.FinishScores<T, TSums>, Warps(sums.Latents), Sums<TSums>(sums), InUnits<T>(sums.Dimension), View(scores));

    private void AddDatasetMonoGradient<T, TSums>(
        CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums, DeviceArray<double> scores, double factor)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var columns = InUnits<T>(x.Columns);
        var groups = s.Columns + (MayHaveLong(s) ? LatentSlice.Slots(s.MaxNonzeroCount, PartLength(s)) : 0);
        Launch(
            DatasetMonoKernels.AddGradient<T, TSums>,
            WithRow<T>(groups, columns),
            View(s.ColumnOffsets),
            View(s.OpenRowIndices),
            View(s.OpenEntryOf),
            View(s.OpenIndices),
            View(s.OpenValues),
            PartLength(s),
            RowsOrNone<T>(x),
            View(norms),
            Sums<TSums>(sums),
            View(scores),
            factor,
            Scratch.MonoDots.WithLength(s.MaxNonzeroCount).View,
            View(s.OpenGradient));
    }
}
