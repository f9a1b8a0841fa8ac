using ILGPU;
using ILGPU.Util;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Products of dense matrices.</summary>
internal static class GemmKernels
{
    // One operand's tile in groups of four floats, with padding; the 64×32 one takes the most.
    private const int TileQuads = 32 * ((64 / 4) + 1);

    /// <summary>
    /// A group computes a tile of C, or of one of the partial sums that add up to C. The operands come to shared memory some
    /// terms at a time, and while they are multiplied the next are in flight.
    /// </summary>
    /// <typeparam name="T">How global memory is read and written.</typeparam>
    /// <typeparam name="TLeft">The storage order of A.</typeparam>
    /// <typeparam name="TRight">The storage order of B.</typeparam>
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
    /// <typeparam name="TLeft">The storage order of A.</typeparam>
    /// <typeparam name="TRight">The storage order of B.</typeparam>
    [Kernel("4*(B*D + M*D + B*M)", "2*B*D*M", CachedBytes = "B*D*M/16", TensorCores = true, Vectorized = true,
        GroupSize = TensorTile.Threads, MinGroups = 2)]
    [KernelInstance(typeof(AlongTerms), typeof(AlongTerms))]
    [KernelInstance(typeof(AlongTerms), typeof(AcrossTerms))]
    [KernelInstance(typeof(AcrossTerms), typeof(AlongTerms))]
    [KernelInstance(typeof(AcrossTerms), typeof(AcrossTerms))]
    public static void GemmTf32<TLeft, TRight>(
        ArrayView<Float4> left, ArrayView<Float4> right, ArrayView<Float4> bias, ArrayView<Float4> result, GemmShape shape)
        where TLeft : unmanaged, ITensorOperand
        where TRight : unmanaged, ITensorOperand
    {
        // Three stages: while one is multiplied, two are in flight.
        const int Stage = TensorTile.Stage, Step = TensorTile.Step;
        var shared = SharedMemory.Allocate<Float4>(3 * Stage);
        var row = shape.Row(Grid.IdxX, TensorTile.Size, TensorTile.Size);
        var column = shape.Column(Grid.IdxX, TensorTile.Size, TensorTile.Size);
        var begin = Grid.IdxY * shape.SplitDepth;
        var depth = Math.Min(shape.K - begin, shape.SplitDepth);
        var sums = default(TensorTile);
        if (depth > 0)
        {
            var a = new TensorCopies<TLeft>(shared, left, shape.M, shape.K, row, begin, Group.IdxX);
            var b = new TensorCopies<TRight>(shared, right, shape.N, shape.K, column, begin, Group.IdxX);
            StartUpTo(depth, a, b, 0);
            (a, b) = (a.Next(shape.M), b.Next(shape.N));
            StartUpTo(depth - Step, a, b, Stage);
            (a, b) = (a.Next(shape.M), b.Next(shape.N));

            // Full tiles, three at a time, so that the stages are constants.
            for (; depth >= 5 * Step; depth -= 3 * Step)
            {
                sums = StartAndMultiply(sums, a, b, shared, 2 * Stage, 0);
                (a, b) = (a.Next(shape.M), b.Next(shape.N));
                sums = StartAndMultiply(sums, a, b, shared, 0, Stage);
                (a, b) = (a.Next(shape.M), b.Next(shape.N));
                sums = StartAndMultiply(sums, a, b, shared, Stage, 2 * Stage);
                (a, b) = (a.Next(shape.M), b.Next(shape.N));
            }

            int ready = 0, free = 2 * Stage;
            for (; depth > 0; depth -= Step)
            {
                TensorCore.WaitForAllButTheLastCopies();
                Group.Barrier();
                StartUpTo(depth - (2 * Step), a, b, free);
                (a, b) = (a.Next(shape.M), b.Next(shape.N));
                sums = sums.Multiply<TLeft, TRight>(Group.IdxX, shared, ready);
                free = ready;
                ready = Utilities.Select(ready == 2 * Stage, 0, ready + Stage);
            }
        }

        sums.Store(Group.IdxX, new GemmOutput<Float4>(result, bias, shape, Grid.IdxY * shape.M * shape.N), row, column);
    }

    /// <summary>C from its partial sums, always in the same order; four columns per thread.</summary>
    /// <param name="partials">One M×N matrix after another.</param>
    /// <param name="splits">Number of partial sums.</param>
    /// <param name="bias">N values, or empty.</param>
    /// <param name="result">C.</param>
    /// <param name="shape">The product's shape and factors.</param>
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

    /// <summary>Starts the copies of a last, partial tile of each operand, or none.</summary>
    private static void StartUpTo<TLeft, TRight>(int terms, TensorCopies<TLeft> a, TensorCopies<TRight> b, int stage)
        where TLeft : unmanaged, ITensorOperand
        where TRight : unmanaged, ITensorOperand
    {
        if (terms > 0)
        {
            a.StartUpTo(terms, stage);
            b.StartUpTo(terms, stage + TensorTile.Quads);
        }

        TensorCore.CommitCopies();
    }

    /// <summary>Starts the copies of two full tiles, and multiplies those that are ready.</summary>
    private static TensorTile StartAndMultiply<TLeft, TRight>(
        TensorTile sums, TensorCopies<TLeft> a, TensorCopies<TRight> b, ArrayView<Float4> shared, int free, int ready)
        where TLeft : unmanaged, ITensorOperand
        where TRight : unmanaged, ITensorOperand
    {
        TensorCore.WaitForAllButTheLastCopies();
        Group.Barrier();
        a.Start(free);
        b.Start(free + TensorTile.Quads);
        TensorCore.CommitCopies();
        return sums.Multiply<TLeft, TRight>(Group.IdxX, shared, ready);
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

        // The tile's position is formed again: kept during the loop it would need registers that the thread does not have. The
        // shuffle keeps the compiler from noticing that the value is the same.
        var group = Warp.Shuffle(Grid.IdxX, 0);
        row = shape.Row(group, sums.Size, sums.Size);
        column = shape.Column(group, sums.Size, sums.Size);
        sums.Store(Group.IdxX, new GemmOutput<T>(result, bias, shape, Grid.IdxY * shape.M * shape.N), row, column);
    }
}

/// <summary>The part of an operand's tile that one thread moves from global to shared memory.</summary>
internal readonly struct Strip<TTile>(Float4 first, Float4 second)
    where TTile : unmanaged, ITile<TTile>
{
    // Each thread of a group fetches four floats; a step of k therefore covers this many rows, for either storage order of the operand.
    private const int RowsOfGroup = 4 * IlgpuDevice.GroupSize;

    private readonly Float4 _first = first;
    private readonly Float4 _second = second;

    public static Strip<TTile> Fetch<T, TOperand>(ArrayView<T> matrix, int rows, int depth, int row, int term, int end)
        where T : unmanaged, IFloats<T>
        where TOperand : unmanaged, IOperand
    {
        var (operand, step) = (default(TOperand), default(TTile).Step);
        row += operand.Row(Group.IdxX, step);
        term += operand.Term(Group.IdxX, step);
        return new(
            operand.Fetch(matrix, rows, depth, row, term, end), operand.Fetch(matrix, rows, depth, row + (RowsOfGroup / step), term, end));
    }

    public void Put<TOperand>(ArrayView<Float4> tile)
        where TOperand : unmanaged, IOperand
    {
        var (operand, step) = (default(TOperand), default(TTile).Step);
        var (row, term) = (operand.Row(Group.IdxX, step), operand.Term(Group.IdxX, step));
        operand.Put<TTile>(tile, row, term, _first);
        operand.Put<TTile>(tile, row + (RowsOfGroup / step), term, _second);
    }
}

/// <summary>The part of an operand's next tile that one thread copies asynchronously from global to shared memory.</summary>
internal readonly struct TensorCopies<TOperand>
    where TOperand : unmanaged, ITensorOperand
{
    private readonly ArrayView<Float4> _source0;
    private readonly ArrayView<Float4> _source1;
    private readonly ArrayView<Float4> _source2;
    private readonly ArrayView<Float4> _source3;
    private readonly ArrayView<Float4> _target;
    private readonly int _term;
    private readonly int _offset;

    /// <summary>The copies of the first tile.</summary>
    /// <param name="shared">Shared memory.</param>
    /// <param name="matrix">The operand.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="depth">K.</param>
    /// <param name="row">The tile's first row.</param>
    /// <param name="begin">The tile's first term.</param>
    /// <param name="thread">Which thread of the group copies.</param>
    public TensorCopies(ArrayView<Float4> shared, ArrayView<Float4> matrix, int rows, int depth, int row, int begin, int thread)
    {
        _source0 = Source(matrix, rows, depth, row, begin, thread, 0);
        _source1 = Source(matrix, rows, depth, row, begin, thread, 1);
        _source2 = Source(matrix, rows, depth, row, begin, thread, 2);
        _source3 = Source(matrix, rows, depth, row, begin, thread, 3);
        _target = shared.SubView(default(TOperand).Slot(thread));
        _term = default(TOperand).CopyTerm(thread);
        _offset = 0;
    }

    private TensorCopies(TensorCopies<TOperand> copies, int offset)
    {
        (_source0, _source1, _source2, _source3) = (copies._source0, copies._source1, copies._source2, copies._source3);
        (_target, _term, _offset) = (copies._target, copies._term, offset);
    }

    /// <summary>Starts the copies of a full tile.</summary>
    /// <param name="tile">Where the tile begins in shared memory.</param>
    public void Start(int tile)
    {
        Start(tile, 0, _source0);
        Start(tile, 1, _source1);
        Start(tile, 2, _source2);
        Start(tile, 3, _source3);
    }

    /// <summary>Starts the copies of a partial tile; the terms that it lacks become zeros.</summary>
    /// <param name="terms">The terms that are left, which may be more than a tile's.</param>
    /// <param name="tile">Where the tile begins in shared memory.</param>
    public void StartUpTo(int terms, int tile)
    {
        terms -= _term;
        StartIf(terms, tile, 0, _source0);
        StartIf(terms, tile, 1, _source1);
        StartIf(terms, tile, 2, _source2);
        StartIf(terms, tile, 3, _source3);
    }

    /// <summary>The copies of the tile after this.</summary>
    public TensorCopies<TOperand> Next(int rows) => new(this, _offset + default(TOperand).Advance(rows));

    private static ArrayView<Float4> Source(ArrayView<Float4> matrix, int rows, int depth, int row, int begin, int thread, int copy)
    {
        var operand = default(TOperand);
        var term = begin + operand.CopyTerm(thread) + (copy * operand.TermStep);
        return matrix.SubView(operand.At(rows, depth, row + operand.CopyRow(thread, copy), term));
    }

    private ref Float4 Target(int tile, int copy) => ref _target[tile + (copy * default(TOperand).SlotStep)];

    private void Start(int tile, int copy, ArrayView<Float4> source) =>
        TensorCore.CopyAsync(ref Target(tile, copy), ref source[_offset], 16);

    private void StartIf(int terms, int tile, int copy, ArrayView<Float4> source)
    {
        var exists = terms > copy * default(TOperand).TermStep;
        TensorCore.CopyAsync(
            ref Target(tile, copy), ref source[Utilities.Select(exists, _offset, 0)], Utilities.Select(exists, 16, 0));
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
