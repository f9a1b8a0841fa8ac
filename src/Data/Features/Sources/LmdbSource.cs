using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// A store of LMDB as the official code writes it: the key of a row is its number, the value float32 numbers; <c>__len__</c> and
/// <c>__shape__</c> have the number of rows and the shape of one.
/// </summary>
internal sealed partial class LmdbSource : FeatureSource
{
    private readonly FileBytes _bytes;
    private readonly long[] _offsets;

    private LmdbSource(FeatureFile place, FileBytes bytes, long[] offsets, int dimension, ulong hash)
        : base(place)
    {
        (_bytes, _offsets, Dimension, Hash) = (bytes, offsets, dimension, hash);
        RowGroups = Blocks(offsets.Length, dimension);
    }

    /// <inheritdoc/>
    public override int Dimension { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<long> RowGroups { get; }

    /// <inheritdoc/>
    public override ulong Hash { get; }

    /// <inheritdoc/>
    public override string Noun => "value";

    /// <inheritdoc/>
    public override string Name => "features";

    /// <inheritdoc/>
    public override string TypeText => "float32";

    /// <inheritdoc/>
    public override IEnumerable<string> ValueNames => [];

    /// <inheritdoc/>
    public override string Contents => "features";

    /// <summary>The data file of a store, which is given as a folder or as that file.</summary>
    public static string DataPath(string path) =>
        Directory.Exists(path) ? System.IO.Path.Combine(path, FeatureFolder.LmdbData) : path;

    /// <summary>Reads the keys of a store: 8 bytes per row are kept.</summary>
    /// <param name="place">The store.</param>
    /// <param name="bytes">Its data file, closed when this returns.</param>
    /// <returns>Null if it has no rows.</returns>
    /// <exception cref="DataException">It is damaged, has another layout, or a row is missing.</exception>
    public static LmdbSource? Open(FeatureFile place, FileBytes bytes)
    {
        using (bytes)
        {
            try
            {
                var store = new LmdbFile(bytes);
                var (offsets, dimension) = new Index(bytes, store).Read();
                return offsets.Length == 0 ? null : new LmdbSource(place, bytes, offsets, dimension, FileFingerprint.HashOf(bytes));
            }
            catch (Exception exception) when (exception is CorruptException or IOException)
            {
                throw new DataException($"{place.Path}: cannot be read as LMDB: {exception.Message}", exception);
            }
        }
    }

    /// <inheritdoc/>
    public override ValueColumn? FindValues(string name) => null;

    /// <inheritdoc/>
    public override FeatureCursor OpenCursor(FeatureCursor? previous)
    {
        previous?.Dispose();
        return new Cursor(this);
    }

    [GeneratedRegex(@"^\((?:\s*([0-9]+)\s*,?)+\)$")]
    private static partial Regex ShapeText();

    /// <summary>Finds the rows by their keys.</summary>
    private sealed class Index(FileBytes bytes, LmdbFile store)
    {
        private const int LongestText = 256;

        private readonly List<(long Row, long Offset)> _rows = [];
        private long _valueLength = -1;
        private string? _length;
        private string? _shape;

        public (long[] Offsets, int Dimension) Read()
        {
            store.ReadAll(Add);
            _rows.Sort();
            var offsets = new long[_rows.Count];
            for (var row = 0; row < offsets.Length; row++)
            {
                // Rows are numbered from 0 without a gap.
                offsets[row] = _rows[row].Row == row ? _rows[row].Offset
                    : throw new CorruptException(_rows[row].Row < row
                        ? $"two keys stand for row {_rows[row].Row}"
                        : $"row {row} is missing: it has no key '{row}', but '{_rows[^1].Row}'");
            }

            if (_length is not null && _length != offsets.Length.ToString(CultureInfo.InvariantCulture))
            {
                throw new CorruptException($"row {offsets.Length} is missing: found {offsets.Length} rows, expected {_length} as __len__ "
                    + "says");
            }

            return offsets.Length == 0 ? (offsets, 0) : (offsets, FindDimension());
        }

        private void Add(ReadOnlySpan<byte> key, long offset, long length)
        {
            if (key.SequenceEqual("__len__"u8))
            {
                _length = ReadText(offset, length);
            }
            else if (key.SequenceEqual("__shape__"u8))
            {
                _shape = ReadText(offset, length);
            }
            else if (key.Length is > 0 and < 19 && Utf8Parser.TryParse(key, out long row, out var used) && used == key.Length && row >= 0)
            {
                _valueLength = _valueLength < 0 || _valueLength == length ? length
                    : throw new CorruptException($"row {row}: found {length} bytes, expected {_valueLength} as in the rows before");
                _rows.Add((row, offset));
            }
            else
            {
                throw new CorruptException($"the key '{Encoding.UTF8.GetString(key)}' is not a row number: it does not have the official "
                    + "layout");
            }
        }

        private string ReadText(long offset, long length)
        {
            if (length > LongestText)
            {
                throw new CorruptException("__len__ or __shape__ is too long");
            }

            var text = new byte[length];
            bytes.Read(text, offset);
            return Encoding.UTF8.GetString(text);
        }

        private int FindDimension()
        {
            if (_valueLength == 0 || _valueLength % sizeof(float) != 0)
            {
                throw new CorruptException($"rows of {_valueLength} bytes are not float32 numbers");
            }

            var dimension = _valueLength / sizeof(float);
            if (_shape is not null)
            {
                var match = ShapeText().Match(_shape);
                long[] shape = [.. match.Groups[1].Captures.Select(part => long.TryParse(part.ValueSpan, out var size) ? size : -1)];
                if (!match.Success || shape.Aggregate((Int128)1, (product, size) => product * size) != dimension)
                {
                    throw new CorruptException($"rows of {_valueLength} bytes are not float32 numbers of the shape {_shape} in __shape__");
                }

                if (shape.Count(size => size != 1) > 1)
                {
                    throw new CorruptException($"its rows have the shape {_shape}, expected one row of values each; write each token as a "
                        + "row");
                }
            }

            return (int)Math.Min(int.MaxValue, dimension);
        }
    }

    private sealed class Cursor(LmdbSource source) : FeatureCursor
    {
        private FileBytes? _file;
        private long _row;

        public override void Open(int rowGroup)
        {
            _file ??= source._bytes.Reopen();
            _row = source.FirstRow(rowGroup);
        }

        public override void Read(Span<float> rows)
        {
            try
            {
                for (; !rows.IsEmpty; rows = rows[source.Dimension..], _row++)
                {
                    _file!.Read(MemoryMarshal.AsBytes(rows[..source.Dimension]), source._offsets[_row]);
                }
            }
            catch (Exception exception) when (exception is CorruptException or IOException)
            {
                throw new DataException($"{source.Path}: row {_row} cannot be read: {exception.Message}", exception);
            }
        }

        public override void Dispose() => _file?.Dispose();
    }
}
