using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// Copies part of a matrix into a panel [k][width], the order in which the innermost loop of a product reads it. Missing vectors are
/// filled with zeros.
/// </summary>
internal static unsafe class Packing
{
    /// <summary>Packs vectors that are rows of the source, so that the panel is their transpose.</summary>
    /// <param name="isa">The instructions to use.</param>
    /// <param name="source">The first vector's first element.</param>
    /// <param name="stride">Elements from one vector to the next.</param>
    /// <param name="vectors">The number of vectors, 1 … width.</param>
    /// <param name="k">Their length.</param>
    /// <param name="panel">[k][width].</param>
    /// <param name="width">Width of the panel.</param>
    [SkipLocalsInit]
    public static void Rows(GemmIsa isa, float* source, nint stride, int vectors, int k, float* panel, int width)
    {
        if (vectors < width)
        {
            new Span<float>(panel, checked(k * width)).Clear();
        }

        var v = 0;
        if (isa == GemmIsa.Avx512)
        {
            for (; v + 14 <= vectors; v += 16)
            {
                Transpose16(source + (v * stride), stride, Math.Min(16, vectors - v), k, panel + v, width);
            }
        }

        for (; v + 4 <= vectors; v += 4)
        {
            Transpose4(source + (v * stride), stride, k, panel + v, width);
        }

        for (; v < vectors; v++)
        {
            var from = source + (v * stride);
            var to = panel + v;
            for (var p = 0; p < k; p++)
            {
                to[(nint)p * width] = from[p];
            }
        }
    }

    /// <summary>Packs vectors that are columns of the source.</summary>
    /// <param name="source">The first vector's first element.</param>
    /// <param name="stride">Elements from one row of the source to the next.</param>
    /// <param name="vectors">The number of vectors, 1 … width.</param>
    /// <param name="k">Their length.</param>
    /// <param name="panel">[k][width].</param>
    /// <param name="width">Width of the panel.</param>
    public static void Columns(float* source, nint stride, int vectors, int k, float* panel, int width)
    {
        for (var p = 0; p < k; p++)
        {
            var v = 0;
            for (; v + 8 <= vectors; v += 8)
            {
                Vector256.Load(source + v).Store(panel + v);
            }

            for (; v < vectors; v++)
            {
                panel[v] = source[v];
            }

            for (; v < width; v++)
            {
                panel[v] = 0;
            }

            source += stride;
            panel += width;
        }
    }

    private static void Transpose4(float* source, nint stride, int k, float* panel, int width)
    {
        float* s0 = source, s1 = s0 + stride, s2 = s1 + stride, s3 = s2 + stride;
        var p = 0;
        for (; p + 4 <= k; p += 4)
        {
            var r0 = Vector128.Load(s0 + p);
            var r1 = Vector128.Load(s1 + p);
            var r2 = Vector128.Load(s2 + p);
            var r3 = Vector128.Load(s3 + p);
            var low02 = InterleaveLow(r0, r2);
            var low13 = InterleaveLow(r1, r3);
            var high02 = InterleaveHigh(r0, r2);
            var high13 = InterleaveHigh(r1, r3);
            InterleaveLow(low02, low13).Store(panel);
            InterleaveHigh(low02, low13).Store(panel + width);
            InterleaveLow(high02, high13).Store(panel + (2 * width));
            InterleaveHigh(high02, high13).Store(panel + (3 * width));
            panel += 4 * width;
        }

        for (; p < k; p++)
        {
            panel[0] = s0[p];
            panel[1] = s1[p];
            panel[2] = s2[p];
            panel[3] = s3[p];
            panel += width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveLow(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b) : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveHigh(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b) : Vector128.Create(a[2], b[2], a[3], b[3]);

    /// <summary>
    /// Packs 14, 15 or 16 rows at a time, through registers. A panel may be narrower than 16: what a store writes beyond its row is
    /// overwritten by the next store, and the last row is written one value at a time.
    /// </summary>
    private static void Transpose16(float* source, nint stride, int vectors, int k, float* panel, int width)
    {
        float* s0 = source, s4 = s0 + (4 * stride), s8 = s4 + (4 * stride), s12 = s8 + (4 * stride);
        var stride14 = vectors > 14 ? 2 * stride : 0;
        var stride15 = vectors > 15 ? 3 * stride : 0;
        var p = 0;
        // A full store may reach two floats into the next row, so the last row of the panel is left to the loop below.
        for (; p + 16 < k || (p + 16 == k && width >= 16 && vectors == 16); p += 16)
        {
            var a0 = Vector512.Load(s0 + p);
            var a1 = Vector512.Load(s0 + stride + p);
            var a2 = Vector512.Load(s0 + (2 * stride) + p);
            var a3 = Vector512.Load(s0 + (3 * stride) + p);
            var a4 = Vector512.Load(s4 + p);
            var a5 = Vector512.Load(s4 + stride + p);
            var a6 = Vector512.Load(s4 + (2 * stride) + p);
            var a7 = Vector512.Load(s4 + (3 * stride) + p);
            var a8 = Vector512.Load(s8 + p);
            var a9 = Vector512.Load(s8 + stride + p);
            var a10 = Vector512.Load(s8 + (2 * stride) + p);
            var a11 = Vector512.Load(s8 + (3 * stride) + p);
            var a12 = Vector512.Load(s12 + p);
            var a13 = Vector512.Load(s12 + stride + p);
            var a14 = vectors > 14 ? Vector512.Load(s12 + stride14 + p) : Vector512<float>.Zero;
            var a15 = vectors > 15 ? Vector512.Load(s12 + stride15 + p) : Vector512<float>.Zero;

            // First 4×4 blocks: lane j of the i-th of four holds column 4j + i of these four vectors.
            Transpose4Lanes(ref a0, ref a1, ref a2, ref a3);
            Transpose4Lanes(ref a4, ref a5, ref a6, ref a7);
            Transpose4Lanes(ref a8, ref a9, ref a10, ref a11);
            Transpose4Lanes(ref a12, ref a13, ref a14, ref a15);
            // Then whole lanes: rows i, 4 + i, 8 + i and 12 + i of the panel.
            TransposeLanes(ref a0, ref a4, ref a8, ref a12);
            TransposeLanes(ref a1, ref a5, ref a9, ref a13);
            TransposeLanes(ref a2, ref a6, ref a10, ref a14);
            TransposeLanes(ref a3, ref a7, ref a11, ref a15);
            a0.Store(panel);
            a1.Store(panel + width);
            a2.Store(panel + (2 * width));
            a3.Store(panel + (3 * width));
            a4.Store(panel + (4 * width));
            a5.Store(panel + (5 * width));
            a6.Store(panel + (6 * width));
            a7.Store(panel + (7 * width));
            a8.Store(panel + (8 * width));
            a9.Store(panel + (9 * width));
            a10.Store(panel + (10 * width));
            a11.Store(panel + (11 * width));
            a12.Store(panel + (12 * width));
            a13.Store(panel + (13 * width));
            a14.Store(panel + (14 * width));
            a15.Store(panel + (15 * width));
            panel += 16 * width;
        }

        for (; p < k; p++)
        {
            for (var v = 0; v < vectors; v++)
            {
                panel[v] = source[(v * stride) + p];
            }

            panel += width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4Lanes(
        ref Vector512<float> a, ref Vector512<float> b, ref Vector512<float> c, ref Vector512<float> d)
    {
        var lowAc = Avx512F.UnpackLow(a, c);
        var lowBd = Avx512F.UnpackLow(b, d);
        var highAc = Avx512F.UnpackHigh(a, c);
        var highBd = Avx512F.UnpackHigh(b, d);
        a = Avx512F.UnpackLow(lowAc, lowBd);
        b = Avx512F.UnpackHigh(lowAc, lowBd);
        c = Avx512F.UnpackLow(highAc, highBd);
        d = Avx512F.UnpackHigh(highAc, highBd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeLanes(
        ref Vector512<float> a, ref Vector512<float> b, ref Vector512<float> c, ref Vector512<float> d)
    {
        var abEven = Avx512F.Shuffle4x128(a, b, 0b10_00_10_00);
        var abOdd = Avx512F.Shuffle4x128(a, b, 0b11_01_11_01);
        var cdEven = Avx512F.Shuffle4x128(c, d, 0b10_00_10_00);
        var cdOdd = Avx512F.Shuffle4x128(c, d, 0b11_01_11_01);
        a = Avx512F.Shuffle4x128(abEven, cdEven, 0b10_00_10_00);
        b = Avx512F.Shuffle4x128(abOdd, cdOdd, 0b10_00_10_00);
        c = Avx512F.Shuffle4x128(abEven, cdEven, 0b11_01_11_01);
        d = Avx512F.Shuffle4x128(abOdd, cdOdd, 0b11_01_11_01);
    }
}
