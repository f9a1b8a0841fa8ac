using System.Runtime.InteropServices;

namespace MonoLoss.Data;

/// <summary>A tensor to be written. Its data are not copied before the file is written.</summary>
public sealed class SafeTensor
{
    private readonly Action<Stream> _write;

    private SafeTensor(string name, string dtype, IReadOnlyList<long> shape, long count, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Int128 product = 1;
        foreach (var dimension in shape)
        {
            product *= dimension;
        }

        if (product != count || name == "__metadata__")
        {
            throw new ArgumentException($"tensor '{name}' of {string.Join("×", shape)} has {count} elements");
        }

        Name = name;
        Dtype = dtype;
        Shape = shape;
        Bytes = count * SafetensorsFile.SizeOf(dtype);
        _write = write;
    }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>The element type as the format names it.</summary>
    public string Dtype { get; }

    /// <summary>The dimensions.</summary>
    public IReadOnlyList<long> Shape { get; }

    internal long Bytes { get; }

    /// <summary>A tensor of numbers or booleans.</summary>
    /// <typeparam name="T">float, double, Half, bool, or an integer of 8 to 64 bits.</typeparam>
    /// <param name="name">The name.</param>
    /// <param name="shape">The dimensions; none for a scalar.</param>
    /// <param name="values">The elements, the last dimension fastest.</param>
    /// <exception cref="ArgumentException">The shape and the number of elements differ, or the name is reserved.</exception>
    public static SafeTensor Create<T>(string name, IReadOnlyList<long> shape, T[] values)
        where T : unmanaged => new(name, DtypeOf<T>(), shape, values.Length, stream => WriteSpan<T>(stream, values));

    internal void Write(Stream stream) => _write(stream);

    private static string DtypeOf<T>() => Type.GetTypeCode(typeof(T)) switch
    {
        TypeCode.Single => "F32",
        TypeCode.Double => "F64",
        TypeCode.Int64 => "I64",
        TypeCode.Int32 => "I32",
        TypeCode.Int16 => "I16",
        TypeCode.SByte => "I8",
        TypeCode.UInt64 => "U64",
        TypeCode.UInt32 => "U32",
        TypeCode.UInt16 => "U16",
        TypeCode.Byte => "U8",
        TypeCode.Boolean => "BOOL",
        _ when typeof(T) == typeof(Half) => "F16",
        _ => throw new NotSupportedException($"a tensor of {typeof(T).Name}"),
    };

    private static void WriteSpan<T>(Stream stream, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        const int Part = 1 << 24;
        for (var at = 0; at < values.Length; at += Part)
        {
            stream.Write(MemoryMarshal.AsBytes(values.Slice(at, Math.Min(Part, values.Length - at))));
        }
    }
}
