using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace MonoLoss.Data;

/// <summary>How the elements of an array lie in a file.</summary>
/// <param name="Source">The bytes.</param>
/// <param name="Offset">Byte offset of the first element.</param>
/// <param name="Strides">Elements from one position of a dimension to the next, 0 for a repeated one.</param>
/// <param name="BigEndian">Whether the bytes of an element have the highest first.</param>
internal sealed record StridedLayout(ByteSource Source, long Offset, IReadOnlyList<long> Strides, bool BigEndian)
{
    /// <summary>The layout without gaps: the last dimension fastest, or with <paramref name="fortran"/> the first.</summary>
    public static StridedLayout Dense(
        ByteSource source, long offset, IReadOnlyList<long> shape, bool bigEndian = false, bool fortran = false)
    {
        var strides = new long[shape.Count];
        long stride = 1;
        for (var i = 0; i < strides.Length; i++)
        {
            var dimension = fortran ? i : strides.Length - 1 - i;
            strides[dimension] = stride;
            stride *= shape[dimension];
        }

        return new StridedLayout(source, offset, strides, bigEndian);
    }
}

/// <summary>An array of numbers whose dimensions have any strides.</summary>
internal sealed class StridedArray : StoredArray
{
    private const int BlockBytes = 1 << 20;

    // Elements wanted among those between the first and the last are read with them if they are not too few.
    private const int MaxSparsity = 4;

    private readonly StridedLayout _layout;

    /// <summary>Describes an array.</summary>
    /// <exception cref="CorruptException">It does not lie within its bytes.</exception>
    public StridedArray(string path, string name, ElementType type, IReadOnlyList<long> shape, StridedLayout layout)
        : base(path, name, type, shape)
    {
        _layout = layout;
        var count = CountOf(shape);
        if (count == 0)
        {
            return;
        }

        Int128 last = 0;
        for (var i = 0; i < shape.Count; i++)
        {
            last += (Int128)(shape[i] - 1) * layout.Strides[i];
        }

        var needed = layout.Offset + ((last + 1) * type.SizeOf());
        if (needed > layout.Source.Length)
        {
            throw new CorruptException($"{ShapeText} {TypeText} need {needed} bytes, there are {layout.Source.Length}");
        }

        // Repeated dimensions could pretend any size.
        if (count > int.MaxValue && count > layout.Source.Length / type.SizeOf())
        {
            throw new CorruptException($"{layout.Source.Length} bytes are repeated to {ShapeText} elements");
        }
    }

    private protected override void ReadNumbersCore<T>(long firstRow, Span<T> target)
    {
        switch (Type)
        {
            case ElementType.Float16:
                Read<Half, T, NumberConversion<Half, T>>(firstRow, target);
                break;
            case ElementType.BFloat16:
                Read<ushort, T, BFloat16Conversion<T>>(firstRow, target);
                break;
            case ElementType.Float32:
                Read<float, T, NumberConversion<float, T>>(firstRow, target);
                break;
            case ElementType.Float64:
                Read<double, T, NumberConversion<double, T>>(firstRow, target);
                break;
            case ElementType.Int8:
                Read<sbyte, T, NumberConversion<sbyte, T>>(firstRow, target);
                break;
            case ElementType.Int16:
                Read<short, T, NumberConversion<short, T>>(firstRow, target);
                break;
            case ElementType.Int32:
                Read<int, T, NumberConversion<int, T>>(firstRow, target);
                break;
            case ElementType.Int64:
                Read<long, T, NumberConversion<long, T>>(firstRow, target);
                break;
            case ElementType.UInt8:
                Read<byte, T, NumberConversion<byte, T>>(firstRow, target);
                break;
            case ElementType.UInt16:
                Read<ushort, T, NumberConversion<ushort, T>>(firstRow, target);
                break;
            case ElementType.UInt32:
                Read<uint, T, NumberConversion<uint, T>>(firstRow, target);
                break;
            case ElementType.UInt64:
                Read<ulong, T, NumberConversion<ulong, T>>(firstRow, target);
                break;
            default:
                Read<byte, T, BooleanConversion<T>>(firstRow, target);
                break;
        }
    }

    private protected override void ReadTextsCore(long firstRow, Span<string> target) => throw new NotSupportedException();

    private static void Gather<TStored, T, TConversion>(
        ReadOnlySpan<TStored> source, Span<T> target, ReadOnlySpan<Axis> axes, long from, long to)
        where TConversion : struct, IElementConversion<TStored, T>
    {
        if (axes.IsEmpty)
        {
            target[(int)to] = TConversion.Convert(source[(int)from]);
            return;
        }

        var axis = axes[^1];
        if (axes.Length > 1)
        {
            for (long i = 0; i < axis.Length; i++)
            {
                Gather<TStored, T, TConversion>(source, target, axes[..^1], from + (i * axis.Stride), to + (i * axis.Target));
            }
        }
        else if (axis is { Stride: 1, Target: 1 })
        {
            source = source.Slice((int)from, (int)axis.Length);
            target = target.Slice((int)to, source.Length);
            for (var i = 0; i < source.Length; i++)
            {
                target[i] = TConversion.Convert(source[i]);
            }
        }
        else
        {
            for (long i = 0; i < axis.Length; i++)
            {
                target[(int)(to + (i * axis.Target))] = TConversion.Convert(source[(int)(from + (i * axis.Stride))]);
            }
        }
    }

    private static void Reverse(Span<byte> bytes, int size)
    {
        switch (size)
        {
            case 2:
                var shorts = MemoryMarshal.Cast<byte, ushort>(bytes);
                BinaryPrimitives.ReverseEndianness(shorts, shorts);
                break;
            case 4:
                var ints = MemoryMarshal.Cast<byte, uint>(bytes);
                BinaryPrimitives.ReverseEndianness(ints, ints);
                break;
            case 8:
                var longs = MemoryMarshal.Cast<byte, ulong>(bytes);
                BinaryPrimitives.ReverseEndianness(longs, longs);
                break;
            default:
                break;
        }
    }

    private unsafe void Read<TStored, T, TConversion>(long firstRow, Span<T> target)
        where TStored : unmanaged
        where T : unmanaged
        where TConversion : struct, IElementConversion<TStored, T>
    {
        var axes = Axis.OfRows(Shape, _layout.Strides, target.Length / RowLength);
        var offset = Shape.Count == 0 ? 0 : firstRow * _layout.Strides[0];
        if (typeof(TStored) == typeof(T) && !_layout.BigEndian && (axes.Length == 0 || (axes.Length == 1 && axes[0].Stride == 1)))
        {
            ReadDirectly(target, _layout.Offset + (offset * sizeof(T)));
            return;
        }

        var longest = Math.Min(BlockBytes, Axis.Extent(axes) * sizeof(TStored));
        var buffer = ArrayPool<byte>.Shared.Rent((int)longest);
        try
        {
            ReadBlock<TStored, T, TConversion>(axes, offset, target, 0, buffer.AsSpan(0, (int)longest));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // In parts, for a span of bytes has less than 2^31.
    private unsafe void ReadDirectly<T>(Span<T> target, long offset)
        where T : unmanaged
    {
        const int Part = 1 << 27;
        for (var at = 0; at < target.Length; at += Part)
        {
            var part = target.Slice(at, Math.Min(Part, target.Length - at));
            _layout.Source.Read(MemoryMarshal.AsBytes(part), offset + ((long)at * sizeof(T)));
        }
    }

    // Reads what is dense with one call, else takes the outermost axis apart.
    private unsafe void ReadBlock<TStored, T, TConversion>(
        ReadOnlySpan<Axis> axes, long from, Span<T> target, long to, Span<byte> buffer)
        where TStored : unmanaged
        where T : unmanaged
        where TConversion : struct, IElementConversion<TStored, T>
    {
        if (Fits(axes, buffer.Length / sizeof(TStored)))
        {
            Load<TStored, T, TConversion>(axes, from, target, to, buffer);
            return;
        }

        var axis = axes[^1];
        var inner = axes[..^1];
        // The longest part of the outermost axis that fits, if one does: with gaps between its positions that are too large none does.
        var part = axis.Stride == 0 ? axis.Length : ((buffer.Length / sizeof(TStored)) - Axis.Extent(inner)) / axis.Stride;
        part = Math.Clamp(part + 1, 1, axis.Length);
        Axis[] block = [.. inner, axis with { Length = part }];
        if (!Fits(block, buffer.Length / sizeof(TStored)))
        {
            part = 1;
        }

        for (long i = 0; i < axis.Length; i += part)
        {
            var (source, place) = (from + (i * axis.Stride), to + (i * axis.Target));
            if (part == 1)
            {
                ReadBlock<TStored, T, TConversion>(inner, source, target, place, buffer);
            }
            else
            {
                block[^1] = axis with { Length = Math.Min(part, axis.Length - i) };
                Load<TStored, T, TConversion>(block, source, target, place, buffer);
            }
        }
    }

    private static bool Fits(ReadOnlySpan<Axis> axes, long elements)
    {
        var extent = Axis.Extent(axes);
        return extent <= elements && extent / MaxSparsity <= Axis.Count(axes);
    }

    private unsafe void Load<TStored, T, TConversion>(
        ReadOnlySpan<Axis> axes, long from, Span<T> target, long to, Span<byte> buffer)
        where TStored : unmanaged
        where T : unmanaged
        where TConversion : struct, IElementConversion<TStored, T>
    {
        var bytes = buffer[..(int)(Axis.Extent(axes) * sizeof(TStored))];
        _layout.Source.Read(bytes, _layout.Offset + (from * sizeof(TStored)));
        if (_layout.BigEndian)
        {
            Reverse(bytes, sizeof(TStored));
        }

        Gather<TStored, T, TConversion>(MemoryMarshal.Cast<byte, TStored>(bytes), target, axes, 0, to);
    }
}
