using System.Runtime.Intrinsics;

namespace MonoLoss.Kernels.Cpu;

/// <content>Gated SAEs: magnitudes behind gates.</content>
public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void Gate(CsrMatrix gate, Tensor scale, Tensor gateBias, Tensor magBias, CsrMatrix z)
    {
        RequireGate(gate, scale, magBias);
        Require(gateBias.Count == gate.Columns, "there is not one bias for each latent");
        var line = new Magnitude(Pointer(scale), Pointer(gateBias), Pointer(magBias));
        if (gate.Dense is { } dense)
        {
            var target = z.ResizeDense(gate.Rows, gate.Columns, gate);
            _pool.Run(
                TaskCount(gate.Columns, LatentsPerTask),
                new GateDenseWork(line, Pointer(dense), gate.Columns, gate.Rows, Pointer(target)));
            return;
        }

        CopyPattern(gate, z);
        _pool.Run(
            TaskCount(gate.NonzeroCount, NonzerosPerTask),
            new GateWork(line, Pointer(gate.Indices), Pointer(gate.Values), gate.NonzeroCount, Pointer(z.Values)));
    }

    /// <inheritdoc/>
    public override void GateGradient(
        CsrMatrix z,
        CsrMatrix gate,
        Tensor scale,
        Tensor magBias,
        Tensor scaleGradient,
        Tensor gateBiasGradient,
        Tensor magBiasGradient)
    {
        RequireColumnIndex(z);
        RequireGate(gate, scale, magBias);
        Require(z.NonzeroCount == gate.NonzeroCount, "z does not have the gate's entries");
        _pool.Run(
            TaskCount(z.Columns, LatentsPerTask),
            new GateGradientWork(
                Pointer(z.ColumnOffsets),
                Pointer(z.EntryOf),
                Pointer(z.Values),
                Pointer(z.Gradient),
                z.Columns,
                Pointer(gate.Gradient),
                Pointer(scale),
                Pointer(magBias),
                Pointer(scaleGradient),
                Pointer(gateBiasGradient),
                Pointer(magBiasGradient)));
    }

    private static void RequireGate(CsrMatrix gate, Tensor scale, Tensor magBias) =>
        Require(scale.Count == gate.Columns && magBias.Count == gate.Columns, "there is not one scale and bias for each latent");

    /// <summary>Gives a matrix the entries of another.</summary>
    private static void CopyPattern(CsrMatrix from, CsrMatrix to)
    {
        var count = from.NonzeroCount;
        to.Resize(from.Rows, from.Columns, count);
        new Span<int>(Pointer(from.RowOffsets), from.Rows + 1).CopyTo(new Span<int>(Pointer(to.RowOffsets), from.Rows + 1));
        new Span<int>(Pointer(from.Indices), count).CopyTo(new Span<int>(Pointer(to.Indices), count));
    }

    /// <summary>Sums over the nonzeros of a latent that the gradients of its magnitude's parameters follow from.</summary>
    private struct MagnitudeSums
    {
        private double _gradientTimesZ;

        /// <summary>Σ ∂z over z &gt; 0.</summary>
        public double Gradient { get; private set; }

        /// <summary>Adds a nonzero, whose gradient must be 0 where z is.</summary>
        public void Add(float z, float gradient)
        {
            Gradient += gradient;
            _gradientTimesZ += (double)gradient * z;
        }

        /// <summary>Adds to ∂r_mag = Σ ∂z·exp(r_mag)·π, where exp(r_mag)·π = z − b_mag, and to ∂b_mag = Σ ∂z.</summary>
        public readonly void AddTo(float magBias, ref float scaleGradient, ref float magBiasGradient)
        {
            scaleGradient += (float)(_gradientTimesZ - (magBias * Gradient));
            magBiasGradient += (float)Gradient;
        }
    }

    /// <summary>exp(r_mag)·(ĝ − b_gate) + b_mag as a line in ĝ.</summary>
    private readonly struct Magnitude(float* scale, float* gateBias, float* magBias)
    {
        /// <summary>Slope and intercept for latent m.</summary>
        public (float Slope, float Intercept) Of(int m)
        {
            var slope = MathF.Exp(scale[m]);
            return (slope, (float)(magBias[m] - ((double)slope * gateBias[m])));
        }
    }

    private readonly struct GateWork(Magnitude line, int* indices, float* gate, int count, float* z) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(count, (task + 1L) * NonzerosPerTask);
            for (var entry = (long)task * NonzerosPerTask; entry < last; entry++)
            {
                var (slope, intercept) = line.Of(indices[entry]);
                var value = (slope * gate[entry]) + intercept;
                z[entry] = gate[entry] > 0 && value > 0 ? value : 0;
            }
        }
    }

    private readonly struct GateDenseWork(Magnitude line, float* gate, int latents, int rows, float* z) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(latents, (task + 1) * LatentsPerTask);
            for (var m = task * LatentsPerTask; m < last; m++)
            {
                var (slope, intercept) = line.Of(m);
                float* from = gate + ((long)m * rows), to = z + ((long)m * rows);
                var i = 0;
                for (; i + 8 <= rows; i += 8)
                {
                    var open = Vector256.Load(from + i);
                    var value = Vector256.Max((open * slope) + Vector256.Create(intercept), Vector256<float>.Zero);
                    Vector256.ConditionalSelect(Vector256.GreaterThan(open, Vector256<float>.Zero), value, Vector256<float>.Zero)
                        .Store(to + i);
                }

                for (; i < rows; i++)
                {
                    to[i] = from[i] > 0 ? Math.Max((from[i] * slope) + intercept, 0) : 0;
                }
            }
        }
    }

    private readonly struct GateGradientWork(
        int* offsets,
        int* entryOf,
        float* z,
        float* gradient,
        int latents,
        float* gateGradient,
        float* scale,
        float* magBias,
        float* scaleGradient,
        float* gateBiasGradient,
        float* magBiasGradient) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(latents, (task + 1) * LatentsPerTask);
            for (var m = task * LatentsPerTask; m < last; m++)
            {
                var slope = MathF.Exp(scale[m]);
                MagnitudeSums sums = default;
                for (var j = offsets[m]; j < offsets[m + 1]; j++)
                {
                    var entry = entryOf[j];
                    var value = z[entry] > 0 ? gradient[entry] : 0;
                    sums.Add(z[entry], value);
                    gateGradient[entry] += slope * value;
                }

                sums.AddTo(magBias[m], ref scaleGradient[m], ref magBiasGradient[m]);
                gateBiasGradient[m] -= (float)(slope * sums.Gradient);
            }
        }
    }
}
