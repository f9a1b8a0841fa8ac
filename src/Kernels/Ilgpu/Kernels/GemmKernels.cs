using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Products of dense matrices.</summary>
internal static class GemmKernels
{
    // One operand's tile in groups of four floats, with padding; the 64×32 one takes the most.
    private const int TileQuads = 32 * ((64 / 4) + 1);

    /// <summary>
    /// A group makes a tile of C, or of one of the partial sums of which C will be the sum. The operands come to shared memory some
    /// terms at a time, and while they are multiplied the next are under way.
    /// </summary>
    /// <typeparam name="T">How global memory is read and written.</typeparam>
    /// <typeparam name="TLeft">How A lies in memory.</typeparam>
    /// <typeparam name="TRight">How B lies in memory.</typeparam>
    /// <typeparam name="TTile">How a tile is multiplied.</typeparam>
    [Kernel("4*(B*D + M*D + B*M)", "2*B*D*M", CachedBytes = "B*D*M/16", MinGroups = 2)]
    [KernelInstance(typeof(Float1), typeof(AlongTerms), typeof(AlongTerms), typeof(Tile64))]
    [KernelInstance(typeof(Float4), typeof(AlongTerms), typeof(AlongTerms), typeof(Tile64))]
    [KernelInstance(typeof(Float4), typeof(AlongTerms), typeof(AlongTerms), typeof(Tile128))]
    [KernelInstance(typeof(Float1), typeof(AlongTerms), typeof(AcrossTerms), typeof(Tile64))]
    [KernelInstance(typeof(Float4), typeof(AlongTerms), typeof(AcrossTerms), typeof(Tile64))]
    [KernelInstance(typeof(Float4), typeof(AlongTerms), typeof(AcrossTerms), typeof(Tile128))]
    [KernelInstance(typeof(Float1), typeof(AcrossTerms), typeof(AlongTerms), typeof(Tile64))]
    [KernelInstance(typeof(Float4), typeof(AcrossTerms), typeof(AlongTerms), typeof(Tile64))]
    [KernelInstance(typeof(Float4), typeof(AcrossTerms), typeof(AlongTerms), typeof(Tile128))]
    [KernelInstance(typeof(Float1), typeof(AcrossTerms), typeof(AcrossTerms), typeof(Tile64))]
    [KernelInstance(typeof(Float4), typeof(AcrossTerms), typeof(AcrossTerms), typeof(Tile64))]
    [KernelInstance(typeof(Float4), typeof(AcrossTerms), typeof(AcrossTerms), typeof(Tile128))]
    public static void Gemm<T, TLeft, TRight, TTile>(
        ArrayView<T> left, ArrayView<T> right, ArrayView<T> bias, ArrayView<T> result, GemmShape shape)
        where T : unmanaged, IFloats<T>
        where TLeft : unmanaged, IOperand
        where TRight : unmanaged, IOperand
        where TTile : unmanaged, ITile<TTile> => Multiply<T, TLeft, TRight, TTile>(left, right, bias, result, shape);

    /// <summary>The same on tensor cores, operands rounded to TF32.</summary>
    /// <typeparam name="TLeft">How A lies in memory.</typeparam>
    /// <typeparam name="TRight">How B lies in memory.</typeparam>
    [Kernel("4*(B*D + M*D + B*M)", "2*B*D*M", CachedBytes = "B*D*M/16", TensorCores = true, Vectorized = true, MinGroups = 2)]
    [KernelInstance(typeof(AlongTerms), typeof(AlongTerms))]
    [KernelInstance(typeof(AlongTerms), typeof(AcrossTerms))]
    [KernelInstance(typeof(AcrossTerms), typeof(AlongTerms))]
    [KernelInstance(typeof(AcrossTerms), typeof(AcrossTerms))]
    public static void GemmTf32<TLeft, TRight>(
        ArrayView<Float4> left, ArrayView<Float4> right, ArrayView<Float4> bias, ArrayView<Float4> result, GemmShape shape)
        where TLeft : unmanaged, IOperand
        where TRight : unmanaged, IOperand => Multiply<Float4, TLeft, TRight, TensorTile>(left, right, bias, result, shape);

    /// <summary>C from its partial sums, four columns a thread; always in the same order.</summary>
    /// <param name="partials">One M×N matrix after another.</param>
    /// <param name="splits">How many.</param>
    /// <param name="bias">N values, or none.</param>
    /// <param name="result">C.</param>
    /// <param name="shape">The product.</param>
    [Kernel("4*3*B*D", "7*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void SumPartials<T>(ArrayView<T> partials, int splits, ArrayView<T> bias, ArrayView<T> result, GemmShape shape)
        where T : unmanaged, IFloats<T>
    {
        var i = (Grid.IdxX * Group.DimX) + Group.IdxX;
        var quads = (shape.N + 3) / 4;
        var row = i / quads;
        var column = (i % quads) * 4;
        if (row >= shape.M)
        {
            return;
        }

        var sum = default(Float4);
        for (var split = 0; split < splits; split++)
        {
            var at = (((split * shape.M) + row) * shape.N) + column;
            sum = sum.AddScaled(1, default(T).Load(partials, at, shape.N - column));
        }

        new GemmOutput<T>(result, bias, shape, 0).Store(row, column, sum);
    }

    private static void Multiply<T, TLeft, TRight, TTile>(
        ArrayView<T> left, ArrayView<T> right, ArrayView<T> bias, ArrayView<T> result, GemmShape shape)
        where T : unmanaged, IFloats<T>
        where TLeft : unmanaged, IOperand
        where TRight : unmanaged, IOperand
        where TTile : unmanaged, ITile<TTile>
    {
        // Two buffers of two operands: while one is multiplied the other is filled.
        var shared = SharedMemory.Allocate<Float4>(4 * TileQuads);
        var sums = default(TTile);
        var row = shape.Row(Grid.IdxX, sums.Size, sums.Size);
        var column = shape.Column(Grid.IdxX, sums.Size, sums.Size);
        var begin = Grid.IdxY * shape.SplitDepth;
        var end = Math.Min(shape.K, begin + shape.SplitDepth);

        var a = Strip<TTile>.Fetch<T, TLeft>(left, shape.M, shape.K, row, begin, end);
        var b = Strip<TTile>.Fetch<T, TRight>(right, shape.N, shape.K, column, begin, end);
        var buffer = 0;
        for (var term = begin; term < end; term += sums.Step)
        {
            var leftTile = shared.SubView(buffer, TileQuads);
            var rightTile = shared.SubView(buffer + TileQuads, TileQuads);
            a.Put<TLeft>(leftTile);
            b.Put<TRight>(rightTile);
            Group.Barrier();
            a = Strip<TTile>.Fetch<T, TLeft>(left, shape.M, shape.K, row, term + sums.Step, end);
            b = Strip<TTile>.Fetch<T, TRight>(right, shape.N, shape.K, column, term + sums.Step, end);
            sums = sums.Multiply(Group.IdxX, leftTile, rightTile);
            buffer = (2 * TileQuads) - buffer;
        }

        sums.Store(Group.IdxX, new GemmOutput<T>(result, bias, shape, Grid.IdxY * shape.M * shape.N), row, column);
    }
}

/// <summary>What one thread brings of an operand's tile from global memory to shared memory.</summary>
internal readonly struct Strip<TTile>(Float4 first, Float4 second)
    where TTile : unmanaged, ITile<TTile>
{
    private readonly Float4 _first = first;
    private readonly Float4 _second = second;

    public static Strip<TTile> Fetch<T, TOperand>(ArrayView<T> matrix, int rows, int depth, int row, int term, int end)
        where T : unmanaged, IFloats<T>
        where TOperand : unmanaged, IOperand
    {
        var (operand, step, slot, other) = (default(TOperand), default(TTile).Step, Group.IdxX, Group.IdxX + IlgpuDevice.GroupSize);
        return new(
            operand.Fetch(matrix, rows, depth, row + operand.Row(slot, step), term + operand.Term(slot, step), end),
            operand.Fetch(matrix, rows, depth, row + operand.Row(other, step), term + operand.Term(other, step), end));
    }

    public void Put<TOperand>(ArrayView<Float4> tile)
        where TOperand : unmanaged, IOperand
    {
        var (operand, step, slot, other) = (default(TOperand), default(TTile).Step, Group.IdxX, Group.IdxX + IlgpuDevice.GroupSize);
        operand.Put<TTile>(tile, operand.Row(slot, step), operand.Term(slot, step), _first);
        operand.Put<TTile>(tile, operand.Row(other, step), operand.Term(other, step), _second);
    }
}

/// <summary>Where sums go, and what is done to them on the way.</summary>
internal readonly struct GemmOutput<T>(ArrayView<T> result, ArrayView<T> bias, GemmShape shape, int start)
    where T : unmanaged, IFloats<T>
{
    private readonly ArrayView<T> _result = result;
    private readonly ArrayView<T> _bias = bias;
    private readonly GemmShape _shape = shape;
    private readonly int _start = start;

    /// <summary>Writes four columns of a row.</summary>
    public void Store(int row, int column, Float4 sums)
    {
        var valid = row < _shape.M ? _shape.N - column : 0;
        if (valid <= 0)
        {
            return;
        }

        var at = _start + (row * _shape.N) + column;
        var values = sums.Scale(_shape.Alpha);
        if (_shape.Beta != 0)
        {
            values = values.AddScaled(_shape.Beta, default(T).Load(_result, at, valid));
        }

        if (_bias.Length > 0)
        {
            values = values.AddScaled(1, default(T).Load(_bias, column, valid));
        }

        if (_shape.Relu != 0)
        {
            values = values.Relu();
        }

        default(T).Store(_result, at, valid, values);
    }
}
