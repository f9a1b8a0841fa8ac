using System.Numerics;
using PhysicalType = Parquet.Meta.Type;

namespace MonoLoss.Data.Parquet;

/// <summary>The decoders of columns of numbers, by what the numbers are stored as and stand for.</summary>
internal static class Numbers
{
    /// <summary>Decodes numbers to the nearest float32.</summary>
    /// <param name="column">A column for which <see cref="ParquetColumn.IsNumber"/>.</param>
    public static ValueReader<float> Floats(ParquetColumn column)
    {
        if (column.IsDecimal)
        {
            var scale = column.Logical.Scale;
            return Decimals(column, value => FloatRounding.FromDecimal(value, scale), value => FloatRounding.FromDecimal(value, scale));
        }

        return (column.Type, column.Logical.Kind == LogicalKind.UnsignedInteger) switch
        {
            (PhysicalType.FLOAT, _) => new NumberReader<float>(),
            (PhysicalType.DOUBLE, _) => new ConvertingReader<double, float>(value => (float)value),
            (PhysicalType.FIXED_LEN_BYTE_ARRAY, _) => new ConvertingReader<Half, float>(value => (float)value),
            (PhysicalType.INT32, false) => new ConvertingReader<int, float>(value => (float)(double)value),
            (PhysicalType.INT32, true) => new ConvertingReader<uint, float>(value => (float)(double)value),
            (PhysicalType.INT64, false) => new ConvertingReader<long, float>(value => FloatRounding.FromInteger(value)),
            (PhysicalType.INT64, true) => new ConvertingReader<ulong, float>(value => FloatRounding.FromInteger(value)),
            (PhysicalType.BOOLEAN, _) => new BooleanReader<float>(value => value ? 1 : 0),
            _ => throw new CorruptException($"it holds {column}, expected numbers"),
        };
    }

    /// <summary>
    /// Decodes whole numbers; those that are not whole, or have more than 126 bits, become <see cref="WholeNumber.NotWhole"/>.
    /// </summary>
    /// <inheritdoc cref="Floats"/>
    public static ValueReader<Int128> WholeNumbers(ParquetColumn column)
    {
        if (column.IsDecimal)
        {
            var power = BigInteger.Pow(10, column.Logical.Scale);
            return Decimals(column, value => FromDecimal(value, power), value => FromDecimal(value, power));
        }

        return (column.Type, column.Logical.Kind == LogicalKind.UnsignedInteger) switch
        {
            (PhysicalType.FLOAT, _) => new ConvertingReader<float, Int128>(value => WholeNumber.FromDouble(value)),
            (PhysicalType.DOUBLE, _) => new ConvertingReader<double, Int128>(WholeNumber.FromDouble),
            (PhysicalType.FIXED_LEN_BYTE_ARRAY, _) when column.IsFloat =>
                new ConvertingReader<Half, Int128>(value => WholeNumber.FromDouble((double)value)),
            (PhysicalType.FIXED_LEN_BYTE_ARRAY, _) => new ConvertingReader<Int128, Int128>(value => value),
            (PhysicalType.INT32, false) => new ConvertingReader<int, Int128>(value => value),
            (PhysicalType.INT32, true) => new ConvertingReader<uint, Int128>(value => value),
            (PhysicalType.INT64, false) => new ConvertingReader<long, Int128>(value => value),
            (PhysicalType.INT64, true) => new ConvertingReader<ulong, Int128>(value => value),
            (PhysicalType.BOOLEAN, _) => new BooleanReader<Int128>(value => value ? 1 : 0),
            _ => throw new CorruptException($"it holds {column}, expected numbers"),
        };
    }

    private static ValueReader<T> Decimals<T>(ParquetColumn column, Func<long, T> small, Func<BigInteger, T> large) => column.Type switch
    {
        PhysicalType.INT32 => new ConvertingReader<int, T>(value => small(value)),
        PhysicalType.INT64 => new ConvertingReader<long, T>(small),
        var type => new BytesReader<T>(type == PhysicalType.FIXED_LEN_BYTE_ARRAY ? column.TypeLength : 0, bytes =>
        {
            var value = new BigInteger(bytes, isBigEndian: true);
            return long.MinValue <= value && value <= long.MaxValue ? small((long)value) : large(value);
        }),
    };

    private static Int128 FromDecimal(BigInteger unscaled, BigInteger power)
    {
        var whole = BigInteger.DivRem(unscaled, power, out var rest);
        return rest.IsZero && BigInteger.Abs(whole) < (BigInteger)WholeNumber.Limit ? (Int128)whole : WholeNumber.NotWhole;
    }
}

/// <summary>What <see cref="Numbers.WholeNumbers"/> gives where there is no whole number.</summary>
internal static class WholeNumber
{
    /// <summary>2^126: numbers that are as large in magnitude are too large.</summary>
    public const double Limit = 85070591730234615865843651857942052864.0;

    /// <summary>A fraction, infinite, or too large.</summary>
    public static readonly Int128 NotWhole = Int128.MinValue;

    /// <summary>NaN.</summary>
    public static readonly Int128 Missing = Int128.MinValue + 1;

    /// <summary>A float as a whole number, or one of these two.</summary>
    public static Int128 FromDouble(double value) => double.IsNaN(value) ? Missing
        : double.IsInteger(value) && Math.Abs(value) < Limit ? (Int128)value : NotWhole;
}
