using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Decodes columns of numbers.</summary>
internal static class ArrowNumbers
{
    /// <summary>Reads numbers as float32, each rounded to the nearest.</summary>
    /// <param name="batch">The record batch.</param>
    /// <param name="field">A column of numbers.</param>
    /// <param name="first">The first.</param>
    /// <param name="target">Receives them.</param>
    /// <param name="stride">Floats from one to the next in <paramref name="target"/>.</param>
    /// <param name="count">How many.</param>
    /// <param name="raw">A buffer, replaced by a larger one if needed.</param>
    /// <exception cref="CorruptException">There are not so many, or the batch is damaged.</exception>
    public static void Read(ArrowBatch batch, ArrowField field, long first, Span<float> target, int stride, int count, ref byte[] raw)
    {
        if (field is { Type: ArrowType.Float, Bits: 32 } && stride == 1)
        {
            batch.Raw(field, field, first, MemoryMarshal.AsBytes(target[..count]));
            return;
        }

        var bytes = Raw(batch, field, field, first, count, ref raw);
        switch (field.Type, field.Bits, field.IsSigned)
        {
            case (ArrowType.Float, 16, _):
                Convert<Half, NumberConversion<Half, float>>(bytes, target, stride);
                break;
            case (ArrowType.Float, 32, _):
                Convert<float, NumberConversion<float, float>>(bytes, target, stride);
                break;
            case (ArrowType.Float, _, _):
                Convert<double, NumberConversion<double, float>>(bytes, target, stride);
                break;
            case (ArrowType.Int, 8, true):
                Convert<sbyte, NumberConversion<sbyte, float>>(bytes, target, stride);
                break;
            case (ArrowType.Int, 8, false):
                Convert<byte, NumberConversion<byte, float>>(bytes, target, stride);
                break;
            case (ArrowType.Int, 16, true):
                Convert<short, NumberConversion<short, float>>(bytes, target, stride);
                break;
            case (ArrowType.Int, 16, false):
                Convert<ushort, NumberConversion<ushort, float>>(bytes, target, stride);
                break;
            case (ArrowType.Int, 32, true):
                Convert<int, NumberConversion<int, float>>(bytes, target, stride);
                break;
            case (ArrowType.Int, 32, false):
                Convert<uint, NumberConversion<uint, float>>(bytes, target, stride);
                break;
            case (ArrowType.Int, _, true):
                Convert<long, NumberConversion<long, float>>(bytes, target, stride);
                break;
            case (ArrowType.Int, _, false):
                Convert<ulong, NumberConversion<ulong, float>>(bytes, target, stride);
                break;
            default:
                for (var i = 0; i < count; i++)
                {
                    target[i * stride] = Bit(bytes, first, i) ? 1 : 0;
                }

                break;
        }
    }

    /// <summary>Reads whole numbers; see <see cref="WholeNumber"/>.</summary>
    /// <param name="batch">The record batch.</param>
    /// <param name="field">The type of the numbers.</param>
    /// <param name="of">The column whose buffers have them: itself, or one whose indices they are.</param>
    /// <param name="first">The first.</param>
    /// <param name="count">How many.</param>
    /// <exception cref="CorruptException">There are not so many, or the batch is damaged.</exception>
    public static Int128[] WholeNumbers(ArrowBatch batch, ArrowField field, ArrowField of, long first, int count)
    {
        byte[] raw = [];
        var bytes = Raw(batch, field, of, first, count, ref raw);
        var numbers = new Int128[count];
        for (var i = 0; i < count; i++)
        {
            numbers[i] = (field.Type, field.Bits, field.IsSigned) switch
            {
                (ArrowType.Float, 16, _) => WholeNumber.FromDouble((double)At<Half>(bytes, i)),
                (ArrowType.Float, 32, _) => WholeNumber.FromDouble(At<float>(bytes, i)),
                (ArrowType.Float, _, _) => WholeNumber.FromDouble(At<double>(bytes, i)),
                (ArrowType.Int, 8, true) => At<sbyte>(bytes, i),
                (ArrowType.Int, 8, false) => At<byte>(bytes, i),
                (ArrowType.Int, 16, true) => At<short>(bytes, i),
                (ArrowType.Int, 16, false) => At<ushort>(bytes, i),
                (ArrowType.Int, 32, true) => At<int>(bytes, i),
                (ArrowType.Int, 32, false) => At<uint>(bytes, i),
                (ArrowType.Int, _, true) => At<long>(bytes, i),
                (ArrowType.Int, _, false) => At<ulong>(bytes, i),
                _ => Bit(bytes, first, i) ? 1 : 0,
            };
        }

        return numbers;
    }

    private static ReadOnlySpan<byte> Raw(ArrowBatch batch, ArrowField field, ArrowField of, long first, int count, ref byte[] raw)
    {
        var size = count == 0 ? 0 : field.Bits == 1 ? (int)(((first + count - 1) / 8) - (first / 8) + 1)
            : checked(count * (field.Bits / 8));
        if (raw.Length < size)
        {
            raw = new byte[size];
        }

        batch.Raw(field, of, first, raw.AsSpan(0, size));
        return raw.AsSpan(0, size);
    }

    private static bool Bit(ReadOnlySpan<byte> bytes, long first, int index) =>
        ((bytes[(int)(((first + index) / 8) - (first / 8))] >> (int)((first + index) % 8)) & 1) != 0;

    private static T At<T>(ReadOnlySpan<byte> bytes, int index)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(bytes)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Convert<TStored, TConversion>(ReadOnlySpan<byte> bytes, Span<float> target, int stride)
        where TStored : unmanaged
        where TConversion : struct, IElementConversion<TStored, float>
    {
        var values = MemoryMarshal.Cast<byte, TStored>(bytes);
        for (var i = 0; i < values.Length; i++)
        {
            target[i * stride] = TConversion.Convert(values[i]);
        }
    }
}
