using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>The instructions that dense kernels use.</summary>
internal enum GemmIsa
{
    /// <summary>128-bit vectors: AdvSimd on Arm, elsewhere whatever <see cref="Vector128"/> compiles to.</summary>
    Vector128,

    /// <summary>256-bit vectors with fused multiply-add.</summary>
    Avx2,

    /// <summary>512-bit vectors.</summary>
    Avx512,
}

/// <summary>
/// The innermost loop of a matrix product: a tile of C that fits into the registers, from one packed panel of A and one of B.
/// </summary>
/// <remarks>
/// Every element is one chain of fused multiply-adds in the order of k, so its bits depend neither on the tile's shape nor on how k is
/// cut. Accumulators are separate locals because the JIT keeps nothing else in registers.
/// </remarks>
internal unsafe interface IGemmTile
{
    /// <summary>The rows of a tile, which is also the width of a packed panel of A.</summary>
    static abstract int Rows { get; }

    /// <summary>The columns of a tile, which is also the width of a packed panel of B.</summary>
    static abstract int Columns { get; }

    /// <summary>Sets tile = a·b, or adds a·b to it.</summary>
    /// <param name="rows">Rows in use; the others may or may not be written.</param>
    /// <param name="k">Length of the panels.</param>
    /// <param name="a">[k][Rows].</param>
    /// <param name="b">[k][Columns].</param>
    /// <param name="tile">[Rows][Columns].</param>
    /// <param name="accumulate">Whether to add.</param>
    /// <param name="prefetch">Memory to prefetch to the level-2 cache meanwhile.</param>
    /// <param name="prefetchStep">Bytes by which the prefetch advances per k.</param>
    static abstract void Multiply(int rows, int k, float* a, float* b, float* tile, bool accumulate, byte* prefetch, nint prefetchStep);
}

/// <summary>A number of rows or vectors as a type: the JIT compiles a separate kernel for each and drops unused branches.</summary>
internal interface ICount
{
    /// <summary>The number.</summary>
    static abstract int Value { get; }
}

internal readonly struct Count1 : ICount
{
    public static int Value => 1;
}

internal readonly struct Count2 : ICount
{
    public static int Value => 2;
}

internal readonly struct Count4 : ICount
{
    public static int Value => 4;
}

internal readonly struct Count6 : ICount
{
    public static int Value => 6;
}

internal readonly struct Count8 : ICount
{
    public static int Value => 8;
}

internal readonly struct Count14 : ICount
{
    public static int Value => 14;
}

/// <summary>14×32 with 512-bit vectors: 28 accumulators of the 32 registers leave room for two vectors of B and one of A.</summary>
internal readonly unsafe struct GemmTile512 : IGemmTile
{
    public static int Rows => 14;

    public static int Columns => 32;

    public static void Multiply(int rows, int k, float* a, float* b, float* tile, bool accumulate, byte* prefetch, nint prefetchStep)
    {
        if (rows > 8)
        {
            Multiply<Count14>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else if (rows > 4)
        {
            Multiply<Count8>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else if (rows > 2)
        {
            Multiply<Count4>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else if (rows > 1)
        {
            Multiply<Count2>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else
        {
            Multiply<Count1>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
    }

    private static void Multiply<TRows>(int k, float* a, float* b, float* tile, bool accumulate, byte* prefetch, nint prefetchStep)
        where TRows : struct, ICount
    {
        Vector512<float> ca0 = Vector512<float>.Zero, ca1 = Vector512<float>.Zero;
        Vector512<float> cb0 = Vector512<float>.Zero, cb1 = Vector512<float>.Zero;
        Vector512<float> cc0 = Vector512<float>.Zero, cc1 = Vector512<float>.Zero;
        Vector512<float> cd0 = Vector512<float>.Zero, cd1 = Vector512<float>.Zero;
        Vector512<float> ce0 = Vector512<float>.Zero, ce1 = Vector512<float>.Zero;
        Vector512<float> cf0 = Vector512<float>.Zero, cf1 = Vector512<float>.Zero;
        Vector512<float> cg0 = Vector512<float>.Zero, cg1 = Vector512<float>.Zero;
        Vector512<float> ch0 = Vector512<float>.Zero, ch1 = Vector512<float>.Zero;
        Vector512<float> ci0 = Vector512<float>.Zero, ci1 = Vector512<float>.Zero;
        Vector512<float> cj0 = Vector512<float>.Zero, cj1 = Vector512<float>.Zero;
        Vector512<float> ck0 = Vector512<float>.Zero, ck1 = Vector512<float>.Zero;
        Vector512<float> cl0 = Vector512<float>.Zero, cl1 = Vector512<float>.Zero;
        Vector512<float> cm0 = Vector512<float>.Zero, cm1 = Vector512<float>.Zero;
        Vector512<float> cn0 = Vector512<float>.Zero, cn1 = Vector512<float>.Zero;
        if (accumulate)
        {
            ca0 = Vector512.Load(tile);
            ca1 = Vector512.Load(tile + 16);
            if (TRows.Value > 1)
            {
                cb0 = Vector512.Load(tile + 32);
                cb1 = Vector512.Load(tile + 48);
            }

            if (TRows.Value > 2)
            {
                cc0 = Vector512.Load(tile + 64);
                cc1 = Vector512.Load(tile + 80);
                cd0 = Vector512.Load(tile + 96);
                cd1 = Vector512.Load(tile + 112);
            }

            if (TRows.Value > 4)
            {
                ce0 = Vector512.Load(tile + 128);
                ce1 = Vector512.Load(tile + 144);
                cf0 = Vector512.Load(tile + 160);
                cf1 = Vector512.Load(tile + 176);
                cg0 = Vector512.Load(tile + 192);
                cg1 = Vector512.Load(tile + 208);
                ch0 = Vector512.Load(tile + 224);
                ch1 = Vector512.Load(tile + 240);
            }

            if (TRows.Value > 8)
            {
                ci0 = Vector512.Load(tile + 256);
                ci1 = Vector512.Load(tile + 272);
                cj0 = Vector512.Load(tile + 288);
                cj1 = Vector512.Load(tile + 304);
                ck0 = Vector512.Load(tile + 320);
                ck1 = Vector512.Load(tile + 336);
                cl0 = Vector512.Load(tile + 352);
                cl1 = Vector512.Load(tile + 368);
                cm0 = Vector512.Load(tile + 384);
                cm1 = Vector512.Load(tile + 400);
                cn0 = Vector512.Load(tile + 416);
                cn1 = Vector512.Load(tile + 432);
            }
        }

        for (; k > 0; k--)
        {
            Sse.Prefetch1(prefetch);
            prefetch += prefetchStep;
            var b0 = Vector512.Load(b);
            var b1 = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            ca0 = Avx512F.FusedMultiplyAdd(x, b0, ca0);
            ca1 = Avx512F.FusedMultiplyAdd(x, b1, ca1);
            if (TRows.Value > 1)
            {
                x = Vector512.Create(a[1]);
                cb0 = Avx512F.FusedMultiplyAdd(x, b0, cb0);
                cb1 = Avx512F.FusedMultiplyAdd(x, b1, cb1);
            }

            if (TRows.Value > 2)
            {
                x = Vector512.Create(a[2]);
                cc0 = Avx512F.FusedMultiplyAdd(x, b0, cc0);
                cc1 = Avx512F.FusedMultiplyAdd(x, b1, cc1);
                x = Vector512.Create(a[3]);
                cd0 = Avx512F.FusedMultiplyAdd(x, b0, cd0);
                cd1 = Avx512F.FusedMultiplyAdd(x, b1, cd1);
            }

            if (TRows.Value > 4)
            {
                x = Vector512.Create(a[4]);
                ce0 = Avx512F.FusedMultiplyAdd(x, b0, ce0);
                ce1 = Avx512F.FusedMultiplyAdd(x, b1, ce1);
                x = Vector512.Create(a[5]);
                cf0 = Avx512F.FusedMultiplyAdd(x, b0, cf0);
                cf1 = Avx512F.FusedMultiplyAdd(x, b1, cf1);
                x = Vector512.Create(a[6]);
                cg0 = Avx512F.FusedMultiplyAdd(x, b0, cg0);
                cg1 = Avx512F.FusedMultiplyAdd(x, b1, cg1);
                x = Vector512.Create(a[7]);
                ch0 = Avx512F.FusedMultiplyAdd(x, b0, ch0);
                ch1 = Avx512F.FusedMultiplyAdd(x, b1, ch1);
            }

            if (TRows.Value > 8)
            {
                x = Vector512.Create(a[8]);
                ci0 = Avx512F.FusedMultiplyAdd(x, b0, ci0);
                ci1 = Avx512F.FusedMultiplyAdd(x, b1, ci1);
                x = Vector512.Create(a[9]);
                cj0 = Avx512F.FusedMultiplyAdd(x, b0, cj0);
                cj1 = Avx512F.FusedMultiplyAdd(x, b1, cj1);
                x = Vector512.Create(a[10]);
                ck0 = Avx512F.FusedMultiplyAdd(x, b0, ck0);
                ck1 = Avx512F.FusedMultiplyAdd(x, b1, ck1);
                x = Vector512.Create(a[11]);
                cl0 = Avx512F.FusedMultiplyAdd(x, b0, cl0);
                cl1 = Avx512F.FusedMultiplyAdd(x, b1, cl1);
                x = Vector512.Create(a[12]);
                cm0 = Avx512F.FusedMultiplyAdd(x, b0, cm0);
                cm1 = Avx512F.FusedMultiplyAdd(x, b1, cm1);
                x = Vector512.Create(a[13]);
                cn0 = Avx512F.FusedMultiplyAdd(x, b0, cn0);
                cn1 = Avx512F.FusedMultiplyAdd(x, b1, cn1);
            }

            a += 14;
            b += 32;
        }

        ca0.Store(tile);
        ca1.Store(tile + 16);
        if (TRows.Value > 1)
        {
            cb0.Store(tile + 32);
            cb1.Store(tile + 48);
        }

        if (TRows.Value > 2)
        {
            cc0.Store(tile + 64);
            cc1.Store(tile + 80);
            cd0.Store(tile + 96);
            cd1.Store(tile + 112);
        }

        if (TRows.Value > 4)
        {
            ce0.Store(tile + 128);
            ce1.Store(tile + 144);
            cf0.Store(tile + 160);
            cf1.Store(tile + 176);
            cg0.Store(tile + 192);
            cg1.Store(tile + 208);
            ch0.Store(tile + 224);
            ch1.Store(tile + 240);
        }

        if (TRows.Value > 8)
        {
            ci0.Store(tile + 256);
            ci1.Store(tile + 272);
            cj0.Store(tile + 288);
            cj1.Store(tile + 304);
            ck0.Store(tile + 320);
            ck1.Store(tile + 336);
            cl0.Store(tile + 352);
            cl1.Store(tile + 368);
            cm0.Store(tile + 384);
            cm1.Store(tile + 400);
            cn0.Store(tile + 416);
            cn1.Store(tile + 432);
        }
    }
}

/// <summary>6×16 with 256-bit vectors: 12 accumulators of the 16 registers.</summary>
internal readonly unsafe struct GemmTile256 : IGemmTile
{
    public static int Rows => 6;

    public static int Columns => 16;

    public static void Multiply(int rows, int k, float* a, float* b, float* tile, bool accumulate, byte* prefetch, nint prefetchStep)
    {
        if (rows > 4)
        {
            Multiply<Count6>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else if (rows > 2)
        {
            Multiply<Count4>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else if (rows > 1)
        {
            Multiply<Count2>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else
        {
            Multiply<Count1>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
    }

    private static void Multiply<TRows>(int k, float* a, float* b, float* tile, bool accumulate, byte* prefetch, nint prefetchStep)
        where TRows : struct, ICount
    {
        Vector256<float> ca0 = Vector256<float>.Zero, ca1 = Vector256<float>.Zero;
        Vector256<float> cb0 = Vector256<float>.Zero, cb1 = Vector256<float>.Zero;
        Vector256<float> cc0 = Vector256<float>.Zero, cc1 = Vector256<float>.Zero;
        Vector256<float> cd0 = Vector256<float>.Zero, cd1 = Vector256<float>.Zero;
        Vector256<float> ce0 = Vector256<float>.Zero, ce1 = Vector256<float>.Zero;
        Vector256<float> cf0 = Vector256<float>.Zero, cf1 = Vector256<float>.Zero;
        if (accumulate)
        {
            ca0 = Vector256.Load(tile);
            ca1 = Vector256.Load(tile + 8);
            if (TRows.Value > 1)
            {
                cb0 = Vector256.Load(tile + 16);
                cb1 = Vector256.Load(tile + 24);
            }

            if (TRows.Value > 2)
            {
                cc0 = Vector256.Load(tile + 32);
                cc1 = Vector256.Load(tile + 40);
                cd0 = Vector256.Load(tile + 48);
                cd1 = Vector256.Load(tile + 56);
            }

            if (TRows.Value > 4)
            {
                ce0 = Vector256.Load(tile + 64);
                ce1 = Vector256.Load(tile + 72);
                cf0 = Vector256.Load(tile + 80);
                cf1 = Vector256.Load(tile + 88);
            }
        }

        for (; k > 0; k--)
        {
            Sse.Prefetch1(prefetch);
            prefetch += prefetchStep;
            var b0 = Vector256.Load(b);
            var b1 = Vector256.Load(b + 8);
            var x = Vector256.Create(a[0]);
            ca0 = Fma.MultiplyAdd(x, b0, ca0);
            ca1 = Fma.MultiplyAdd(x, b1, ca1);
            if (TRows.Value > 1)
            {
                x = Vector256.Create(a[1]);
                cb0 = Fma.MultiplyAdd(x, b0, cb0);
                cb1 = Fma.MultiplyAdd(x, b1, cb1);
            }

            if (TRows.Value > 2)
            {
                x = Vector256.Create(a[2]);
                cc0 = Fma.MultiplyAdd(x, b0, cc0);
                cc1 = Fma.MultiplyAdd(x, b1, cc1);
                x = Vector256.Create(a[3]);
                cd0 = Fma.MultiplyAdd(x, b0, cd0);
                cd1 = Fma.MultiplyAdd(x, b1, cd1);
            }

            if (TRows.Value > 4)
            {
                x = Vector256.Create(a[4]);
                ce0 = Fma.MultiplyAdd(x, b0, ce0);
                ce1 = Fma.MultiplyAdd(x, b1, ce1);
                x = Vector256.Create(a[5]);
                cf0 = Fma.MultiplyAdd(x, b0, cf0);
                cf1 = Fma.MultiplyAdd(x, b1, cf1);
            }

            a += 6;
            b += 16;
        }

        ca0.Store(tile);
        ca1.Store(tile + 8);
        if (TRows.Value > 1)
        {
            cb0.Store(tile + 16);
            cb1.Store(tile + 24);
        }

        if (TRows.Value > 2)
        {
            cc0.Store(tile + 32);
            cc1.Store(tile + 40);
            cd0.Store(tile + 48);
            cd1.Store(tile + 56);
        }

        if (TRows.Value > 4)
        {
            ce0.Store(tile + 64);
            ce1.Store(tile + 72);
            cf0.Store(tile + 80);
            cf1.Store(tile + 88);
        }
    }
}

/// <summary>8×8 with 128-bit vectors: 16 accumulators of Arm's 32 registers; elsewhere the fallback.</summary>
internal readonly unsafe struct GemmTile128 : IGemmTile
{
    public static int Rows => 8;

    public static int Columns => 8;

    public static void Multiply(int rows, int k, float* a, float* b, float* tile, bool accumulate, byte* prefetch, nint prefetchStep)
    {
        if (rows > 4)
        {
            Multiply<Count8>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else if (rows > 2)
        {
            Multiply<Count4>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else if (rows > 1)
        {
            Multiply<Count2>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
        else
        {
            Multiply<Count1>(k, a, b, tile, accumulate, prefetch, prefetchStep);
        }
    }

    private static void Multiply<TRows>(int k, float* a, float* b, float* tile, bool accumulate, byte* prefetch, nint prefetchStep)
        where TRows : struct, ICount
    {
        Vector128<float> ca0 = Vector128<float>.Zero, ca1 = Vector128<float>.Zero;
        Vector128<float> cb0 = Vector128<float>.Zero, cb1 = Vector128<float>.Zero;
        Vector128<float> cc0 = Vector128<float>.Zero, cc1 = Vector128<float>.Zero;
        Vector128<float> cd0 = Vector128<float>.Zero, cd1 = Vector128<float>.Zero;
        Vector128<float> ce0 = Vector128<float>.Zero, ce1 = Vector128<float>.Zero;
        Vector128<float> cf0 = Vector128<float>.Zero, cf1 = Vector128<float>.Zero;
        Vector128<float> cg0 = Vector128<float>.Zero, cg1 = Vector128<float>.Zero;
        Vector128<float> ch0 = Vector128<float>.Zero, ch1 = Vector128<float>.Zero;
        if (accumulate)
        {
            ca0 = Vector128.Load(tile);
            ca1 = Vector128.Load(tile + 4);
            if (TRows.Value > 1)
            {
                cb0 = Vector128.Load(tile + 8);
                cb1 = Vector128.Load(tile + 12);
            }

            if (TRows.Value > 2)
            {
                cc0 = Vector128.Load(tile + 16);
                cc1 = Vector128.Load(tile + 20);
                cd0 = Vector128.Load(tile + 24);
                cd1 = Vector128.Load(tile + 28);
            }

            if (TRows.Value > 4)
            {
                ce0 = Vector128.Load(tile + 32);
                ce1 = Vector128.Load(tile + 36);
                cf0 = Vector128.Load(tile + 40);
                cf1 = Vector128.Load(tile + 44);
                cg0 = Vector128.Load(tile + 48);
                cg1 = Vector128.Load(tile + 52);
                ch0 = Vector128.Load(tile + 56);
                ch1 = Vector128.Load(tile + 60);
            }
        }

        for (; k > 0; k--)
        {
            var b0 = Vector128.Load(b);
            var b1 = Vector128.Load(b + 4);
            var aLow = Vector128.Load(a);
            var aHigh = Vector128.Load(a + 4);
            ca0 = MultiplyAdd(ca0, b0, aLow, 0);
            ca1 = MultiplyAdd(ca1, b1, aLow, 0);
            if (TRows.Value > 1)
            {
                cb0 = MultiplyAdd(cb0, b0, aLow, 1);
                cb1 = MultiplyAdd(cb1, b1, aLow, 1);
            }

            if (TRows.Value > 2)
            {
                cc0 = MultiplyAdd(cc0, b0, aLow, 2);
                cc1 = MultiplyAdd(cc1, b1, aLow, 2);
                cd0 = MultiplyAdd(cd0, b0, aLow, 3);
                cd1 = MultiplyAdd(cd1, b1, aLow, 3);
            }

            if (TRows.Value > 4)
            {
                ce0 = MultiplyAdd(ce0, b0, aHigh, 0);
                ce1 = MultiplyAdd(ce1, b1, aHigh, 0);
                cf0 = MultiplyAdd(cf0, b0, aHigh, 1);
                cf1 = MultiplyAdd(cf1, b1, aHigh, 1);
                cg0 = MultiplyAdd(cg0, b0, aHigh, 2);
                cg1 = MultiplyAdd(cg1, b1, aHigh, 2);
                ch0 = MultiplyAdd(ch0, b0, aHigh, 3);
                ch1 = MultiplyAdd(ch1, b1, aHigh, 3);
            }

            a += 8;
            b += 8;
        }

        ca0.Store(tile);
        ca1.Store(tile + 4);
        if (TRows.Value > 1)
        {
            cb0.Store(tile + 8);
            cb1.Store(tile + 12);
        }

        if (TRows.Value > 2)
        {
            cc0.Store(tile + 16);
            cc1.Store(tile + 20);
            cd0.Store(tile + 24);
            cd1.Store(tile + 28);
        }

        if (TRows.Value > 4)
        {
            ce0.Store(tile + 32);
            ce1.Store(tile + 36);
            cf0.Store(tile + 40);
            cf1.Store(tile + 44);
            cg0.Store(tile + 48);
            cg1.Store(tile + 52);
            ch0.Store(tile + 56);
            ch1.Store(tile + 60);
        }
    }

    /// <summary>sum + b·a[lane].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> MultiplyAdd(
        Vector128<float> sum, Vector128<float> b, Vector128<float> a, [ConstantExpected(Max = (byte)3)] byte lane) =>
        AdvSimd.Arm64.IsSupported
            ? AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(sum, b, a, lane)
            : Vector128.MultiplyAddEstimate(b, Vector128.Create(a.GetElement(lane)), sum);
}
