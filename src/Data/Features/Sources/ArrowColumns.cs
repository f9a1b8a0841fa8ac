using System.Runtime.CompilerServices;
using Apache.Arrow;
using Apache.Arrow.Types;
using MonoLoss.Data.Parquet;
using ArrowList = Apache.Arrow.ListArray;

namespace MonoLoss.Data;

/// <summary>Numbers, texts and lists in Arrow's arrays.</summary>
internal static class ArrowColumns
{
    /// <summary>What a type is stored as: extension types such as tensors are a plain type with a name.</summary>
    public static IArrowType StorageOf(IArrowType type) => type is ExtensionType extension ? StorageOf(extension.StorageType) : type;

    /// <summary>Whether values of a type are read as numbers.</summary>
    public static bool IsNumber(IArrowType type) => StorageOf(type).TypeId is ArrowTypeId.Int8 or ArrowTypeId.Int16 or ArrowTypeId.Int32
        or ArrowTypeId.Int64 or ArrowTypeId.UInt8 or ArrowTypeId.UInt16 or ArrowTypeId.UInt32 or ArrowTypeId.UInt64
        or ArrowTypeId.HalfFloat or ArrowTypeId.Float or ArrowTypeId.Double or ArrowTypeId.Boolean;

    /// <summary>Whether values of a type are floats.</summary>
    public static bool IsFloat(IArrowType type) =>
        StorageOf(type).TypeId is ArrowTypeId.HalfFloat or ArrowTypeId.Float or ArrowTypeId.Double;

    /// <summary>Whether values of a type are text.</summary>
    public static bool IsText(IArrowType type) =>
        StorageOf(type).TypeId is ArrowTypeId.String or ArrowTypeId.LargeString or ArrowTypeId.StringView;

    /// <summary>The type of the elements of lists; null if it is no type of lists.</summary>
    public static IArrowType? ElementOf(IArrowType type) => StorageOf(type) switch
    {
        ListType list => list.ValueDataType,
        LargeListType list => list.ValueDataType,
        FixedSizeListType list => list.ValueDataType,
        ListViewType list => list.ValueDataType,
        LargeListViewType list => list.ValueDataType,
        _ => null,
    };

    /// <summary>A type in words.</summary>
    public static string Describe(IArrowType type)
    {
        var storage = StorageOf(type);
        return storage switch
        {
            FixedSizeListType list => $"list<{Describe(list.ValueDataType)}>[{list.ListSize}]",
            DictionaryType dictionary => $"dictionary<{Describe(dictionary.ValueType)}>",
            _ when ElementOf(storage) is { } element => $"list<{Describe(element)}>",
            _ => storage.Name,
        };
    }

    /// <summary>The arrays of a type's storage.</summary>
    public static IArrowArray StorageOf(IArrowArray array) => array is ExtensionArray extension ? StorageOf(extension.Storage) : array;

    /// <summary>The elements of a list.</summary>
    /// <param name="lists">An array of lists.</param>
    /// <param name="row">Which one.</param>
    /// <returns>The array of all elements, and which of them are this list's.</returns>
    /// <exception cref="CorruptException">It lies outside of that array.</exception>
    public static (IArrowArray Values, int Start, int Count) ElementsOf(IArrowArray lists, int row)
    {
        var (values, start, count) = StorageOf(lists) switch
        {
            FixedSizeListArray array => Fixed(array, row),
            ArrowList array => (array.Values, array.ValueOffsets[row], array.ValueOffsets[row + 1] - (long)array.ValueOffsets[row]),
            LargeListArray array => (array.Values, array.ValueOffsets[row], array.ValueOffsets[row + 1] - array.ValueOffsets[row]),
            ListViewArray array => (array.Values, array.ValueOffsets[row], (long)array.Sizes[row]),
            LargeListViewArray array => (array.Values, array.ValueOffsets[row], array.Sizes[row]),
            var other => throw new CorruptException($"it holds {Describe(other.Data.DataType)}, expected lists"),
        };
        return start >= 0 && count >= 0 && start <= values.Length - count
            ? (StorageOf(values), (int)start, (int)count)
            : throw new CorruptException("a list lies outside of its values");

        static (IArrowArray Values, long Start, long Count) Fixed(FixedSizeListArray array, int row)
        {
            var size = ((FixedSizeListType)array.Data.DataType).ListSize;
            return (array.Values, (long)(array.Offset + row) * size, size);
        }
    }

    /// <summary>Copies numbers as float32.</summary>
    /// <param name="array">The array of numbers.</param>
    /// <param name="start">The first.</param>
    /// <param name="target">Receives them.</param>
    /// <param name="stride">Floats from one to the next in <paramref name="target"/>.</param>
    /// <param name="count">How many.</param>
    public static void Copy(IArrowArray array, int start, Span<float> target, int stride, int count)
    {
        switch (StorageOf(array))
        {
            case FloatArray values when stride == 1:
                values.Values.Slice(start, count).CopyTo(target);
                break;
            case FloatArray values:
                Convert<float, NumberConversion<float, float>>(values.Values, start, target, stride, count);
                break;
            case DoubleArray values:
                Convert<double, NumberConversion<double, float>>(values.Values, start, target, stride, count);
                break;
            case HalfFloatArray values:
                Convert<Half, NumberConversion<Half, float>>(values.Values, start, target, stride, count);
                break;
            case Int8Array values:
                Convert<sbyte, NumberConversion<sbyte, float>>(values.Values, start, target, stride, count);
                break;
            case Int16Array values:
                Convert<short, NumberConversion<short, float>>(values.Values, start, target, stride, count);
                break;
            case Int32Array values:
                Convert<int, NumberConversion<int, float>>(values.Values, start, target, stride, count);
                break;
            case Int64Array values:
                Convert<long, NumberConversion<long, float>>(values.Values, start, target, stride, count);
                break;
            case UInt8Array values:
                Convert<byte, NumberConversion<byte, float>>(values.Values, start, target, stride, count);
                break;
            case UInt16Array values:
                Convert<ushort, NumberConversion<ushort, float>>(values.Values, start, target, stride, count);
                break;
            case UInt32Array values:
                Convert<uint, NumberConversion<uint, float>>(values.Values, start, target, stride, count);
                break;
            case UInt64Array values:
                Convert<ulong, NumberConversion<ulong, float>>(values.Values, start, target, stride, count);
                break;
            case BooleanArray values:
                for (var i = 0; i < count; i++)
                {
                    target[i * stride] = values.GetValue(start + i) == true ? 1 : 0;
                }

                break;
            case var other:
                throw new CorruptException($"it holds {Describe(other.Data.DataType)}, expected numbers");
        }
    }

    /// <summary>A whole number; see <see cref="WholeNumber"/>.</summary>
    /// <param name="array">The array, without dictionaries.</param>
    /// <param name="index">Which value, which is not null.</param>
    public static Int128 WholeNumberOf(IArrowArray array, int index) => array switch
    {
        Int8Array values => values.Values[index],
        Int16Array values => values.Values[index],
        Int32Array values => values.Values[index],
        Int64Array values => values.Values[index],
        UInt8Array values => values.Values[index],
        UInt16Array values => values.Values[index],
        UInt32Array values => values.Values[index],
        UInt64Array values => values.Values[index],
        HalfFloatArray values => WholeNumber.FromDouble((double)values.Values[index]),
        FloatArray values => WholeNumber.FromDouble(values.Values[index]),
        DoubleArray values => WholeNumber.FromDouble(values.Values[index]),
        BooleanArray values => values.GetValue(index) == true ? 1 : 0,
        _ => throw new CorruptException($"it holds {Describe(array.Data.DataType)}, expected numbers"),
    };

    /// <summary>A text.</summary>
    /// <inheritdoc cref="WholeNumberOf"/>
    public static string TextOf(IArrowArray array, int index) => array switch
    {
        StringArray values => values.GetString(index),
        LargeStringArray values => values.GetString(index),
        StringViewArray values => values.GetString(index),
        _ => throw new CorruptException($"it holds {Describe(array.Data.DataType)}, expected text"),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Convert<TStored, TConversion>(ReadOnlySpan<TStored> values, int start, Span<float> target, int stride, int count)
        where TConversion : struct, IElementConversion<TStored, float>
    {
        values = values.Slice(start, count);
        for (var i = 0; i < values.Length; i++)
        {
            target[i * stride] = TConversion.Convert(values[i]);
        }
    }
}
