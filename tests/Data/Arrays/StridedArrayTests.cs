using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Arrays;

/// <summary>Rows of arrays of all types and strides, against loops over single elements.</summary>
public sealed class StridedArrayTests
{
    public static TheoryData<ElementType> Numbers =>
        [.. Enum.GetValues<ElementType>().Where(type => type is not (ElementType.Unreadable or ElementType.Text))];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Rows_are_those_of_a_naive_reader(ElementType type)
    {
        var random = new Random((int)type);
        for (var time = 0; time < 60; time++)
        {
            var rank = random.Next(0, 4);
            var shape = Enumerable.Range(0, rank).Select(_ => (long)random.Next(1, 9)).ToArray();
            var strides = Enumerable.Range(0, rank).Select(_ => (long)random.Next(0, 40)).ToArray();
            Check(type, shape, strides, random);
            Check(type, shape, Dense(shape, fortran: false), random);
            Check(type, shape, Dense(shape, fortran: true), random);
        }
    }

    [Theory]
    [InlineData(600_000, 5, 1, 600_000)] // Fortran order: the columns do not fit the buffer together
    [InlineData(6, 500_000, 600_000, 1)] // rows with gaps between, each longer than the buffer
    [InlineData(300_000, 24, 24, 1)]
    [InlineData(300_000, 24, 40, 1)] // some columns: read with those between
    [InlineData(20_000, 24, 400, 1)] // few columns of many: each row on its own
    [InlineData(2_000, 24, 3, 6_000)]
    [InlineData(20_000, 24, 0, 1)]
    [InlineData(20_000, 24, 1, 0)]
    public void Blocks_larger_than_the_buffer_are_read_in_parts(long rows, long columns, long rowStride, long columnStride)
    {
        long[] shape = [rows, columns];
        var bytes = new byte[4 * (1 + ((rows - 1) * rowStride) + ((columns - 1) * columnStride))];
        var values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan());
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = i;
        }

        var array = new StridedArray(
            "file", "name", ElementType.Float32, shape, new StridedLayout(new Bytes(bytes), 0, [rowStride, columnStride], false));
        var first = shape[0] / 3;
        var target = new float[(shape[0] - first) * shape[1]];
        array.ReadRows(first, target);
        for (long row = first, at = 0; row < shape[0]; row++)
        {
            for (long column = 0; column < shape[1]; column++, at++)
            {
                if (target[at] != values[(int)((row * rowStride) + (column * columnStride))])
                {
                    Assert.Fail($"row {row}, column {column}: {target[at]}");
                }
            }
        }
    }

    [Fact]
    public void Integers_are_rounded_to_the_nearest_float32()
    {
        // Each is just above the middle of two floats: rounded to float64 first, it would lie in the middle.
        long[] signed = [(1L << 62) + (1L << 38) + 1, -(1L << 62) - (1L << 38) - 1, (1 << 24) + 1, long.MaxValue, long.MinValue];
        ulong[] unsigned = [(1UL << 63) + (1UL << 39) + 1, (1UL << 63) + (1UL << 39), (1UL << 62) + (1UL << 38) + 1, ulong.MaxValue];
        Assert.Equal(
            signed.Select(value => Nearest(value)), Read(ElementType.Int64, signed, BinaryPrimitives.WriteInt64LittleEndian));
        Assert.Equal(
            unsigned.Select(value => Nearest(value)), Read(ElementType.UInt64, unsigned, BinaryPrimitives.WriteUInt64LittleEndian));
        double[] doubles = [1 + Math.Pow(2, -24), 1 + Math.Pow(2, -24) + Math.Pow(2, -52), 1e300, -0.0, 1e-46, double.NaN];
        Assert.Equal(
            [1f, 1 + MathF.Pow(2, -23), float.PositiveInfinity, -0f, 0f, float.NaN],
            Read(ElementType.Float64, doubles, BinaryPrimitives.WriteDoubleLittleEndian));
    }

    [Fact]
    public void Parts_of_rows_and_wrong_types_are_refused()
    {
        var array = Create([3, 4], ElementType.Float32, 48);
        Assert.Throws<ArgumentException>(() => array.ReadRows(0, new float[5]));
        Assert.Throws<ArgumentException>(() => array.ReadRows(2, new float[8]));
        Assert.Throws<ArgumentOutOfRangeException>(() => array.ReadRows(4, Array.Empty<float>()));
        Assert.Throws<ArgumentOutOfRangeException>(() => array.ReadRows(-1, new float[4]));
        Throws.Line(() => array.ReadIntegers(), "file: array 'name': it is float32, expected integers");
        Throws.Line(() => array.ReadTexts(), "expected texts");
        Assert.Empty(Create([0, 4], ElementType.Int8, 0).ReadFloats());
        Assert.Empty(Create([4, 0], ElementType.Int8, 0).ReadFloats());
        Assert.Throws<CorruptException>(() => Create([3, 4], ElementType.Float32, 47));
        Assert.Throws<CorruptException>(() => Create([1L << 40, 1L << 40], ElementType.Int8, 47));
        Assert.Throws<CorruptException>(() => Create([0, 1L << 40, 1L << 40], ElementType.Int8, 47));
        Assert.Throws<CorruptException>(() => new StridedArray(
            "file", "name", ElementType.Int8, [1L << 40], new StridedLayout(new Bytes(new byte[1]), 0, [0], false)));
    }

    [Fact]
    public void Threads_read_the_same()
    {
        using var folder = new TempFolder();
        var values = Enumerable.Range(0, 50_000 * 8).Select(i => i / 8f).ToArray();
        SafetensorsWriter.Write(folder["a.safetensors"], [SafeTensor.Create("x", [50_000, 8], values)]);
        TorchWriter.Write(folder["a.pt"], TorchItem.Dictionary(SafeTensor.Create("x", [50_000, 8], values)));
        foreach (var path in Directory.GetFiles(folder.Path))
        {
            using var file = ArrayFile.Open(path);
            var array = file.Find("x");
            Parallel.For(0, 200, time =>
            {
                var part = new float[8 * 100];
                var first = time * 7919L % 49_900;
                array.ReadRows(first, part);
                Assert.Equal(values.AsSpan((int)first * 8, part.Length).ToArray(), part);
            });
        }
    }

    private static StridedArray Create(long[] shape, ElementType type, int bytes) =>
        new("file", "name", type, shape, StridedLayout.Dense(new Bytes(new byte[bytes]), 0, shape));

    // The conversion of a decimal number is correctly rounded.
    private static float Nearest(BigInteger value) =>
        float.Parse(value.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private delegate void Writer<T>(Span<byte> target, T value);

    private static float[] Read<T>(ElementType type, T[] values, Writer<T> write)
    {
        var bytes = new byte[values.Length * 8];
        for (var i = 0; i < values.Length; i++)
        {
            write(bytes.AsSpan(i * 8), values[i]);
        }

        long[] shape = [values.Length];
        return new StridedArray("file", "name", type, shape, StridedLayout.Dense(new Bytes(bytes), 0, shape)).ReadFloats();
    }

    private static long[] Dense(long[] shape, bool fortran) => [.. StridedLayout.Dense(new Bytes([]), 0, shape, fortran: fortran).Strides];

    private static void Check(ElementType type, long[] shape, long[] strides, Random random)
    {
        var (size, offset) = (type.SizeOf(), random.Next(0, 20));
        var last = shape.Zip(strides, (dimension, stride) => (dimension - 1) * stride).Sum();
        var bytes = new byte[offset + ((last + 1) * size)];
        random.NextBytes(bytes);
        var bigEndian = random.Next(2) == 0;
        var array = new StridedArray("file", "name", type, shape, new StridedLayout(new Bytes(bytes), offset, strides, bigEndian));
        var first = random.Next((int)array.Rows);
        var rows = random.Next(1, (int)array.Rows - first + 1);
        var doubles = new double[rows * array.RowLength];
        array.ReadRows(first, doubles);
        var floats = new float[doubles.Length];
        array.ReadRows(first, floats);
        for (var i = 0; i < doubles.Length; i++)
        {
            var element = Element(bytes.AsSpan(offset), type, bigEndian, Place(shape, strides, (first * array.RowLength) + i));
            Assert.Equal(element, doubles[i]);
            if (type is not (ElementType.Int64 or ElementType.UInt64))
            {
                Assert.Equal((float)element, floats[i]);
            }
        }

        if (type is >= ElementType.Int8 and <= ElementType.Boolean)
        {
            var integers = array.ReadIntegers().AsSpan((int)(first * array.RowLength), doubles.Length).ToArray();
            Assert.Equal(doubles, integers.Select(value => (double)value));
        }
    }

    private static long Place(long[] shape, long[] strides, long index)
    {
        long place = 0;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            place += index % shape[i] * strides[i];
            index /= shape[i];
        }

        return place;
    }

    private static double Element(ReadOnlySpan<byte> bytes, ElementType type, bool bigEndian, long place)
    {
        var element = bytes.Slice((int)place * type.SizeOf(), type.SizeOf()).ToArray();
        if (bigEndian)
        {
            Array.Reverse(element);
        }

        return type switch
        {
            ElementType.Float16 => (double)BitConverter.ToHalf(element),
            ElementType.BFloat16 => BitConverter.ToSingle([0, 0, .. element]),
            ElementType.Float32 => BitConverter.ToSingle(element),
            ElementType.Float64 => BitConverter.ToDouble(element),
            ElementType.Int8 => (sbyte)element[0],
            ElementType.Int16 => BitConverter.ToInt16(element),
            ElementType.Int32 => BitConverter.ToInt32(element),
            ElementType.Int64 => BitConverter.ToInt64(element),
            ElementType.UInt8 => element[0],
            ElementType.UInt16 => BitConverter.ToUInt16(element),
            ElementType.UInt32 => BitConverter.ToUInt32(element),
            ElementType.UInt64 => BitConverter.ToUInt64(element),
            _ => element[0] == 0 ? 0 : 1,
        };
    }

    private sealed class Bytes(byte[] bytes) : ByteSource
    {
        public override long Length => bytes.Length;

        public override void Read(Span<byte> target, long offset) => bytes.AsSpan((int)offset, target.Length).CopyTo(target);
    }
}
