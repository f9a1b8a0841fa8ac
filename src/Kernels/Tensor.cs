namespace MonoLoss.Kernels;

/// <summary>A dense float32 matrix, row-major and contiguous, in a device's memory. A vector is a matrix of one row.</summary>
public sealed class Tensor : IDisposable
{
    internal Tensor(Device device, int rows, int columns)
    {
        Device = device;
        Data = device.Allocate<float>(0);
        Resize(rows, columns);
    }

    /// <summary>The device that holds the values.</summary>
    public Device Device { get; }

    /// <summary>Rows.</summary>
    public int Rows { get; private set; }

    /// <summary>Columns.</summary>
    public int Columns { get; private set; }

    /// <summary>Rows × columns.</summary>
    public long Count => (long)Rows * Columns;

    /// <summary>The values, row by row.</summary>
    public DeviceArray<float> Data { get; }

    /// <summary>Sets the shape; the values are undefined if memory had to grow.</summary>
    public void Resize(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        Data.Resize((long)rows * columns);
        (Rows, Columns) = (rows, columns);
    }

    /// <summary><see cref="Resize"/>, for use within an expression.</summary>
    internal Tensor Resized(int rows, int columns)
    {
        Resize(rows, columns);
        return this;
    }

    /// <summary>Copies all values from the host.</summary>
    /// <param name="values">Rows×columns values, row by row.</param>
    public Tensor Set(ReadOnlySpan<float> values)
    {
        if (values.Length != Count)
        {
            throw new ArgumentException($"{values.Length} values for a tensor of {Rows}×{Columns}", nameof(values));
        }

        Data.CopyFrom(values);
        return this;
    }

    /// <summary>All values on the host, row by row.</summary>
    public float[] ToArray() => Data.ToArray();

    /// <summary>Sets every value to zero.</summary>
    public void Clear() => Data.Clear();

    /// <inheritdoc/>
    public void Dispose() => Data.Dispose();
}
