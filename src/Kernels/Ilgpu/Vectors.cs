using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Util;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// One or four floats that a thread handles at once, so that a kernel is written once for rows that are a multiple of 16 bytes
/// long and for those that are not.
/// </summary>
internal interface IFloats<TSelf>
    where TSelf : unmanaged, IFloats<TSelf>
{
    /// <summary>this + α·x.</summary>
    TSelf AddScaled(float alpha, TSelf x);

    /// <summary>α·this.</summary>
    TSelf Scale(float alpha);

    /// <summary>Sum of this·x over the elements, added to <paramref name="sum"/>.</summary>
    float Dot(TSelf x, float sum);

    /// <summary>Four consecutive floats of a matrix; those from the <paramref name="valid"/>-th on, which may be none of its elements, are 0.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <param name="at">The first float, a multiple of 4 for <see cref="Float4"/>.</param>
    /// <param name="valid">How many may be read; 4 or more, or 0 or less, for <see cref="Float4"/>.</param>
    Float4 Load(ArrayView<TSelf> matrix, int at, int valid);

    /// <summary>Writes what <see cref="Load"/> reads.</summary>
    void Store(ArrayView<TSelf> matrix, int at, int valid, Float4 values);
}

/// <summary>One float.</summary>
internal readonly struct Float1(float x) : IFloats<Float1>
{
    public readonly float X = x;

    public Float1 AddScaled(float alpha, Float1 x) => new(X + (alpha * x.X));

    public Float1 Scale(float alpha) => new(alpha * X);

    public float Dot(Float1 x, float sum) => sum + (X * x.X);

    public Float4 Load(ArrayView<Float1> matrix, int at, int valid) =>
        new(Element(matrix, at, valid > 0), Element(matrix, at + 1, valid > 1), Element(matrix, at + 2, valid > 2), Element(matrix, at + 3, valid > 3));

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

    private static float Element(ArrayView<Float1> matrix, int at, bool valid) =>
        Utilities.Select(valid, matrix[Utilities.Select(valid, at, 0)].X, 0);
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

    /// <summary>Where negative, 0; NaN stays.</summary>
    public Float4 Relu() => new(X < 0 ? 0 : X, Y < 0 ? 0 : Y, Z < 0 ? 0 : Z, W < 0 ? 0 : W);

    public Float4 Load(ArrayView<Float4> matrix, int at, int valid)
    {
        // Without a branch: what is not valid reads the first elements, and forgets them.
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
