using System.Runtime.Intrinsics;

namespace MonoLoss.Kernels.Cpu;

/// <content>Nested groups of latents (Matryoshka): all reconstructions in one visit to a row.</content>
public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void DecodeGroups(in GroupDecodeArgs work)
    {
        var (s, matrix, d, groups) = (work.Latents, work.Matrix, work.Matrix.Columns, (int)work.GroupEnds.Length);
        RequireSameShape(work.Target, work.Result.Resized(s.Rows, d));
        RequireGroups(s.Columns == matrix.Rows, work.GroupEnds, s.Columns);
        work.Errors.Resize(groups * s.Rows, d);
        // As in SpMM: with many nonzeros per row, several rows go through the matrix together, block by block.
        var isDense = s.NonzeroCount > (long)s.Rows * DenseNonzeros;
        var rows = isDense ? RowsTogether : RowsPerTask(d);
        var tasks = TaskCount(s.Rows, rows);
        var partials = Partials((long)tasks * groups);
        _pool.Run(tasks, new DecodeGroupsWork(work, rows, isDense ? RowsPerBlock(d) : s.Columns, partials));
        var squares = Pointer(work.Squares);
        for (var g = 0; g < groups; g++)
        {
            squares[g] = 0;
            for (var task = 0; task < tasks; task++)
            {
                squares[g] += partials[((long)task * groups) + g];
            }
        }
    }

    /// <inheritdoc/>
    public override void SumGroupErrors(Tensor errors, int groups, double factor, Tensor? scale, Tensor? last)
    {
        Require(groups > 0 && errors.Rows % groups == 0, $"{errors.Rows} rows for {groups} groups");
        var (rows, d) = (errors.Rows / groups, errors.Columns);
        Require(
            (scale is null || scale.Count == rows) && (last is null || (last.Rows == rows && last.Columns == d)), "shapes do not fit");
        var perTask = RowsPerTask(d);
        _pool.Run(
            TaskCount(rows, perTask),
            new SumGroupErrorsWork(Pointer(errors), groups, rows, d, perTask, factor, PointerOrNull(scale), PointerOrNull(last)));
    }

    private static void RequireGroups(bool condition, DeviceArray<int> ends, int latents) =>
        Require(
            condition && ends.Length > 0 && Pointer(ends)[ends.Length - 1] == latents,
            $"groups that do not end with the last of {latents} latents");

    /// <summary>The group of a latent: the first whose end is above it.</summary>
    private static int GroupOf(int* ends, int latent)
    {
        var group = 0;
        while (latent >= ends[group])
        {
            group++;
        }

        return group;
    }

    private readonly struct DecodeGroupsWork(in GroupDecodeArgs work, int rowsPerTask, int blockRows, double* squares) : IParallelWork
    {
        private readonly int* _offsets = Pointer(work.Latents.RowOffsets);
        private readonly int* _indices = Pointer(work.Latents.Indices);
        private readonly float* _values = Pointer(work.Latents.Values);
        private readonly int _rows = work.Latents.Rows;
        private readonly float* _matrix = Pointer(work.Matrix);
        private readonly int _d = work.Matrix.Columns;
        private readonly float* _bias = PointerOrNull(work.Bias);
        private readonly int* _ends = Pointer(work.GroupEnds);
        private readonly int _groups = (int)work.GroupEnds.Length;
        private readonly float* _target = Pointer(work.Target);
        private readonly float* _scale = PointerOrNull(work.Scale);
        private readonly float* _shift = PointerOrNull(work.Shift);
        private readonly float* _errors = Pointer(work.Errors);
        private readonly float* _result = Pointer(work.Result);

        public void Run(int task)
        {
            var first = task * rowsPerTask;
            var count = Math.Min(_rows - first, rowsPerTask);
            var next = stackalloc int[count];
            for (var i = 0; i < count; i++)
            {
                next[i] = _offsets[first + i];
                var y = new Span<float>(_result + ((long)(first + i) * _d), _d);
                if (_bias is null)
                {
                    y.Clear();
                }
                else
                {
                    new Span<float>(_bias, _d).CopyTo(y);
                }
            }

            var blockEnd = 0L;
            for (var group = 0; group < _groups; group++)
            {
                while (blockEnd < _ends[group])
                {
                    blockEnd = Math.Min(blockEnd + blockRows, _ends[group]);
                    for (var i = 0; i < count; i++)
                    {
                        var end = EndOfBlock(_indices, next[i], _offsets[first + i + 1], blockEnd);
                        IndexedRows.WeightedSum(
                            _values + next[i],
                            _indices + next[i],
                            end - next[i],
                            _matrix,
                            _result + ((long)(first + i) * _d),
                            _d,
                            add: true);
                        next[i] = end;
                    }
                }

                var total = 0.0;
                for (var i = first; i < first + count; i++)
                {
                    var error = _errors + ((((long)group * _rows) + i) * _d);
                    float scale = _scale is null ? 1 : _scale[i], shift = _shift is null ? 0 : _shift[i];
                    var y = _result + ((long)i * _d);
                    ScaleAndCompare(y, scale, shift, _target + ((long)i * _d), error, group == _groups - 1 ? y : null, _d);
                    total += VectorMath.SumSquares(error, _d);
                }

                squares[((long)task * _groups) + group] = total;
            }
        }

        /// <summary>error = scale·y + shift − target; scaled, if given, becomes scale·y + shift and may be y.</summary>
        private static void ScaleAndCompare(float* y, float scale, float shift, float* target, float* error, float* scaled, int n)
        {
            var j = 0;
            for (; j + 8 <= n; j += 8)
            {
                var value = (Vector256.Load(y + j) * scale) + Vector256.Create(shift);
                (value - Vector256.Load(target + j)).Store(error + j);
                if (scaled is not null)
                {
                    value.Store(scaled + j);
                }
            }

            for (; j < n; j++)
            {
                var value = (y[j] * scale) + shift;
                error[j] = value - target[j];
                if (scaled is not null)
                {
                    scaled[j] = value;
                }
            }
        }
    }

    private readonly struct SumGroupErrorsWork(
        float* errors, int groups, int rows, int d, int rowsPerTask, double factor, float* scale, float* last) : IParallelWork
    {
        public void Run(int task)
        {
            var end = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < end; i++)
            {
                var rowScale = scale is null ? 1 : scale[i];
                var weight = (float)(factor * rowScale);
                var stride = (long)rows * d;
                var error = errors + ((long)i * d);
                var add = last is null ? null : last + ((long)i * d);
                var j = 0;
                for (; j + 8 <= d; j += 8)
                {
                    var sum = add is null ? Vector256<float>.Zero : Vector256.Load(add + j) * rowScale;
                    for (var group = groups - 1; group >= 0; group--)
                    {
                        var at = error + (group * stride) + j;
                        sum += Vector256.Load(at) * weight;
                        sum.Store(at);
                    }
                }

                for (; j < d; j++)
                {
                    var sum = add is null ? 0 : add[j] * rowScale;
                    for (var group = groups - 1; group >= 0; group--)
                    {
                        sum += error[(group * stride) + j] * weight;
                        error[(group * stride) + j] = sum;
                    }
                }
            }
        }
    }
}
