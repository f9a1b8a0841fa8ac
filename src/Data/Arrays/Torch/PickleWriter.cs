using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace MonoLoss.Data;

/// <summary>Writes a pickle of protocol 2 that describes values as torch.save does.</summary>
internal sealed class PickleWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly List<SafeTensor> _tensors = [];

    private PickleWriter()
    {
    }

    /// <summary>Writes a pickle.</summary>
    /// <param name="root">The value.</param>
    /// <param name="tensors">Receives the tensors, in the order of their storages.</param>
    public static ReadOnlyMemory<byte> Write(TorchItem root, out IReadOnlyList<SafeTensor> tensors)
    {
        var writer = new PickleWriter();
        writer.Put(PickleOpcode.Protocol);
        writer.Put(2);
        writer.Write(root.Value);
        writer.Put(PickleOpcode.Stop);
        tensors = writer._tensors;
        return writer._bytes.WrittenMemory;
    }

    /// <summary>The name of torch's storage of a type.</summary>
    /// <exception cref="ArgumentException">Torch has no such type.</exception>
    public static string StorageOf(string dtype) => dtype switch
    {
        "F32" => "FloatStorage",
        "F64" => "DoubleStorage",
        "F16" => "HalfStorage",
        "I64" => "LongStorage",
        "I32" => "IntStorage",
        "I16" => "ShortStorage",
        "I8" => "CharStorage",
        "U8" => "ByteStorage",
        "BOOL" => "BoolStorage",
        _ => throw new ArgumentException($"torch has no storage of type {dtype}"),
    };

    private void Write(object? value)
    {
        switch (value)
        {
            case null:
                Put(PickleOpcode.None);
                break;
            case bool boolean:
                Put(boolean ? PickleOpcode.NewTrue : PickleOpcode.NewFalse);
                break;
            case long integer:
                Write(integer);
                break;
            case double number:
                Put(PickleOpcode.BinFloat);
                BinaryPrimitives.WriteDoubleBigEndian(Advance(sizeof(double)), number);
                break;
            case string text:
                Write(text);
                break;
            case SafeTensor tensor:
                Write(tensor);
                break;
            case KeyValuePair<string, TorchItem>[] entries:
                Put(PickleOpcode.EmptyDictionary);
                Put(PickleOpcode.Mark);
                foreach (var (key, item) in entries)
                {
                    Write(key);
                    Write(item.Value);
                }

                Put(PickleOpcode.SetItems);
                break;
            default:
                Put(PickleOpcode.EmptyList);
                Put(PickleOpcode.Mark);
                foreach (var item in (TorchItem[])value)
                {
                    Write(item.Value);
                }

                Put(PickleOpcode.Appends);
                break;
        }
    }

    private void Write(long integer)
    {
        if (integer is >= int.MinValue and <= int.MaxValue)
        {
            Put(PickleOpcode.BinInt);
            BinaryPrimitives.WriteInt32LittleEndian(Advance(sizeof(int)), (int)integer);
            return;
        }

        var bytes = new BigInteger(integer).ToByteArray();
        Put(PickleOpcode.Long1);
        Put((byte)bytes.Length);
        _bytes.Write(bytes);
    }

    private void Write(string text)
    {
        var size = Encoding.UTF8.GetByteCount(text);
        Put(PickleOpcode.BinUnicode);
        BinaryPrimitives.WriteInt32LittleEndian(Advance(sizeof(int)), size);
        Encoding.UTF8.GetBytes(text, Advance(size));
    }

    // _rebuild_tensor_v2(storage, offset, size, strides, requires_grad, hooks)
    private void Write(SafeTensor tensor)
    {
        PutGlobal("torch._utils", "_rebuild_tensor_v2");
        Put(PickleOpcode.Mark);
        WriteStorage(tensor);
        Write(0);
        WriteTuple(tensor.Shape);
        WriteTuple(Strides(tensor.Shape));
        Put(PickleOpcode.NewFalse);
        PutGlobal("collections", "OrderedDict");
        Put(PickleOpcode.EmptyTuple);
        Put(PickleOpcode.Reduce);
        Put(PickleOpcode.Tuple);
        Put(PickleOpcode.Reduce);
    }

    private void WriteStorage(SafeTensor tensor)
    {
        Put(PickleOpcode.Mark);
        Write("storage");
        PutGlobal("torch", StorageOf(tensor.Dtype));
        Write(_tensors.Count.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Write("cpu");
        Write(tensor.Bytes / SafetensorsFile.SizeOf(tensor.Dtype));
        Put(PickleOpcode.Tuple);
        Put(PickleOpcode.BinPersistentId);
        _tensors.Add(tensor);
    }

    private static long[] Strides(IReadOnlyList<long> shape)
    {
        var strides = new long[shape.Count];
        long stride = 1;
        for (var i = strides.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= Math.Max(1, shape[i]);
        }

        return strides;
    }

    private void WriteTuple(IReadOnlyList<long> numbers)
    {
        Put(PickleOpcode.Mark);
        foreach (var number in numbers)
        {
            Write(number);
        }

        Put(PickleOpcode.Tuple);
    }

    private void PutGlobal(string module, string name)
    {
        Put(PickleOpcode.Global);
        _bytes.Write(Encoding.ASCII.GetBytes($"{module}\n{name}\n"));
    }

    private void Put(PickleOpcode opcode) => Put((byte)opcode);

    private void Put(byte value) => Advance(1)[0] = value;

    private Span<byte> Advance(int size)
    {
        var span = _bytes.GetSpan(Math.Max(1, size))[..size];
        _bytes.Advance(size);
        return span;
    }
}
