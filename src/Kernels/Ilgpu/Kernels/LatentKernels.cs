using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// <see cref="Device.FusedLatentBackward"/> and <see cref="Device.MonoScores"/>, in three ways:
/// <list type="bullet">
/// <item>A latent that fires on few rows: one group does everything while those rows are in the level-1 cache (<see cref="Visit"/>).</item>
/// <item>A long latent, one that fires on many rows, is cut into parts, one group per part (<see cref="LatentSlice"/>). The parts' sums are
/// added in order by one group per latent.</item>
/// <item>Where most latents fire on many rows, the products are dense, and these kernels do the work between them.</item>
/// </list>
/// </summary>
/// <remarks>The stated costs of the kernels for long latents assume that every nonzero belongs to a long latent.</remarks>
internal static class LatentKernels
{
    /// <summary>Everything for latents that fire on few rows; one group per latent.</summary>
    [Kernel("4*(3*M*D + 3*B*D) + 32*N + 100*M", "10*N*D", CachedBytes = "8*N*D + 20*M*D + 200*N")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void Visit<T, TSums>(LatentTask<T, TSums> v)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var m = Grid.IdxX;
        int first = v.Nonzeros.Offsets[m], last = v.Nonzeros.Offsets[m + 1];
        if (last - first > v.PartLength)
        {
            return;
        }

        var partials = SharedMemory.Allocate<float>(LatentReductions.Partials);
        if (v.Decoder.Length > 0)
        {
            DecoderBackward(v, m, first, last, Row(v.DecoderGradient, m, v.Columns), v.AddToDecoderGradient != 0, partials);
        }

        LatentMonoScore mono = default;
        if (v.Nonzeros.Mono.Length > 0 && v.Nonzeros.Mono[m].IsActive)
        {
            var w = SharedMemory.GetDynamic<T>().SubView(0, v.Columns);
            SumWeightedRows(v, first, last, w);
            mono = Score(v, m, w);
            DotRows(v, first, last, w, partials);
        }

        DotGate(v, m, first, last, partials);
        var sums = FormGradient(v.Nonzeros, m, first, last, mono);
        if (v.EncoderGradient.Length > 0)
        {
            EncoderBackward(v, first, last, Row(v.EncoderGradient, m, v.Columns), v.AddToEncoderGradient != 0);
            Finish(v, m, sums);
        }
    }

    /// <summary>Long latents: zᵀ·G and w over each part; one group per part.</summary>
    [Kernel("8*B*D + 20*N + 12*N*D/128", "6*N*D", CachedBytes = "8*N*D")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void SumParts<T, TSums>(LatentTask<T, TSums> v)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var part = PartOf(v);
        if (part.Latent < 0)
        {
            return;
        }

        if (v.Decoder.Length > 0)
        {
            var partials = SharedMemory.Allocate<float>(LatentReductions.Partials);
            DecoderBackward(v, part.Latent, part.First, part.Last, Row(v.PartRows, part.Slot, v.Columns), add: false, partials);
        }

        if (v.Nonzeros.Mono.Length > 0 && v.Nonzeros.Mono[part.Latent].IsActive)
        {
            SumWeightedRows(v, part.First, part.Last, Row(v.PartWeightedRows, part.Slot, v.Columns));
        }
    }

    /// <summary>
    /// Long latents: sums the parts' zᵀ·G into the decoder's gradient and their w into that of the first part, and forms the score; one
    /// group per latent.
    /// </summary>
    [Kernel("8*N*D/128 + N/2", "2*N*D/128", CachedBytes = "8*N*D/128")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void JoinParts<T, TSums>(LatentTask<T, TSums> v)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var part = PartOf(v);
        if (!part.IsFirst)
        {
            return;
        }

        if (v.Decoder.Length > 0)
        {
            Join(part, v.PartRows, v.Columns, Row(v.DecoderGradient, part.Latent, v.Columns), v.AddToDecoderGradient != 0);
        }

        if (v.Nonzeros.Mono.Length > 0 && v.Nonzeros.Mono[part.Latent].IsActive)
        {
            var w = Row(v.PartWeightedRows, part.Slot, v.Columns);
            Join(part, v.PartWeightedRows, v.Columns, w, add: false);
            Score(v, part.Latent, w);
        }
    }

    /// <summary>Long latents: ∂z and ∂zᵀ·x over each part; one group per part.</summary>
    [Kernel("4*B*D + 40*N + 8*N*D/128", "4*N*D", CachedBytes = "4*N*D + 64*N")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void FormParts<T, TSums>(LatentTask<T, TSums> v)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var part = PartOf(v);
        if (part.Latent < 0)
        {
            return;
        }

        var partials = SharedMemory.Allocate<float>(LatentReductions.Partials);
        LatentMonoScore mono = default;
        if (v.Nonzeros.Mono.Length > 0)
        {
            mono = v.Nonzeros.Mono[part.Latent];
            if (mono.IsActive)
            {
                DotRows(v, part.First, part.Last, Row(v.PartWeightedRows, part.SlotOf(0), v.Columns), partials);
            }
        }

        DotGate(v, part.Latent, part.First, part.Last, partials);
        var sums = FormGradient(v.Nonzeros, part.Latent, part.First, part.Last, mono);
        if (Group.IdxX == 0)
        {
            v.Nonzeros.Sums[part.Slot] = sums;
        }

        if (v.EncoderGradient.Length > 0)
        {
            EncoderBackward(v, part.First, part.Last, Row(v.PartRows, part.Slot, v.Columns), add: false);
        }
    }

    /// <summary>Long latents: sums the parts' ∂zᵀ·x into the encoder's gradient, then <see cref="Finish"/>; one group per latent.</summary>
    [Kernel("4*N*D/128 + N/2", "4*N*D/128", CachedBytes = "8*N*D/128")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void FinishParts<T, TSums>(LatentTask<T, TSums> v)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var part = PartOf(v);
        if (!part.IsFirst)
        {
            return;
        }

        LatentTotals sums = default;
        for (var i = 0; i < part.Count; i++)
        {
            sums = sums.Add(v.Nonzeros.Sums[part.SlotOf(i)]);
        }

        Join(part, v.PartRows, v.Columns, Row(v.EncoderGradient, part.Latent, v.Columns), v.AddToEncoderGradient != 0);
        Finish(v, part.Latent, sums);
    }

    /// <summary>Dense products: scatters values by column into an M×B matrix of zeros; one thread per nonzero.</summary>
    [Kernel("20*N", CachedBytes = "24*N")]
    public static void WriteOut(
        ArrayView<int> offsets,
        ArrayView<int> rowOf,
        ArrayView<int> entryOf,
        ArrayView<int> indices,
        ArrayView<float> values,
        int rows,
        ArrayView<float> matrix)
    {
        var j = Grid.GlobalIndex.X;
        if (j < offsets[offsets.IntLength - 1])
        {
            matrix[(indices[entryOf[j]] * rows) + rowOf[j]] = values[j];
        }
    }

    /// <summary>Dense products: gathers values by column from an M×B matrix; one thread per nonzero.</summary>
    [Kernel("20*N", CachedBytes = "24*N")]
    public static void ReadAt(
        ArrayView<int> offsets,
        ArrayView<int> rowOf,
        ArrayView<int> entryOf,
        ArrayView<int> indices,
        ArrayView<float> matrix,
        int rows,
        ArrayView<float> values)
    {
        var j = Grid.GlobalIndex.X;
        if (j < offsets[offsets.IntLength - 1])
        {
            values[j] = matrix[(indices[entryOf[j]] * rows) + rowOf[j]];
        }
    }

    /// <summary>Dense products: the scores of all latents from their w, M×D; one group per latent.</summary>
    [Kernel("4*M*D + 80*M", "4*M*D", CachedBytes = "8*M*D")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void ScoreAll<T, TSums>(LatentTask<T, TSums> v, ArrayView<T> w)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        if (v.Nonzeros.Mono[Grid.IdxX].IsActive)
        {
            Score(v, Grid.IdxX, Row(w, Grid.IdxX, v.Columns));
        }
    }

    /// <summary>Dense products: ∂z of every nonzero from the products; one group per latent.</summary>
    [Kernel("32*N", "37*N", CachedBytes = "64*N")]
    public static void FormAll(LatentEntries p)
    {
        var m = Grid.IdxX;
        LatentMonoScore mono = default;
        if (p.Mono.Length > 0)
        {
            mono = p.Mono[m];
        }

        var sums = FormGradient(p, m, p.Offsets[m], p.Offsets[m + 1], mono);
        if (Group.IdxX == 0)
        {
            p.Sums[m] = sums;
        }
    }

    /// <summary>Dense products: <see cref="Finish"/> for every latent; one group per latent.</summary>
    [Kernel("12*M*D", "6*M*D", CachedBytes = "4*M*D")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void FinishAll<T, TSums>(LatentTask<T, TSums> v)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T> => Finish(v, Grid.IdxX, v.Nonzeros.Sums[Grid.IdxX]);

    private static LatentSlice PartOf<T, TSums>(LatentTask<T, TSums> v)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T> =>
        LatentSlice.Of(v.Nonzeros.Offsets, v.Nonzeros.Indices, v.Nonzeros.EntryOf, v.PartLength, Grid.IdxX);

    private static ArrayView<T> Row<T>(ArrayView<T> matrix, int row, int columns)
        where T : unmanaged => matrix.SubView(row * columns, columns);

    /// <summary>G·W_dec at every nonzero, and zᵀ·G.</summary>
    private static void DecoderBackward<T, TSums>(
        LatentTask<T, TSums> v, int m, int first, int last, ArrayView<T> result, bool add, ArrayView<float> partials)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T> => LatentReductions.DotsAndWeightedSum(
            Row(v.Decoder, m, v.Columns),
            v.Nonzeros.RowIndices,
            first,
            last,
            GroupKernels.OfGroup(v.DecodedGradient, v.GroupEnds, m, v.Nonzeros.Rows * v.Columns),
            v.Nonzeros.Decoded,
            partials,
            v.Nonzeros.Z,
            result,
            add);

    /// <summary>w = Σ weight·x.</summary>
    private static void SumWeightedRows<T, TSums>(LatentTask<T, TSums> v, int first, int last, ArrayView<T> w)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        for (var column = Group.IdxX; column < v.Columns; column += Group.DimX)
        {
            w[column] = LatentReductions.WeightedSum(
                default, v.Nonzeros.Weights, v.Nonzeros.RowIndices, first, last, v.MonoRows, v.Columns, column);
        }
    }

    /// <summary>The score of an active latent from its complete w. Threads read only columns that they wrote: no barrier.</summary>
    private static LatentMonoScore Score<T, TSums>(LatentTask<T, TSums> v, int m, ArrayView<T> w)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        double squares = 0, wDotSum = 0;
        for (var column = Group.IdxX; column < v.Columns; column += Group.DimX)
        {
            var value = w[column];
            squares = value.Dot(value, squares);
            wDotSum = v.UnitRowSum[column].Dot(value, wDotSum);
        }

        var sums = Reductions.GroupSum(new Double2(squares, wDotSum));
        var mono = v.Nonzeros.Mono[m];
        mono.Score = mono.Terms.Score(sums.X);
        mono.WDotSum = sums.Y;
        if (Group.IdxX == 0)
        {
            v.Nonzeros.Mono[m].Score = mono.Score;
            v.Nonzeros.Mono[m].WDotSum = mono.WDotSum;
            v.Scores[m] = (float)mono.Score;
        }

        return mono;
    }

    /// <summary>w·x at every nonzero.</summary>
    private static void DotRows<T, TSums>(LatentTask<T, TSums> v, int first, int last, ArrayView<T> w, ArrayView<float> partials)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T> =>
        LatentReductions.Dots(w, v.Nonzeros.RowIndices, first, last, v.MonoRows, v.Nonzeros.Dots, partials);

    /// <summary>Gated: the gradient of what ĝ was decoded into times W_dec, at every nonzero.</summary>
    private static void DotGate<T, TSums>(LatentTask<T, TSums> v, int m, int first, int last, ArrayView<float> partials)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        if (v.GateDecodedGradient.Length > 0)
        {
            LatentReductions.Dots(
                Row(v.GateDecoder, m, v.Columns),
                v.Nonzeros.RowIndices,
                first,
                last,
                v.GateDecodedGradient,
                v.Nonzeros.GateDecoded,
                partials);
        }
    }

    /// <summary>∂z, or behind a gate ∂π, at nonzeros first … last − 1: the sum of all its terms.</summary>
    private static LatentTotals FormGradient(LatentEntries p, int m, int first, int last, LatentMonoScore mono)
    {
        var factor = p.MonoFactor;
        if (p.Active.Length > 0)
        {
            factor /= -p.Active[0];
        }

        var isMonoActive = mono.IsActive;
        var scale = isMonoActive ? mono.Terms.GradientScale(factor) : 0.0;
        var hasThreshold = p.LogThreshold.Length > 0;
        var threshold = hasThreshold ? Exponential.Exp(p.LogThreshold[m]) : 0;
        var hasGate = p.GateScale.Length > 0;
        var gateScale = hasGate ? Exponential.Exp(p.GateScale[m]) : 0;
        double sum = 0, firstSum = 0, secondSum = 0;
        for (var j = first + Group.IdxX; j < last; j += Group.DimX)
        {
            var entry = p.EntryOf[j];
            var z = p.Z[j];
            var g = z > 0 ? p.PositiveAmount : 0;
            if (p.AddToGradient != 0)
            {
                g += p.Gradient[entry];
            }

            if (p.Decoded.Length > 0)
            {
                g += p.Decoded[j];
            }

            if (isMonoActive)
            {
                g += (float)mono.Gradient(j, z, p.Weights[j], p.Dots[j], p.Norms[p.RowIndices[j]], p.Rows, scale);
            }

            if (hasThreshold)
            {
                firstSum += JumpReLUKernels.BandTerm(p.Pre[entry], z, g, threshold, p.Bandwidth, p.L0Factor);
                // The pre-activation gets no gradient where the latent is off.
                g = z == 0 ? 0 : g;
            }

            if (hasGate)
            {
                g = z > 0 ? g : 0;
                firstSum += g;
                secondSum += (double)g * z;
                g *= gateScale;
                if (p.Gate[entry] > 0)
                {
                    g += p.GateAmount;
                    if (p.GateDecoded.Length > 0)
                    {
                        g += p.GateDecoded[j];
                    }

                    if (p.GateGradient.Length > 0)
                    {
                        g += p.GateGradient[entry];
                    }
                }
            }

            p.Gradient[entry] = g;
            p.ColumnGradient[j] = g;
            sum += g;
        }

        var sums = Reductions.GroupSum(new Double2(sum, firstSum));
        return new(sums.X, sums.Y, hasGate ? Reductions.GroupSum(secondSum) : 0);
    }

    /// <summary>∂zᵀ·x over nonzeros first … last − 1, with the ∂z that <see cref="FormGradient"/> left.</summary>
    private static void EncoderBackward<T, TSums>(LatentTask<T, TSums> v, int first, int last, ArrayView<T> result, bool add)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        if (add && first == last)
        {
            return;
        }

        for (var column = Group.IdxX; column < v.Columns; column += Group.DimX)
        {
            T start = default;
            if (add)
            {
                start = result[column];
            }

            result[column] = LatentReductions.WeightedSum(
                start, v.Nonzeros.ColumnGradient, v.Nonzeros.RowIndices, first, last, v.Input, v.Columns, column);
        }
    }

    /// <summary>result = (add ? result : 0) + the sum of a latent's parts, in order; result may be one of these parts.</summary>
    private static void Join<T>(LatentSlice part, ArrayView<T> parts, int columns, ArrayView<T> result, bool add)
        where T : unmanaged, IFloats<T>
    {
        for (var column = Group.IdxX; column < columns; column += Group.DimX)
        {
            T sum = default;
            if (add)
            {
                sum = result[column];
            }

            for (var i = 0; i < part.Count; i++)
            {
                sum = sum.AddScaled(1, parts[(part.SlotOf(i) * columns) + column]);
            }

            result[column] = sum;
        }
    }

    /// <summary>The rest of a latent once its rows of the weights' gradients exist: center, sums of squares, bias, threshold.</summary>
    private static void Finish<T, TSums>(LatentTask<T, TSums> v, int m, LatentTotals sums)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var hasCenter = v.Center.Length > 0 && sums.Sum != 0;
        if (hasCenter || v.EncoderSquares.Length > 0 || v.DecoderSquares.Length > 0)
        {
            double encoderSquares = 0, decoderSquares = 0;
            for (var column = Group.IdxX; column < v.Columns; column += Group.DimX)
            {
                var at = (m * v.Columns) + column;
                var value = v.EncoderGradient[at];
                if (hasCenter)
                {
                    value = value.AddScaled((float)-sums.Sum, v.Center[column]);
                    v.EncoderGradient[at] = value;
                }

                encoderSquares = value.Dot(value, encoderSquares);
                if (v.DecoderSquares.Length > 0)
                {
                    value = v.DecoderGradient[at];
                    decoderSquares = value.Dot(value, decoderSquares);
                }
            }

            var squares = Reductions.GroupSum(new Double2(encoderSquares, decoderSquares));
            if (Group.IdxX == 0 && v.EncoderSquares.Length > 0)
            {
                v.EncoderSquares[m] = squares.X;
            }

            if (Group.IdxX == 0 && v.DecoderSquares.Length > 0)
            {
                v.DecoderSquares[m] = squares.Y;
            }
        }

        if (Group.IdxX == 0)
        {
            v.ColumnSums[m] = (float)sums.Sum;
            var biasSum = sums.Sum;
            if (v.Nonzeros.GateScale.Length > 0)
            {
                // The gate's bias gets Σ ∂ĝ, the rest of Σ ∂π.
                biasSum -= Exponential.Exp(v.Nonzeros.GateScale[m]) * sums.First;
                v.MagBiasGradient[m] += (float)sums.First;
                v.GateScaleGradient[m] += (float)(sums.Second - (v.MagBias[m] * sums.First));
            }

            if (v.BiasGradient.Length > 0)
            {
                v.BiasGradient[m] += (float)biasSum;
            }

            if (v.ThresholdGradient.Length > 0)
            {
                v.ThresholdGradient[m] += JumpReLUKernels.BandGradient(sums.First, v.Nonzeros.Bandwidth);
            }
        }
    }
}
