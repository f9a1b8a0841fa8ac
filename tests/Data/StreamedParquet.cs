using System.Runtime.InteropServices;
using System.Text;

namespace MonoLoss.Tests.Data;

/// <summary>
/// Writes one column of float lists, <c>features</c>, as one row group of any size without holding it in memory: uncompressed V1 pages,
/// and a footer in Thrift's compact protocol, as https://github.com/apache/parquet-format has them.
/// </summary>
internal static class StreamedParquet
{
    private const int I32 = 5;
    private const int I64 = 6;
    private const int Binary = 8;
    private const int List = 9;
    private const int Struct = 12;
    private const int FloatType = 4;
    private const int Optional = 1;
    private const int Repeated = 2;
    private const int ListConversion = 3;
    private const int Rle = 3;

    /// <summary>Writes a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="dimension">Floats per row.</param>
    /// <param name="rowsPerPage">Rows per page.</param>
    /// <param name="fill">Writes the rows of a page: the number of its first row, and where its floats go.</param>
    public static void Write(string path, long rows, int dimension, int rowsPerPage, Action<long, Span<float>> fill)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        file.Write("PAR1"u8);
        var values = new float[rowsPerPage * dimension];
        for (var row = 0L; row < rows; row += rowsPerPage)
        {
            var count = (int)Math.Min(rowsPerPage, rows - row);
            var floats = values.AsSpan(0, count * dimension);
            fill(row, floats);
            var levels = Levels(count, dimension);
            var size = levels.Length + (floats.Length * sizeof(float));
            file.Write(new Thrift().Number(1, 0).Number(2, size).Number(3, size)
                .Begin(5).Number(1, floats.Length).Number(2, 0).Number(3, Rle).Number(4, Rle).End().End().Bytes);
            file.Write(levels);
            file.Write(MemoryMarshal.AsBytes(floats));
        }

        var data = file.Position - 4;
        var footer = Footer(rows, dimension, data);
        file.Write(footer);
        file.Write(BitConverter.GetBytes(footer.Length));
        file.Write("PAR1"u8);
    }

    /// <summary>Repetition levels 0, 1, 1 … of every row and definition levels 2, each after its length.</summary>
    private static byte[] Levels(int rows, int dimension)
    {
        var repetition = new List<byte>();
        for (var row = 0; row < rows; row++)
        {
            WriteRun(repetition, 1, 0);
            if (dimension > 1)
            {
                WriteRun(repetition, dimension - 1, 1);
            }
        }

        var definition = new List<byte>();
        WriteRun(definition, rows * dimension, 2);
        return
        [
            .. BitConverter.GetBytes(repetition.Count), .. repetition,
            .. BitConverter.GetBytes(definition.Count), .. definition,
        ];

        static void WriteRun(List<byte> target, int length, byte level)
        {
            Thrift.WriteVarint(target, (ulong)length << 1);
            target.Add(level);
        }
    }

    private static byte[] Footer(long rows, int dimension, long size) => new Thrift()
        .Number(1, 1)
        .BeginList(2, 4)
        .Text(4, "schema").Number(5, 1).End()
        .Number(3, Optional).Text(4, "features").Number(5, 1).Number(6, ListConversion).End()
        .Number(3, Repeated).Text(4, "list").Number(5, 1).End()
        .Number(1, FloatType).Number(3, 0).Text(4, "element").End()
        .EndList()
        .Long(3, rows)
        .BeginList(4, 1)
        .BeginList(1, 1)
        .Long(2, 4)
        .Begin(3).Number(1, FloatType).Numbers(2, 0, Rle).Texts(3, "features", "list", "element").Number(4, 0).Long(5, rows * dimension)
        .Long(6, size).Long(7, size).Long(9, 4).End()
        .End()
        .EndList()
        .Long(2, size).Long(3, rows).End()
        .EndList()
        .End().Bytes;

    /// <summary>A struct in Thrift's compact protocol.</summary>
    private sealed class Thrift
    {
        private readonly List<byte> _bytes = [];
        private readonly Stack<int> _outer = new();
        private int _last;

        public byte[] Bytes => [.. _bytes];

        public static void WriteVarint(List<byte> target, ulong value)
        {
            for (; value >= 0x80; value >>= 7)
            {
                target.Add((byte)(value | 0x80));
            }

            target.Add((byte)value);
        }

        public Thrift Number(int id, int value) => Field(id, I32).Zigzag(value);

        public Thrift Long(int id, long value) => Field(id, I64).Zigzag(value);

        public Thrift Text(int id, string value) => Field(id, Binary).Raw(value);

        public Thrift Numbers(int id, params int[] values) =>
            values.Aggregate(ListHeader(id, values.Length, I32), (thrift, value) => thrift.Zigzag(value));

        public Thrift Texts(int id, params string[] values) =>
            values.Aggregate(ListHeader(id, values.Length, Binary), (thrift, value) => thrift.Raw(value));

        /// <summary>Begins a struct that is the last field of the one around it.</summary>
        public Thrift Begin(int id)
        {
            Field(id, Struct);
            _last = 0;
            return this;
        }

        /// <summary>Begins a list of structs and its first one; each <see cref="End"/> begins the next.</summary>
        public Thrift BeginList(int id, int count)
        {
            ListHeader(id, count, Struct);
            _outer.Push(_last);
            _last = 0;
            return this;
        }

        public Thrift End()
        {
            _bytes.Add(0);
            _last = 0;
            return this;
        }

        public Thrift EndList()
        {
            _last = _outer.Pop();
            return this;
        }

        private Thrift ListHeader(int id, int count, int type)
        {
            Field(id, List);
            _bytes.Add((byte)((count << 4) | type));
            return this;
        }

        private Thrift Field(int id, int type)
        {
            _bytes.Add((byte)(((id - _last) << 4) | type));
            _last = id;
            return this;
        }

        private Thrift Zigzag(long value)
        {
            WriteVarint(_bytes, (ulong)((value << 1) ^ (value >> 63)));
            return this;
        }

        private Thrift Raw(string value)
        {
            var bytes = Encoding.UTF8.GetBytes(value);
            WriteVarint(_bytes, (ulong)bytes.Length);
            _bytes.AddRange(bytes);
            return this;
        }
    }
}
