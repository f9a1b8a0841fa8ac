using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// 4×16 sums of products of 16-bit integers, modulo 2^32. An element of a panel holds two successive k, an element of a tile an int32.
/// </summary>
/// <remarks>
/// Of four successive k it forms (x0 + b2)(b0 + x2) + (x1 + b3)(b1 + x3), which is the wanted x0·b0 + … + x3·b3 plus x0·x2 + x1·x3 plus
/// b0·b2 + b1·b3 (Winograd, "A new algorithm for inner product", 1968). The latter two are known per row (<see
/// cref="QuantizedRows.Cross"/>) and subtracted afterwards. A processor has fewer multipliers than adders, so half as many products with
/// more additions use it better. Sums wrap around, which is harmless as long as the wanted sum fits. Elements are at most <see
/// cref="QuantizedRows.Limit"/>, so that the sums in parentheses fit.
/// </remarks>
internal readonly unsafe struct IntegerTile : IGemmTile
{
    /// <summary>Successive k that belong together, in elements of a panel.</summary>
    public const int Step = 2;

    public static int Rows => 4;

    public static int Columns => 16;

    public static void Multiply(int rows, int k, float* a, float* b, float* tile, bool accumulate, byte* prefetch, nint prefetchStep)
    {
        Vector256<int> ca0 = Vector256<int>.Zero, ca1 = Vector256<int>.Zero;
        Vector256<int> cb0 = Vector256<int>.Zero, cb1 = Vector256<int>.Zero;
        Vector256<int> cc0 = Vector256<int>.Zero, cc1 = Vector256<int>.Zero;
        Vector256<int> cd0 = Vector256<int>.Zero, cd1 = Vector256<int>.Zero;
        var sums = (int*)tile;
        if (accumulate)
        {
            ca0 = Vector256.Load(sums);
            ca1 = Vector256.Load(sums + 8);
            cb0 = Vector256.Load(sums + 16);
            cb1 = Vector256.Load(sums + 24);
            cc0 = Vector256.Load(sums + 32);
            cc1 = Vector256.Load(sums + 40);
            cd0 = Vector256.Load(sums + 48);
            cd1 = Vector256.Load(sums + 56);
        }

        for (; k > 0; k -= Step)
        {
            var b0 = Vector256.Load((short*)b);
            var b1 = Vector256.Load((short*)(b + 8));
            var next0 = Vector256.Load((short*)(b + 16));
            var next1 = Vector256.Load((short*)(b + 24));
            var x = Vector256.Create(a[0]).AsInt16();
            var next = Vector256.Create(a[4]).AsInt16();
            ca0 = MultiplyAdd(ca0, x, next, b0, next0);
            ca1 = MultiplyAdd(ca1, x, next, b1, next1);
            x = Vector256.Create(a[1]).AsInt16();
            next = Vector256.Create(a[5]).AsInt16();
            cb0 = MultiplyAdd(cb0, x, next, b0, next0);
            cb1 = MultiplyAdd(cb1, x, next, b1, next1);
            x = Vector256.Create(a[2]).AsInt16();
            next = Vector256.Create(a[6]).AsInt16();
            cc0 = MultiplyAdd(cc0, x, next, b0, next0);
            cc1 = MultiplyAdd(cc1, x, next, b1, next1);
            x = Vector256.Create(a[3]).AsInt16();
            next = Vector256.Create(a[7]).AsInt16();
            cd0 = MultiplyAdd(cd0, x, next, b0, next0);
            cd1 = MultiplyAdd(cd1, x, next, b1, next1);
            a += 8;
            b += 32;
        }

        ca0.Store(sums);
        ca1.Store(sums + 8);
        cb0.Store(sums + 16);
        cb1.Store(sums + 24);
        cc0.Store(sums + 32);
        cc1.Store(sums + 40);
        cd0.Store(sums + 48);
        cd1.Store(sums + 56);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> MultiplyAdd(
        Vector256<int> sum, Vector256<short> x, Vector256<short> nextX, Vector256<short> b, Vector256<short> nextB) =>
        Avx2.Add(sum, Avx2.MultiplyAddAdjacent(Avx2.Add(x, nextB), Avx2.Add(nextX, b)));
}
