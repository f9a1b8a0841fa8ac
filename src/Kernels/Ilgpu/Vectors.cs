using System.Runtime.InteropServices;

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
}

/// <summary>One float.</summary>
internal readonly struct Float1(float x) : IFloats<Float1>
{
    public readonly float X = x;

    public Float1 AddScaled(float alpha, Float1 x) => new(X + (alpha * x.X));

    public Float1 Scale(float alpha) => new(alpha * X);

    public float Dot(Float1 x, float sum) => sum + (X * x.X);
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
}
