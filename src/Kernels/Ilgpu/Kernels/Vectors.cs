using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Util;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// One or four floats that a thread handles at once, so that a kernel is written once for rows that are a multiple of 16 bytes
/// long and for those that are not.
/// </summary>
/// <remarks>
/// Load an element into a local (or an argument) before calling a method on it: a method called on <c>view[i]</c> reads the fields one by
/// one, 4 bytes each.
/// </remarks>
internal interface IFloats<TSelf>
    where TSelf : unmanaged, IFloats<TSelf>
{
    /// <summary>this + α·x.</summary>
    TSelf AddScaled(float alpha, TSelf x);

    /// <summary>α·this.</summary>
    TSelf Scale(float alpha);

    /// <summary>Sum of this·x over the elements, added to <paramref name="sum"/>.</summary>
    float Dot(TSelf x, float sum);

    /// <summary>Sum of this·x over the elements in float64, added to <paramref name="sum"/>.</summary>
    double Dot(TSelf x, double sum);

    /// <summary>Sum of the elements in float64, added to <paramref name="sum"/>.</summary>
    double Sum(double sum);

    /// <summary>Sum of (this − x)² over the elements in float64, the difference in float32, added to <paramref name="sum"/>.</summary>
    double SumSquaredDifferences(TSelf x, double sum);

    /// <summary>(this − offset)·scale in float64, rounded once.</summary>
    TSelf ShiftAndScale(double offset, double scale);

    /// <summary>this + x in every element.</summary>
    TSelf Add(float x);

    /// <summary>this·x element by element.</summary>
    TSelf Multiply(TSelf x);

    /// <summary>this/x element by element.</summary>
    TSelf Divide(TSelf x);

    /// <summary>The square root of every element.</summary>
    TSelf Sqrt();

    /// <summary>0 in place of an element whose magnitude is below <paramref name="limit"/>.</summary>
    TSelf FlushBelow(float limit);

    /// <summary>
    /// Four consecutive floats of a matrix; from the <paramref name="valid"/>-th on, which may lie outside of the matrix, they are 0.
    /// </summary>
    /// <param name="matrix">The matrix.</param>
    /// <param name="at">The first float, a multiple of 4 for <see cref="Float4"/>.</param>
    /// <param name="valid">The number of floats that may be read; for <see cref="Float4"/>, at least 4 or at most 0.</param>
    Float4 Load(ArrayView<TSelf> matrix, int at, int valid);

    /// <summary>Writes what <see cref="Load"/> reads.</summary>
    void Store(ArrayView<TSelf> matrix, int at, int valid, Float4 values);
}

/// <summary>Float64 sums of one or four columns that a thread forms at once.</summary>
/// <typeparam name="TSelf">One or four float64.</typeparam>
/// <typeparam name="TFloats">The same number of float32.</typeparam>
internal interface IColumnSums<TSelf, TFloats>
    where TSelf : unmanaged, IColumnSums<TSelf, TFloats>
{
    /// <summary>this + x.</summary>
    TSelf Add(TSelf x);

    /// <summary>this + weight·x.</summary>
    TSelf AddScaled(double weight, TFloats x);

    /// <summary>this + (x − y)², in float64 throughout.</summary>
    TSelf AddSquaredDifferences(TFloats x, TFloats y);

    /// <summary>Sum of this·x over the elements, added to <paramref name="sum"/>.</summary>
    double Dot(TFloats x, double sum);

    /// <summary>Sum of this·x over the elements, added to <paramref name="sum"/>.</summary>
    double Dot(TSelf x, double sum);

    /// <summary>(this − α·x)·factor.</summary>
    TSelf SubtractScaledAndMultiply(double alpha, TSelf x, double factor);

    /// <summary>The elements, rounded.</summary>
    TFloats Round();
}

/// <summary>One float.</summary>
internal readonly struct Float1(float x) : IFloats<Float1>
{
    public readonly float X = x;

    public Float1 AddScaled(float alpha, Float1 x) => new(X + (alpha * x.X));

    public Float1 Scale(float alpha) => new(alpha * X);

    public float Dot(Float1 x, float sum) => sum + (X * x.X);

    public double Dot(Float1 x, double sum) => sum + ((double)X * x.X);

    public double Sum(double sum) => sum + X;

    public double SumSquaredDifferences(Float1 x, double sum)
    {
        var difference = AddScaled(-1, x);
        return difference.Dot(difference, sum);
    }

    public Float1 ShiftAndScale(double offset, double scale) => new((float)((X - offset) * scale));

    public Float1 Add(float x) => new(X + x);

    public Float1 Multiply(Float1 x) => new(X * x.X);

    public Float1 Divide(Float1 x) => new(X / x.X);

    public Float1 Sqrt() => new(MathF.Sqrt(X));

    public Float1 FlushBelow(float limit) => new(Math.Abs(X) < limit ? 0 : X);

    public Float4 Load(ArrayView<Float1> matrix, int at, int valid)
    {
        // An invalid element is read from one that no other thread writes, the first of the four if it may be read, and then discarded.
        var first = Utilities.Select(valid > 0, at, 0);
        return new(
            Element(matrix, first, first, valid > 0),
            Element(matrix, at + 1, first, valid > 1),
            Element(matrix, at + 2, first, valid > 2),
            Element(matrix, at + 3, first, valid > 3));
    }

    public void Store(ArrayView<Float1> matrix, int at, int valid, Float4 values)
    {
        if (valid > 0)
        {
            matrix[at] = new(values.X);
        }

        if (valid > 1)
        {
            matrix[at + 1] = new(values.Y);
        }

        if (valid > 2)
        {
            matrix[at + 2] = new(values.Z);
        }

        if (valid > 3)
        {
            matrix[at + 3] = new(values.W);
        }
    }

    private static float Element(ArrayView<Float1> matrix, int at, int other, bool valid) =>
        Utilities.Select(valid, matrix[Utilities.Select(valid, at, other)].X, 0);
}

/// <summary>Four floats, loaded and stored as 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 16)]
internal readonly struct Float4(float x, float y, float z, float w) : IFloats<Float4>
{
    public readonly float X = x;
    public readonly float Y = y;
    public readonly float Z = z;
    public readonly float W = w;

    public Float4 AddScaled(float alpha, Float4 x) =>
        new(X + (alpha * x.X), Y + (alpha * x.Y), Z + (alpha * x.Z), W + (alpha * x.W));

    public Float4 Scale(float alpha) => new(alpha * X, alpha * Y, alpha * Z, alpha * W);

    public float Dot(Float4 x, float sum) => sum + (X * x.X) + (Y * x.Y) + (Z * x.Z) + (W * x.W);

    public double Dot(Float4 x, double sum) =>
        sum + ((double)X * x.X) + ((double)Y * x.Y) + ((double)Z * x.Z) + ((double)W * x.W);

    public double Sum(double sum) => sum + X + Y + Z + W;

    public double SumSquaredDifferences(Float4 x, double sum)
    {
        var difference = AddScaled(-1, x);
        return difference.Dot(difference, sum);
    }

    public Float4 ShiftAndScale(double offset, double scale) => new(
        (float)((X - offset) * scale), (float)((Y - offset) * scale), (float)((Z - offset) * scale), (float)((W - offset) * scale));

    public Float4 Add(float x) => new(X + x, Y + x, Z + x, W + x);

    public Float4 Multiply(Float4 x) => new(X * x.X, Y * x.Y, Z * x.Z, W * x.W);

    public Float4 Divide(Float4 x) => new(X / x.X, Y / x.Y, Z / x.Z, W / x.W);

    public Float4 Sqrt() => new(MathF.Sqrt(X), MathF.Sqrt(Y), MathF.Sqrt(Z), MathF.Sqrt(W));

    public Float4 FlushBelow(float limit) => new(
        Math.Abs(X) < limit ? 0 : X, Math.Abs(Y) < limit ? 0 : Y, Math.Abs(Z) < limit ? 0 : Z, Math.Abs(W) < limit ? 0 : W);

    /// <summary>Negative elements become 0; NaN stays.</summary>
    public Float4 Relu() => new(X < 0 ? 0 : X, Y < 0 ? 0 : Y, Z < 0 ? 0 : Z, W < 0 ? 0 : W);

    public Float4 Load(ArrayView<Float4> matrix, int at, int valid)
    {
        // Without a branch: invalid elements are read from the start of the matrix and then discarded.
        var values = matrix[Utilities.Select(valid > 0, at >> 2, 0)];
        return new(
            Utilities.Select(valid > 0, values.X, 0),
            Utilities.Select(valid > 0, values.Y, 0),
            Utilities.Select(valid > 0, values.Z, 0),
            Utilities.Select(valid > 0, values.W, 0));
    }

    public void Store(ArrayView<Float4> matrix, int at, int valid, Float4 values)
    {
        if (valid > 0)
        {
            matrix[at / 4] = values;
        }
    }
}

/// <summary>The sum of one column.</summary>
internal readonly struct Double1(double x) : IColumnSums<Double1, Float1>
{
    public readonly double X = x;

    public Double1 Add(Double1 x) => new(X + x.X);

    public Double1 AddScaled(double weight, Float1 x) => new(X + (weight * x.X));

    public Double1 AddSquaredDifferences(Float1 x, Float1 y) => new(X + Square((double)x.X - y.X));

    public double Dot(Float1 x, double sum) => sum + (X * x.X);

    public double Dot(Double1 x, double sum) => sum + (X * x.X);

    public Double1 SubtractScaledAndMultiply(double alpha, Double1 x, double factor) => new((X - (alpha * x.X)) * factor);

    public Float1 Round() => new((float)X);

    private static double Square(double x) => x * x;
}

/// <summary>The sums of four columns.</summary>
internal readonly struct Double4(double x, double y, double z, double w) : IColumnSums<Double4, Float4>
{
    public readonly double X = x;
    public readonly double Y = y;
    public readonly double Z = z;
    public readonly double W = w;

    public Double4 Add(Double4 x) => new(X + x.X, Y + x.Y, Z + x.Z, W + x.W);

    public Double4 AddScaled(double weight, Float4 x) =>
        new(X + (weight * x.X), Y + (weight * x.Y), Z + (weight * x.Z), W + (weight * x.W));

    public Double4 AddSquaredDifferences(Float4 x, Float4 y) => new(
        X + Square((double)x.X - y.X), Y + Square((double)x.Y - y.Y), Z + Square((double)x.Z - y.Z), W + Square((double)x.W - y.W));

    public double Dot(Float4 x, double sum) => sum + (X * x.X) + (Y * x.Y) + (Z * x.Z) + (W * x.W);

    public double Dot(Double4 x, double sum) => sum + (X * x.X) + (Y * x.Y) + (Z * x.Z) + (W * x.W);

    public Double4 SubtractScaledAndMultiply(double alpha, Double4 x, double factor) => new(
        (X - (alpha * x.X)) * factor, (Y - (alpha * x.Y)) * factor, (Z - (alpha * x.Z)) * factor, (W - (alpha * x.W)) * factor);

    public Float4 Round() => new((float)X, (float)Y, (float)Z, (float)W);

    private static double Square(double x) => x * x;
}
