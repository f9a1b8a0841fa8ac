using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A value that is null, among values that must not be.</summary>
/// <param name="index">Which one.</param>
internal sealed class NullValueException(long index) : Exception
{
    /// <summary>Which one.</summary>
    public long Index => index;
}

/// <summary>The buffers of a record batch, found by columns; nothing of them is in memory.</summary>
internal sealed class ArrowBatch : IDisposable
{
    private const int NodeSize = 16;
    private const int Block = 1 << 10;

    private readonly Dictionary<ArrowField, Place> _places = new(ReferenceEqualityComparer.Instance);

    /// <summary>Finds the buffers.</summary>
    /// <param name="file">The file, open; it stays the caller's.</param>
    /// <param name="batch">The table RecordBatch.</param>
    /// <param name="body">Where the buffers begin in the file.</param>
    /// <param name="length">Bytes of all buffers.</param>
    /// <param name="fields">The columns.</param>
    /// <exception cref="CorruptException">The batch is damaged.</exception>
    public ArrowBatch(FileBytes file, FlatTable batch, long body, long length, IReadOnlyList<ArrowField> fields)
    {
        var codec = ArrowCodec.None;
        if (batch.Has(3))
        {
            codec = (ArrowCodec)batch.Table(3).Byte(0);
            if (codec is not (ArrowCodec.Lz4 or ArrowCodec.Zstd))
            {
                throw new CorruptException($"it is compressed by method {(int)codec}, expected LZ4 or Zstandard");
            }
        }

        var layout = new Layout(file, batch.Structs(1, NodeSize), batch.Structs(2, NodeSize), batch.Structs(4, sizeof(long)), body,
            length, codec);
        foreach (var field in fields)
        {
            layout.Add(field, _places);
        }
    }

    /// <summary>The number of values of a column.</summary>
    public long LengthOf(ArrowField field) => _places[field].Length;

    /// <summary>Throws if one of some values is null.</summary>
    /// <exception cref="NullValueException">One is.</exception>
    /// <exception cref="CorruptException">The buffer is too short.</exception>
    public void CheckNulls(ArrowField field, long first, long count)
    {
        Span<byte> bits = stackalloc byte[Block];
        var place = _places[field];
        CheckRange(place, first, count);
        if (place.Nulls == 0 || place.Buffers[0].Length == 0)
        {
            return;
        }

        for (var at = first; at < first + count;)
        {
            var some = Math.Min(first + count - at, (Block - 1) * 8);
            var block = bits[..(int)(((at + some - 1) / 8) - (at / 8) + 1)];
            place.Buffers[0].Read(block, at / 8);
            for (var i = at; i < at + some; i++)
            {
                if ((block[(int)((i / 8) - (at / 8))] >> (int)(i % 8) & 1) == 0)
                {
                    throw new NullValueException(i);
                }
            }

            at += some;
        }
    }

    /// <summary>Which of some values are null.</summary>
    public bool[] Nulls(ArrowField field, long first, int count)
    {
        var place = _places[field];
        CheckRange(place, first, count);
        var nulls = new bool[count];
        if (field.Type == ArrowType.Null)
        {
            System.Array.Fill(nulls, true);
        }
        else if (place.Nulls != 0 && place.Buffers[0].Length > 0 && count > 0)
        {
            var bits = new byte[((first + count - 1) / 8) - (first / 8) + 1];
            place.Buffers[0].Read(bits, first / 8);
            for (var i = 0; i < count; i++)
            {
                nulls[i] = (bits[((first + i) / 8) - (first / 8)] >> (int)((first + i) % 8) & 1) == 0;
            }
        }

        return nulls;
    }

    /// <summary>Where lists begin and how long they are.</summary>
    /// <param name="field">A column of lists, or of text with offsets.</param>
    /// <param name="first">The first list.</param>
    /// <param name="starts">Receives the first element of each.</param>
    /// <param name="lengths">Receives the number of elements of each.</param>
    public void Lists(ArrowField field, long first, Span<long> starts, Span<long> lengths)
    {
        var place = _places[field];
        CheckRange(place, first, starts.Length);
        if (field.Type == ArrowType.FixedSizeList)
        {
            for (var i = 0; i < starts.Length; i++)
            {
                starts[i] = checked((first + i) * field.ListSize);
            }

            lengths.Fill(field.ListSize);
            return;
        }

        if (field.Type is ArrowType.ListView or ArrowType.LargeListView)
        {
            Integers(place.Buffers[1], field.IsLarge, first, starts);
            Integers(place.Buffers[2], field.IsLarge, first, lengths);
        }
        else
        {
            Span<long> last = stackalloc long[1];
            Integers(place.Buffers[1], field.IsLarge, first, starts);
            Integers(place.Buffers[1], field.IsLarge, first + starts.Length, last);
            for (var i = 0; i < starts.Length; i++)
            {
                lengths[i] = (i + 1 < starts.Length ? starts[i + 1] : last[0]) - starts[i];
            }
        }

        for (var i = 0; i < starts.Length; i++)
        {
            if (starts[i] < 0 || lengths[i] < 0)
            {
                throw new CorruptException("a list begins before its values");
            }
        }
    }

    /// <summary>Reads numbers as they are stored.</summary>
    /// <param name="field">A column of numbers, or the indices of one with a dictionary.</param>
    /// <param name="of">The column whose buffers have them.</param>
    /// <param name="first">The first.</param>
    /// <param name="target">Receives them: bytes of each number, or one bit each of booleans, from a whole byte on.</param>
    public void Raw(ArrowField field, ArrowField of, long first, Span<byte> target)
    {
        var place = _places[of];
        place.Buffers[1].Read(target, field.Bits == 1 ? first / 8 : checked(first * (field.Bits / 8)));
    }

    /// <summary>Reads texts; null where there is none.</summary>
    /// <exception cref="CorruptException">They are damaged, or one is too long.</exception>
    public void Texts(ArrowField field, long first, Span<string?> target)
    {
        var nulls = Nulls(field, first, target.Length);
        if (field.Type == ArrowType.Utf8View)
        {
            Views(_places[field], first, target, nulls);
            return;
        }

        var starts = new long[target.Length];
        var lengths = new long[target.Length];
        Lists(field, first, starts, lengths);
        for (var i = 0; i < target.Length; i++)
        {
            target[i] = nulls[i] ? null : TextAt(_places[field].Buffers[2], starts[i], lengths[i]);
        }
    }

    /// <summary>Frees the decoders.</summary>
    public void Dispose()
    {
        foreach (var buffer in _places.Values.SelectMany(place => place.Buffers))
        {
            buffer.Dispose();
        }
    }

    private sealed record Place(long Length, long Nulls, ArrowBuffer[] Buffers);

    private static void CheckRange(Place place, long first, long count)
    {
        if (first < 0 || count < 0 || first > place.Length - count)
        {
            throw new CorruptException("a list lies outside of its values");
        }
    }

    private static void Integers(ArrowBuffer buffer, bool large, long first, Span<long> target)
    {
        if (large)
        {
            buffer.Read(MemoryMarshal.AsBytes(target), checked(first * sizeof(long)));
            return;
        }

        var integers = new int[target.Length];
        buffer.Read(MemoryMarshal.AsBytes(integers.AsSpan()), checked(first * sizeof(int)));
        for (var i = 0; i < integers.Length; i++)
        {
            target[i] = integers[i];
        }
    }

    private static string TextAt(ArrowBuffer buffer, long start, long length)
    {
        if (length > FlatColumn.LongestText || length > buffer.Length)
        {
            throw new CorruptException($"a text of {length} bytes");
        }

        var bytes = new byte[length];
        buffer.Read(bytes, start);
        return Encoding.UTF8.GetString(bytes);
    }

    // A view has the length; then the text if it has at most 12 bytes, else its first 4, the buffer and the place in it.
    private static void Views(Place place, long first, Span<string?> target, bool[] nulls)
    {
        const int ViewSize = 16;
        const int Inline = 12;
        var views = new byte[target.Length * ViewSize];
        place.Buffers[1].Read(views, checked(first * ViewSize));
        for (var i = 0; i < target.Length; i++)
        {
            var view = views.AsSpan(i * ViewSize, ViewSize);
            var length = BinaryPrimitives.ReadInt32LittleEndian(view);
            if (nulls[i] || length is >= 0 and <= Inline)
            {
                target[i] = nulls[i] ? null : Encoding.UTF8.GetString(view.Slice(4, length));
                continue;
            }

            var buffer = 2L + BinaryPrimitives.ReadInt32LittleEndian(view[8..]);
            target[i] = length > 0 && buffer >= 2 && buffer < place.Buffers.Length
                ? TextAt(place.Buffers[buffer], BinaryPrimitives.ReadInt32LittleEndian(view[12..]), length)
                : throw new CorruptException("a text lies outside of its buffers");
        }
    }

    /// <summary>Gives the nodes and buffers, which are in the order of the columns and their children, to columns.</summary>
    private ref struct Layout(
        FileBytes file,
        ReadOnlySpan<byte> nodes,
        ReadOnlySpan<byte> buffers,
        ReadOnlySpan<byte> variadic,
        long body,
        long length,
        ArrowCodec codec)
    {
        private ReadOnlySpan<byte> _nodes = nodes;
        private ReadOnlySpan<byte> _buffers = buffers;
        private ReadOnlySpan<byte> _variadic = variadic;

        public void Add(ArrowField field, Dictionary<ArrowField, Place> places)
        {
            if (_nodes.IsEmpty)
            {
                throw new CorruptException("a record batch has fewer columns than the schema");
            }

            var (count, nulls) = (BinaryPrimitives.ReadInt64LittleEndian(_nodes), BinaryPrimitives.ReadInt64LittleEndian(_nodes[8..]));
            _nodes = _nodes[NodeSize..];
            if (count < 0)
            {
                throw new CorruptException($"a column has {count} values");
            }

            places[field] = new Place(count, nulls, Take(BufferCount(field)));
            if (field.Dictionary is null)
            {
                foreach (var child in field.Children)
                {
                    Add(child, places);
                }
            }
        }

        private long BufferCount(ArrowField field)
        {
            if (field.Dictionary is not null)
            {
                return 2;
            }

            switch (field.Type)
            {
                case ArrowType.Null or ArrowType.RunEndEncoded:
                    return 0;
                case ArrowType.Struct or ArrowType.FixedSizeList:
                    return 1;
                case ArrowType.Union:
                    return field.IsDense ? 2 : 1;
                case ArrowType.Binary or ArrowType.Utf8 or ArrowType.LargeBinary or ArrowType.LargeUtf8
                    or ArrowType.ListView or ArrowType.LargeListView:
                    return 3;
                case ArrowType.BinaryView or ArrowType.Utf8View:
                    if (_variadic.IsEmpty)
                    {
                        throw new CorruptException("a column of views has no number of buffers");
                    }

                    var more = BinaryPrimitives.ReadInt64LittleEndian(_variadic);
                    _variadic = _variadic[sizeof(long)..];
                    return more is >= 0 and < int.MaxValue ? 2 + more : throw new CorruptException($"a column has {more} buffers");
                default:
                    return 2;
            }
        }

        private ArrowBuffer[] Take(long count)
        {
            if (count > _buffers.Length / NodeSize)
            {
                throw new CorruptException("a record batch has fewer buffers than its columns need");
            }

            var taken = new ArrowBuffer[count];
            for (var i = 0; i < taken.Length; i++)
            {
                var (start, size) = (BinaryPrimitives.ReadInt64LittleEndian(_buffers),
                    BinaryPrimitives.ReadInt64LittleEndian(_buffers[8..]));
                _buffers = _buffers[NodeSize..];
                taken[i] = start >= 0 && size >= 0 && start <= length - size
                    ? new ArrowBuffer(file, body + start, size, codec)
                    : throw new CorruptException("a buffer lies outside of its record batch");
            }

            return taken;
        }
    }
}
