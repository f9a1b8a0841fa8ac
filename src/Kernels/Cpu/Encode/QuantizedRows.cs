using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// The rows of a float32 matrix as 16-bit integers with one factor per row, and bounds for the difference. Norms are Euclidean and rounded
/// up.
/// </summary>
internal unsafe struct QuantizedRows
{
    /// <summary>The largest magnitude of an integer, so that the sum of two fits into 16 bits.</summary>
    public const float Limit = 16383;

    /// <summary>
    /// The norm of a row of integers, apart from half an integer per feature: the product of two such norms, and so every sum of products,
    /// is below 2^31.
    /// </summary>
    public const float Norm = 46300;

    /// <summary>The most features: beyond, the margin that <see cref="Norm"/> leaves for rounding would not be enough.</summary>
    public const int MaxFeatures = 1 << 16;

    // Elements per vector: rows are padded with zeros to a multiple.
    private const int Width = 16;

    // Beyond MaxNorm, products of norms overflow. Below MinNorm, products of scales underflow, and the row becomes zeros.
    private const float MaxNorm = 1e18f;
    private const float MinNorm = 1e-14f;

    // A factor greater than the effect of a few roundings.
    private const float Up = 1.000001f;

    /// <summary>[rows][<see cref="Stride"/>].</summary>
    public short* Values;

    /// <summary>Elements from one row to the next.</summary>
    public int Stride;

    /// <summary>[rows] the value of the integer 1.</summary>
    public float* Scale;

    /// <summary>[rows] at least the norm of the row and that of its quantized values; 0 only for a row of zeros.</summary>
    public float* Reach;

    /// <summary>[rows] at least the norm of the difference of the two; infinite if there is no bound.</summary>
    public float* Error;

    /// <summary>[rows] the sum of q0·q2 + q1·q3 over every four successive integers, modulo 2^32.</summary>
    public int* Cross;

    /// <summary>The padded length of a row.</summary>
    public static int StrideFor(int features) => (features + Width - 1) / Width * Width;

    /// <summary>Quantizes a row.</summary>
    /// <param name="row">The row's index.</param>
    /// <param name="source">The row, D values.</param>
    /// <param name="features">D.</param>
    [SkipLocalsInit]
    public readonly void Quantize(int row, float* source, int features)
    {
        // The last vector, padded with zeros.
        var tail = stackalloc float[Width];
        var whole = features / Width * Width;
        for (var i = 0; i < Width; i++)
        {
            tail[i] = whole + i < features ? source[whole + i] : 0;
        }

        var sum = Vector256<float>.Zero;
        var largest = Vector256<float>.Zero;
        for (var i = 0; i < Stride; i += 8)
        {
            var x = Vector256.Load(i < whole ? source + i : tail + i - whole);
            sum = Fma.MultiplyAdd(x, x, sum);
            largest = Avx.Max(largest, Vector256.Abs(x));
        }

        // Each of n additions, the root and this product round by 1 part in 2^24 at most: half of this would be enough.
        var inflate = 1 + ((features + 16) * 1.2e-7f);
        var norm = MathF.Sqrt(Vector256.Sum(sum)) * inflate;
        var max = 0f;
        for (var i = 0; i < 8; i++)
        {
            max = MathF.Max(max, largest[i]);
        }

        var inverse = 0f;
        Scale[row] = 0;
        // NaN takes this branch too; it is caught where norms are compared.
        if (!(norm < MinNorm))
        {
            inverse = MathF.Min((Norm - (0.5f * MathF.Sqrt(features))) / norm, Limit / max);
            Scale[row] = 1 / inverse;
        }
        else if (max > 0)
        {
            norm = 2 * MinNorm;
        }

        var to = Values + ((nint)row * Stride);
        var scaled = Vector256.Create(inverse);
        // Selects the first of every two elements; an element is two integers.
        var first = Vector256.Create(0x0000_0000_FFFF_FFFFUL).AsInt16();
        var difference = Vector256<float>.Zero;
        var cross = Vector256<int>.Zero;
        for (var i = 0; i < Stride; i += Width)
        {
            var from = i < whole ? source + i : tail;
            var t0 = Vector256.Load(from) * scaled;
            var t1 = Vector256.Load(from + 8) * scaled;
            var q0 = Avx.ConvertToVector256Int32(t0);
            var q1 = Avx.ConvertToVector256Int32(t1);
            var d0 = t0 - Avx.ConvertToVector256Single(q0);
            var d1 = t1 - Avx.ConvertToVector256Single(q1);
            difference = Fma.MultiplyAdd(d1, d1, Fma.MultiplyAdd(d0, d0, difference));
            var q = Avx2.Permute4x64(Avx2.PackSignedSaturate(q0, q1).AsInt64(), 0b11_01_10_00).AsInt16();
            cross += Avx2.MultiplyAddAdjacent(q & first, Avx2.Shuffle(q.AsInt32(), 0b10_11_00_01).AsInt16());
            q.Store(to + i);
        }

        Cross[row] = Vector256.Sum(cross);
        // Scaling rounds every number by 1 part in 2^24: with a norm below 2^16 that adds less than 2^-8.
        var error = inverse == 0 ? norm : ((MathF.Sqrt(Vector256.Sum(difference)) * inflate) + 0.004f) * Scale[row] * Up;
        var bounded = norm <= MaxNorm;
        Error[row] = bounded ? error : float.PositiveInfinity;
        Reach[row] = bounded ? (norm + error) * Up : float.PositiveInfinity;
    }
}

/// <summary>Quantizes the rows of two matrices.</summary>
internal readonly unsafe struct QuantizeWork : IParallelWork
{
    private const int RowsPerTask = 32;

    public required QuantizedRows Left { get; init; }

    public required float* LeftSource { get; init; }

    public required nint LeftStride { get; init; }

    public required int LeftRows { get; init; }

    public required QuantizedRows Right { get; init; }

    public required float* RightSource { get; init; }

    public required nint RightStride { get; init; }

    public required int RightRows { get; init; }

    public required int Features { get; init; }

    public int Tasks => TasksFor(LeftRows) + TasksFor(RightRows);

    public void Run(int index)
    {
        var left = TasksFor(LeftRows);
        if (index < left)
        {
            Quantize(Left, LeftSource, LeftStride, LeftRows, index);
        }
        else
        {
            Quantize(Right, RightSource, RightStride, RightRows, index - left);
        }
    }

    private static int TasksFor(int rows) => (rows + RowsPerTask - 1) / RowsPerTask;

    private void Quantize(in QuantizedRows rows, float* source, nint stride, int count, int task)
    {
        var end = Math.Min(count, (task + 1) * RowsPerTask);
        for (var row = task * RowsPerTask; row < end; row++)
        {
            rows.Quantize(row, source + (row * stride), Features);
        }
    }
}
