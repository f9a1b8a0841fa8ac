using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>The operations of a vector register, so that <see cref="VectorMath"/> writes each loop once for all widths.</summary>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    static abstract int Width { get; }

    static abstract TVector Zero { get; }

    static abstract TVector Broadcast(float value);

    static abstract TVector Load(float* source);

    static abstract void Store(float* destination, TVector value);

    static abstract TVector Add(TVector left, TVector right);

    static abstract TVector Multiply(TVector left, TVector right);

    static abstract TVector Divide(TVector left, TVector right);

    /// <summary>left · right + addend, rounded once.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);

    static abstract TVector Sqrt(TVector value);

    static abstract TVector Min(TVector left, TVector right);

    static abstract TVector Max(TVector left, TVector right);

    /// <summary>The value, or 0 where its magnitude is below <paramref name="smallest"/>.</summary>
    static abstract TVector FlushBelow(TVector value, TVector smallest);

    static abstract float Sum(TVector value);

    /// <summary>accumulator[0 … Width) += weight · source, in float64.</summary>
    static abstract void AccumulateDouble(double* accumulator, double weight, float* source);
}

internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    // Vector512.IsHardwareAccelerated is false on processors that may lower their clock for it, though they run these loops at full speed.
    public static bool IsSupported => Avx512F.IsSupported;

    public static int Width => 16;

    public static Vector512<float> Zero => Vector512<float>.Zero;

    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    public static Vector512<float> Load(float* source) => Avx512F.LoadVector512(source);

    public static void Store(float* destination, Vector512<float> value) => Avx512F.Store(destination, value);

    public static Vector512<float> Add(Vector512<float> left, Vector512<float> right) => Avx512F.Add(left, right);

    public static Vector512<float> Multiply(Vector512<float> left, Vector512<float> right) => Avx512F.Multiply(left, right);

    public static Vector512<float> Divide(Vector512<float> left, Vector512<float> right) => Avx512F.Divide(left, right);

    public static Vector512<float> MultiplyAdd(Vector512<float> left, Vector512<float> right, Vector512<float> addend) =>
        Avx512F.FusedMultiplyAdd(left, right, addend);

    public static Vector512<float> Sqrt(Vector512<float> value) => Avx512F.Sqrt(value);

    public static Vector512<float> Min(Vector512<float> left, Vector512<float> right) => Avx512F.Min(left, right);

    public static Vector512<float> Max(Vector512<float> left, Vector512<float> right) => Avx512F.Max(left, right);

    public static Vector512<float> FlushBelow(Vector512<float> value, Vector512<float> smallest) =>
        Vector512.ConditionalSelect(Vector512.LessThan(Vector512.Abs(value), smallest), Vector512<float>.Zero, value);

    public static float Sum(Vector512<float> value) => Vector512.Sum(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AccumulateDouble(double* accumulator, double weight, float* source)
    {
        var w = Vector512.Create(weight);
        var low = Avx512F.ConvertToVector512Double(Vector256.Load(source));
        var high = Avx512F.ConvertToVector512Double(Vector256.Load(source + 8));
        Avx512F.Store(accumulator, Avx512F.FusedMultiplyAdd(w, low, Avx512F.LoadVector512(accumulator)));
        Avx512F.Store(accumulator + 8, Avx512F.FusedMultiplyAdd(w, high, Avx512F.LoadVector512(accumulator + 8)));
    }
}

internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static bool IsSupported => Vector256.IsHardwareAccelerated;

    public static int Width => 8;

    public static Vector256<float> Zero => Vector256<float>.Zero;

    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    public static void Store(float* destination, Vector256<float> value) => value.Store(destination);

    public static Vector256<float> Add(Vector256<float> left, Vector256<float> right) => left + right;

    public static Vector256<float> Multiply(Vector256<float> left, Vector256<float> right) => left * right;

    public static Vector256<float> Divide(Vector256<float> left, Vector256<float> right) => left / right;

    public static Vector256<float> MultiplyAdd(Vector256<float> left, Vector256<float> right, Vector256<float> addend) =>
        Vector256.FusedMultiplyAdd(left, right, addend);

    public static Vector256<float> Sqrt(Vector256<float> value) => Vector256.Sqrt(value);

    public static Vector256<float> Min(Vector256<float> left, Vector256<float> right) => Vector256.Min(left, right);

    public static Vector256<float> Max(Vector256<float> left, Vector256<float> right) => Vector256.Max(left, right);

    public static Vector256<float> FlushBelow(Vector256<float> value, Vector256<float> smallest) =>
        Vector256.ConditionalSelect(Vector256.LessThan(Vector256.Abs(value), smallest), Vector256<float>.Zero, value);

    public static float Sum(Vector256<float> value) => Vector256.Sum(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AccumulateDouble(double* accumulator, double weight, float* source)
    {
        var w = Vector256.Create(weight);
        var (low, high) = Vector256.Widen(Vector256.Load(source));
        Vector256.FusedMultiplyAdd(w, low, Vector256.Load(accumulator)).Store(accumulator);
        Vector256.FusedMultiplyAdd(w, high, Vector256.Load(accumulator + 4)).Store(accumulator + 4);
    }
}

internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Width => 4;

    public static Vector128<float> Zero => Vector128<float>.Zero;

    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);

    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    public static void Store(float* destination, Vector128<float> value) => value.Store(destination);

    public static Vector128<float> Add(Vector128<float> left, Vector128<float> right) => left + right;

    public static Vector128<float> Multiply(Vector128<float> left, Vector128<float> right) => left * right;

    public static Vector128<float> Divide(Vector128<float> left, Vector128<float> right) => left / right;

    public static Vector128<float> MultiplyAdd(Vector128<float> left, Vector128<float> right, Vector128<float> addend) =>
        Vector128.FusedMultiplyAdd(left, right, addend);

    public static Vector128<float> Sqrt(Vector128<float> value) => Vector128.Sqrt(value);

    public static Vector128<float> Min(Vector128<float> left, Vector128<float> right) => Vector128.Min(left, right);

    public static Vector128<float> Max(Vector128<float> left, Vector128<float> right) => Vector128.Max(left, right);

    public static Vector128<float> FlushBelow(Vector128<float> value, Vector128<float> smallest) =>
        Vector128.ConditionalSelect(Vector128.LessThan(Vector128.Abs(value), smallest), Vector128<float>.Zero, value);

    public static float Sum(Vector128<float> value) => Vector128.Sum(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AccumulateDouble(double* accumulator, double weight, float* source)
    {
        for (var i = 0; i < 4; i++)
        {
            accumulator[i] += weight * source[i];
        }
    }
}
