using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// <see cref="Device.FusedLatentBackward"/> and <see cref="Device.MonoScores"/>. Most latents fire on so few rows that one group does
/// everything for one latent while those rows are in the level-1 cache (<see cref="Visit"/>). One that fires on many is visited in
/// parts, by several groups, and what they sum is put together in order. Where most latents fire on many, products are dense, and kernels do
/// what is between them.
/// </summary>
/// <remarks>The costs of the kernels for long latents are those where every entry is of one.</remarks>
internal static class LatentKernels
{
    /// <summary>All of a latent that fires on few rows, a group a latent.</summary>
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
            Decode(v, m, first, last, Row(v.DecoderGradient, m, v.Columns), v.AddToDecoderGradient != 0, partials);
        }

        MonoTerms terms = default;
        if (v.Nonzeros.Terms.Length > 0 && v.Nonzeros.Terms[m].IsActive)
        {
            var w = SharedMemory.GetDynamic<T>().SubView(0, v.Columns);
            Direction(v, first, last, w);
            terms = Score(v, m, w);
            Compare(v, first, last, w, partials);
        }

        var sums = FormEntries(v.Nonzeros, m, first, last, terms);
        if (v.EncoderGradient.Length > 0)
        {
            Encode(v, first, last, Row(v.EncoderGradient, m, v.Columns), v.AddToEncoderGradient != 0);
            Finish(v, m, sums);
        }
    }

    /// <summary>Long latents: zᵀ·G and w over each part, a group a part.</summary>
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
            Decode(v, part.Latent, part.First, part.Last, Row(v.PartRows, part.Slot, v.Columns), add: false, partials);
        }

        if (v.Nonzeros.Terms.Length > 0 && v.Nonzeros.Terms[part.Latent].IsActive)
        {
            Direction(v, part.First, part.Last, Row(v.PartDirections, part.Slot, v.Columns));
        }
    }

    /// <summary>
    /// Long latents: the parts' zᵀ·G into the decoder's gradient, and their w into that of the first part, with its score; a group
    /// a latent.
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

        if (v.Nonzeros.Terms.Length > 0 && v.Nonzeros.Terms[part.Latent].IsActive)
        {
            var w = Row(v.PartDirections, part.Slot, v.Columns);
            Join(part, v.PartDirections, v.Columns, w, add: false);
            Score(v, part.Latent, w);
        }
    }

    /// <summary>Long latents: ∂z and ∂zᵀ·x over each part, a group a part.</summary>
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

        MonoTerms terms = default;
        if (v.Nonzeros.Terms.Length > 0)
        {
            terms = v.Nonzeros.Terms[part.Latent];
            if (terms.IsActive)
            {
                var partials = SharedMemory.Allocate<float>(LatentReductions.Partials);
                Compare(v, part.First, part.Last, Row(v.PartDirections, part.SlotOf(0), v.Columns), partials);
            }
        }

        var sums = FormEntries(v.Nonzeros, part.Latent, part.First, part.Last, terms);
        if (Group.IdxX == 0)
        {
            v.Nonzeros.Sums[part.Slot] = sums;
        }

        if (v.EncoderGradient.Length > 0)
        {
            Encode(v, part.First, part.Last, Row(v.PartRows, part.Slot, v.Columns), add: false);
        }
    }

    /// <summary>Long latents: the parts' ∂zᵀ·x into the encoder's gradient, and what follows from ∂z; a group a latent.</summary>
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

        Double2 sums = default;
        for (var i = 0; i < part.Count; i++)
        {
            sums = sums.Add(v.Nonzeros.Sums[part.SlotOf(i)]);
        }

        Join(part, v.PartRows, v.Columns, Row(v.EncoderGradient, part.Latent, v.Columns), v.AddToEncoderGradient != 0);
        Finish(v, part.Latent, sums);
    }

    /// <summary>Dense products: writes values by column into an M×B matrix of zeros, a thread an entry.</summary>
    [Kernel("20*N", CachedBytes = "24*N")]
    public static void WriteOut(
        ArrayView<int> rowOf, ArrayView<int> entryOf, ArrayView<int> indices, ArrayView<float> values, int rows, ArrayView<float> matrix)
    {
        var j = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (j < values.IntLength)
        {
            matrix[(indices[entryOf[j]] * rows) + rowOf[j]] = values[j];
        }
    }

    /// <summary>Dense products: reads values by column out of an M×B matrix, a thread an entry.</summary>
    [Kernel("20*N", CachedBytes = "24*N")]
    public static void ReadAt(
        ArrayView<int> rowOf, ArrayView<int> entryOf, ArrayView<int> indices, ArrayView<float> matrix, int rows, ArrayView<float> values)
    {
        var j = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (j < values.IntLength)
        {
            values[j] = matrix[(indices[entryOf[j]] * rows) + rowOf[j]];
        }
    }

    /// <summary>Dense products: the scores of all latents from their w, M×D; a group a latent.</summary>
    [Kernel("4*M*D + 80*M", "4*M*D", CachedBytes = "8*M*D")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void ScoreAll<T, TSums>(LatentTask<T, TSums> v, ArrayView<T> directions)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        if (v.Nonzeros.Terms[Grid.IdxX].IsActive)
        {
            Score(v, Grid.IdxX, Row(directions, Grid.IdxX, v.Columns));
        }
    }

    /// <summary>Dense products: ∂z of every entry from the products, a group a latent.</summary>
    [Kernel("32*N", "37*N", CachedBytes = "64*N")]
    public static void FormAll(LatentEntries p)
    {
        var m = Grid.IdxX;
        MonoTerms terms = default;
        if (p.Terms.Length > 0)
        {
            terms = p.Terms[m];
        }

        var sums = FormEntries(p, m, p.Offsets[m], p.Offsets[m + 1], terms);
        if (Group.IdxX == 0)
        {
            p.Sums[m] = sums;
        }
    }

    /// <summary>Dense products: what follows from ∂z, a group a latent.</summary>
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

    /// <summary>G·W_dec of every entry, and zᵀ·G.</summary>
    private static void Decode<T, TSums>(
        LatentTask<T, TSums> v, int m, int first, int last, ArrayView<T> result, bool add, ArrayView<float> partials)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T> => LatentReductions.DotsAndWeightedSum(
            Row(v.Decoder, m, v.Columns),
            v.Nonzeros.RowIndices,
            first,
            last,
            v.DecodedGradient,
            v.Nonzeros.Decoded,
            partials,
            v.Nonzeros.Z,
            result,
            add);

    /// <summary>w = Σ weight·x.</summary>
    private static void Direction<T, TSums>(LatentTask<T, TSums> v, int first, int last, ArrayView<T> w)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        for (var column = Group.IdxX; column < v.Columns; column += Group.DimX)
        {
            w[column] = LatentReductions.WeightedSum(default, v.Nonzeros.Weights, v.Nonzeros.RowIndices, first, last, v.MonoRows, v.Columns, column);
        }
    }

    /// <summary>The score of an active latent from the whole of w, each thread reading the columns that it wrote.</summary>
    private static MonoTerms Score<T, TSums>(LatentTask<T, TSums> v, int m, ArrayView<T> w)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        double squares = 0, along = 0;
        for (var column = Group.IdxX; column < v.Columns; column += Group.DimX)
        {
            var value = w[column];
            squares = value.Dot(value, squares);
            along = v.Directions[column].Dot(value, along);
        }

        var sums = Reductions.GroupSum(new Double2(squares, along));
        var terms = v.Nonzeros.Terms[m];
        terms.Score = terms.ScoreOf(sums.X);
        terms.Along = sums.Y;
        if (Group.IdxX == 0)
        {
            v.Nonzeros.Terms[m].Score = terms.Score;
            v.Nonzeros.Terms[m].Along = terms.Along;
            v.Scores[m] = (float)terms.Score;
        }

        return terms;
    }

    /// <summary>w·x of every entry.</summary>
    private static void Compare<T, TSums>(LatentTask<T, TSums> v, int first, int last, ArrayView<T> w, ArrayView<float> partials)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T> =>
        LatentReductions.Dots(w, v.Nonzeros.RowIndices, first, last, v.MonoRows, v.Nonzeros.Dots, partials);

    /// <summary>∂z of nonzeros, from all that reaches it.</summary>
    /// <returns>Σ ∂z, and what the threshold gets (<see cref="JumpReLUKernels.BandTerm"/>).</returns>
    private static Double2 FormEntries(LatentEntries p, int m, int first, int last, MonoTerms terms)
    {
        var factor = p.MonoFactor;
        if (p.Active.Length > 0)
        {
            factor /= -p.Active[0];
        }

        var hasThreshold = p.LogThreshold.Length > 0;
        var threshold = hasThreshold ? Exponential.Exp(p.LogThreshold[m]) : 0;
        double sum = 0, bandSum = 0;
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

            if (terms.IsActive)
            {
                g += (float)terms.Gradient(j, z, p.Weights[j], p.Dots[j], p.Norms[p.RowIndices[j]], p.Rows, factor);
            }

            if (hasThreshold)
            {
                bandSum += JumpReLUKernels.BandTerm(p.Pre[entry], z, g, threshold, p.Bandwidth, p.L0Factor);
                // Nothing goes on to the pre-activation where the latent is off.
                g = z == 0 ? 0 : g;
            }

            p.Gradient[entry] = g;
            p.ColumnGradient[j] = g;
            sum += g;
        }

        return Reductions.GroupSum(new Double2(sum, bandSum));
    }

    /// <summary>∂zᵀ·x over nonzeros, with ∂z as the group's other threads have formed it.</summary>
    private static void Encode<T, TSums>(LatentTask<T, TSums> v, int first, int last, ArrayView<T> result, bool add)
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

    /// <summary>result = (add ? result : 0) + Σ of a latent's parts in order; may be the row of one of them.</summary>
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

    /// <summary>What follows from ∂z of a latent once its rows of the weights' gradients are there.</summary>
    private static void Finish<T, TSums>(LatentTask<T, TSums> v, int m, Double2 sums)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var hasCenter = v.Center.Length > 0 && sums.X != 0;
        if (hasCenter || v.EncoderSquares.Length > 0 || v.DecoderSquares.Length > 0)
        {
            double encoderSquares = 0, decoderSquares = 0;
            for (var column = Group.IdxX; column < v.Columns; column += Group.DimX)
            {
                var at = (m * v.Columns) + column;
                var value = v.EncoderGradient[at];
                if (hasCenter)
                {
                    value = value.AddScaled((float)-sums.X, v.Center[column]);
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
            v.ColumnSums[m] = (float)sums.X;
            if (v.BiasGradient.Length > 0)
            {
                v.BiasGradient[m] += (float)sums.X;
            }

            if (v.ThresholdGradient.Length > 0)
            {
                v.ThresholdGradient[m] += JumpReLUKernels.BandGradient(sums.Y, v.Nonzeros.Bandwidth);
            }
        }
    }
}
