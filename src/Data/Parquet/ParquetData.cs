using Parquet;
using Parquet.Schema;

namespace MonoLoss.Data.Parquet;

/// <summary>A column to be written.</summary>
public abstract class ParquetData
{
    private protected ParquetData(string name, int rows)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        (Name, Rows) = (name, rows);
    }

    /// <summary>The name of the column.</summary>
    public string Name { get; }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>The column in the schema.</summary>
    internal abstract Field Field { get; }

    /// <summary>A column of long, int, float, double or bool.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="values">One value per row.</param>
    public static ParquetData Create<T>(string name, T[] values)
        where T : unmanaged => new Values<T>(name, values);

    /// <summary>A column of long, int, float, double or bool that may be null.</summary>
    /// <inheritdoc cref="Create{T}(string, T[])"/>
    public static ParquetData Create<T>(string name, T?[] values)
        where T : unmanaged => new NullableValues<T>(name, values);

    /// <summary>A column of text.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="values">One text per row.</param>
    /// <param name="nullable">Whether a row may be null.</param>
    /// <exception cref="ArgumentException">A text is null, and the column is not nullable.</exception>
    public static ParquetData Create(string name, IReadOnlyList<string?> values, bool nullable = false) =>
        nullable || !values.Contains(null)
            ? new Texts(name, values, nullable)
            : throw new ArgumentException($"column '{name}' has a null, but is not nullable", nameof(values));

    /// <summary>A column of bytes, such as files.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="values">The bytes of each row.</param>
    public static ParquetData Create(string name, IReadOnlyList<byte[]> values) => new Binary(name, values);

    /// <summary>A column of lists of floats, all of the same length.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="values">The floats of all rows.</param>
    /// <param name="width">Floats per row.</param>
    public static ParquetData FloatLists(string name, ReadOnlyMemory<float> values, int width)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        return values.Length % width == 0
            ? new Lists<float>(name, values, [.. Enumerable.Range(0, (values.Length / width) + 1).Select(row => row * width)])
            : throw new ArgumentException($"{values.Length} floats for rows of {width}", nameof(values));
    }

    /// <summary>A column of lists of floats.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="values">The floats of all rows.</param>
    /// <param name="offsets">Rows + 1 offsets: row i has the floats from <c>offsets[i]</c> up to <c>offsets[i + 1]</c>.</param>
    public static ParquetData FloatLists(string name, ReadOnlyMemory<float> values, int[] offsets) =>
        new Lists<float>(name, values, offsets);

    /// <summary>A column of lists of int32.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="values">The integers of all rows.</param>
    /// <param name="offsets">Rows + 1 offsets: row i has the integers from <c>offsets[i]</c> up to <c>offsets[i + 1]</c>.</param>
    public static ParquetData IntegerLists(string name, ReadOnlyMemory<int> values, int[] offsets) =>
        new Lists<int>(name, values, offsets);

    /// <summary>Writes some rows to a row group.</summary>
    /// <param name="writer">The row group.</param>
    /// <param name="field">The file's own field for the values of <see cref="Field"/>.</param>
    /// <param name="start">The first row.</param>
    /// <param name="count">Number of rows.</param>
    internal abstract Task WriteAsync(ParquetRowGroupWriter writer, DataField field, int start, int count);

    private sealed class Values<T>(string name, T[] values) : ParquetData(name, values.Length)
        where T : unmanaged
    {
        private readonly DataField<T> _field = new(name);

        internal override Field Field => _field;

        internal override Task WriteAsync(ParquetRowGroupWriter writer, DataField field, int start, int count) =>
            writer.WriteAsync((DataField<T>)field, new ReadOnlyMemory<T>(values, start, count));
    }

    private sealed class NullableValues<T>(string name, T?[] values) : ParquetData(name, values.Length)
        where T : unmanaged
    {
        private readonly DataField<T?> _field = new(name);

        internal override Field Field => _field;

        internal override Task WriteAsync(ParquetRowGroupWriter writer, DataField field, int start, int count) =>
            writer.WriteAsync((DataField<T?>)field, new ReadOnlyMemory<T?>(values, start, count));
    }

    private sealed class Texts(string name, IReadOnlyList<string?> values, bool nullable) : ParquetData(name, values.Count)
    {
        private readonly DataField _field = new(name, typeof(string), nullable);

        internal override Field Field => _field;

        internal override Task WriteAsync(ParquetRowGroupWriter writer, DataField field, int start, int count) =>
            writer.WriteAsync(field, [.. values.Skip(start).Take(count)]);
    }

    private sealed class Binary(string name, IReadOnlyList<byte[]> values) : ParquetData(name, values.Count)
    {
        private readonly DataField _field = new(name, typeof(byte[]), false);

        internal override Field Field => _field;

        internal override Task WriteAsync(ParquetRowGroupWriter writer, DataField field, int start, int count) =>
            writer.WriteAsync(field, values.Skip(start).Take(count).ToArray());
    }

    private sealed class Lists<T> : ParquetData
        where T : unmanaged
    {
        // The library declares lists as optional: 0 is a null list, 1 an empty one, 2 has an element.
        private const int EmptyList = 1;
        private const int Element = 2;

        private readonly DataField<T> _element = new("element");
        private readonly ListField _field;
        private readonly ReadOnlyMemory<T> _values;
        private readonly int[] _offsets;

        public Lists(string name, ReadOnlyMemory<T> values, int[] offsets)
            : base(name, offsets.Length - 1)
        {
            _field = new ListField(name, _element);
            (_values, _offsets) = (values, offsets);
        }

        internal override Field Field => _field;

        internal override Task WriteAsync(ParquetRowGroupWriter writer, DataField field, int start, int count)
        {
            var levels = 0;
            for (var row = start; row < start + count; row++)
            {
                levels += Math.Max(1, _offsets[row + 1] - _offsets[row]);
            }

            var (repetition, definition) = (new int[levels], new int[levels]);
            for (int row = start, at = 0; row < start + count; row++)
            {
                var length = _offsets[row + 1] - _offsets[row];
                var next = at + Math.Max(1, length);
                repetition.AsSpan(at + 1, next - at - 1).Fill(1);
                definition.AsSpan(at, next - at).Fill(length == 0 ? EmptyList : Element);
                at = next;
            }

            return writer.WriteAllPartsAsync(
                (DataField<T>)field, _values[_offsets[start].._offsets[start + count]], definition, repetition, default);
        }
    }
}
