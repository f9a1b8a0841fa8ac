using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Json;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A tensor of a safetensors file.</summary>
/// <param name="Name">The name.</param>
/// <param name="Dtype">The element type as the format names it: F32, F64, F16, BF16, I8 … I64, U8 … U64, BOOL.</param>
/// <param name="Shape">The dimensions; none for a scalar.</param>
/// <param name="Count">Number of elements.</param>
public sealed record TensorInfo(string Name, string Dtype, IReadOnlyList<long> Shape, long Count)
{
    /// <summary>Offset in the file.</summary>
    internal long Start { get; init; }

    /// <summary>The shape in words, such as 3×4.</summary>
    public string ShapeText => Shape.Count == 0 ? "scalar" : string.Join("×", Shape);
}

/// <summary>
/// A safetensors file, open for reading. The JSON header is checked completely when the file is opened; tensors are read on request. Any
/// number of threads may read.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private const long MaxHeader = 100_000_000;
    private const int PrefixSize = 8;
    private const int ChunkBytes = 1 << 18;

    private readonly FileBytes _file;
    private readonly Dictionary<string, TensorInfo> _byName = [];

    private SafetensorsFile(FileBytes bytes) => _file = bytes;

    /// <summary>The path, as given.</summary>
    public string Path => _file.Path;

    /// <summary>The tensors, in the order of their data.</summary>
    public IReadOnlyList<TensorInfo> Tensors { get; private set; } = [];

    /// <summary>The strings under <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; private set; } = new Dictionary<string, string>();

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="DataException">There is no such file, or it is not a safetensors file, or it is damaged.</exception>
    public static SafetensorsFile Open(string path) => Open(FileBytes.Open(path));

    /// <summary>Opens a file that is open already and checks its header.</summary>
    /// <inheritdoc cref="Open(string)"/>
    internal static SafetensorsFile Open(FileBytes bytes)
    {
        var file = new SafetensorsFile(bytes);
        try
        {
            file.ReadHeader();
            return file;
        }
        catch (Exception exception) when (exception is CorruptException or IOException or JsonException or InvalidOperationException)
        {
            file.Dispose();
            // JSON text that is not valid UTF-8 gives an InvalidOperationException.
            var why = exception is JsonException or InvalidOperationException ? "the header is not JSON" : exception.Message;
            throw new DataException($"{bytes.Path}: cannot be read as safetensors: {why}", exception);
        }
    }

    /// <summary>Whether there is a tensor with this name.</summary>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>Finds a tensor.</summary>
    /// <exception cref="DataException">There is no tensor with this name.</exception>
    public TensorInfo Find(string name) => _byName.TryGetValue(name, out var tensor)
        ? tensor
        : throw new DataException($"{Path}: no tensor '{name}'; the tensors are: {string.Join(", ", Tensors.Select(t => t.Name))}");

    /// <summary>Finds a tensor and checks its shape.</summary>
    /// <exception cref="DataException">There is no tensor with this name, or it has another shape.</exception>
    public TensorInfo Find(string name, params ReadOnlySpan<long> shape)
    {
        var tensor = Find(name);
        return tensor.Shape.ToArray().AsSpan().SequenceEqual(shape)
            ? tensor
            : throw new DataException($"{Path}: tensor '{name}' is {tensor.ShapeText}, expected {string.Join("×", shape.ToArray())}");
    }

    /// <summary>Reads a tensor of any floating-point or integer type as float32 (a float64 is rounded).</summary>
    /// <exception cref="DataException">There is no tensor with this name, or it cannot be read.</exception>
    public float[] ReadFloats(string name) => ReadArray<float>(name);

    /// <summary>Reads a tensor of any floating-point or integer type as float64.</summary>
    /// <inheritdoc cref="ReadFloats(string)"/>
    public double[] ReadDoubles(string name) => ReadArray<double>(name);

    /// <summary>Reads a tensor of an integer type.</summary>
    /// <exception cref="DataException">There is no tensor with this name, it has another type, or an element does not fit.</exception>
    public int[] ReadInts(string name) => ReadArray<int>(name);

    /// <inheritdoc cref="ReadInts"/>
    public long[] ReadLongs(string name) => ReadArray<long>(name);

    /// <summary>Reads part of a tensor as float32.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="target">Receives as many elements as it has room for.</param>
    /// <param name="start">Index of the first element wanted.</param>
    /// <exception cref="DataException">There is no tensor with this name, or it cannot be read.</exception>
    public void ReadFloats(string name, Span<float> target, long start = 0)
    {
        fixed (float* pointer = target)
        {
            Read(Find(name), pointer, target.Length, start);
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>Bytes per element; 0 for an unknown type.</summary>
    internal static int SizeOf(string dtype) => dtype switch
    {
        "F64" or "I64" or "U64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "I8" or "U8" or "BOOL" or "F8_E4M3" or "F8_E5M2" => 1,
        _ => 0,
    };

    private T[] ReadArray<T>(string name)
        where T : unmanaged, INumber<T>
    {
        var tensor = Find(name);
        if (tensor.Count > Array.MaxLength)
        {
            throw new DataException($"{Path}: tensor '{name}' has {tensor.Count} elements, too many for an array");
        }

        var values = new T[tensor.Count];
        fixed (T* pointer = values)
        {
            Read(tensor, pointer, values.Length, 0);
        }

        return values;
    }

    private void Read<T>(TensorInfo tensor, T* target, long count, long start)
        where T : unmanaged, INumber<T>
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, tensor.Count - start);
        var wantsInteger = typeof(T) == typeof(int) || typeof(T) == typeof(long);
        try
        {
            switch (tensor.Dtype)
            {
                case "F32" when !wantsInteger:
                    Read<T, float>(tensor, target, count, start);
                    break;
                case "F64" when !wantsInteger:
                    Read<T, double>(tensor, target, count, start);
                    break;
                case "F16" when !wantsInteger:
                    Read<T, Half>(tensor, target, count, start);
                    break;
                case "BF16" when !wantsInteger:
                    ReadBrain(tensor, target, count, start);
                    break;
                case "I64":
                    Read<T, long>(tensor, target, count, start);
                    break;
                case "U64":
                    Read<T, ulong>(tensor, target, count, start);
                    break;
                case "I32":
                    Read<T, int>(tensor, target, count, start);
                    break;
                case "U32":
                    Read<T, uint>(tensor, target, count, start);
                    break;
                case "I16":
                    Read<T, short>(tensor, target, count, start);
                    break;
                case "U16":
                    Read<T, ushort>(tensor, target, count, start);
                    break;
                case "I8":
                    Read<T, sbyte>(tensor, target, count, start);
                    break;
                case "U8" or "BOOL":
                    Read<T, byte>(tensor, target, count, start);
                    break;
                default:
                    throw new CorruptException($"it is {tensor.Dtype}, which cannot be read as {typeof(T).Name}");
            }
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OverflowException)
        {
            var why = exception is OverflowException ? $"an element does not fit {typeof(T).Name}" : exception.Message;
            throw new DataException($"{Path}: tensor '{tensor.Name}': {why}", exception);
        }
    }

    private void Read<T, TStored>(TensorInfo tensor, T* target, long count, long start)
        where T : unmanaged, INumber<T>
        where TStored : unmanaged, INumber<TStored>
    {
        var offset = tensor.Start + (start * sizeof(TStored));
        if (typeof(T) == typeof(TStored))
        {
            while (count > 0)
            {
                var part = (int)Math.Min(count, (1 << 30) / sizeof(T));
                _file.Read(new Span<byte>(target, part * sizeof(T)), offset);
                target += part;
                count -= part;
                offset += (long)part * sizeof(T);
            }

            return;
        }

        var buffer = new TStored[Math.Min(count, ChunkBytes / sizeof(TStored))];
        while (count > 0)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(count, buffer.Length));
            _file.Read(MemoryMarshal.AsBytes(part), offset);
            foreach (var value in part)
            {
                *target++ = T.CreateChecked(value);
            }

            count -= part.Length;
            offset += (long)part.Length * sizeof(TStored);
        }
    }

    // bfloat16 is the upper half of a float32.
    private void ReadBrain<T>(TensorInfo tensor, T* target, long count, long start)
        where T : unmanaged, INumber<T>
    {
        var buffer = new ushort[Math.Min(count, ChunkBytes / sizeof(ushort))];
        var offset = tensor.Start + (start * sizeof(ushort));
        while (count > 0)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(count, buffer.Length));
            _file.Read(MemoryMarshal.AsBytes(part), offset);
            foreach (var value in part)
            {
                *target++ = T.CreateChecked(BitConverter.UInt32BitsToSingle((uint)value << 16));
            }

            count -= part.Length;
            offset += (long)part.Length * sizeof(ushort);
        }
    }

    private void ReadHeader()
    {
        var length = _file.Length;
        if (length < PrefixSize)
        {
            throw new CorruptException($"it has only {length} bytes");
        }

        Span<byte> prefix = stackalloc byte[PrefixSize];
        _file.Read(prefix, 0);
        var size = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (size > (ulong)Math.Min(MaxHeader, length - PrefixSize))
        {
            throw new CorruptException($"its header of {size} bytes does not fit the file's {length}");
        }

        var bytes = new byte[size];
        _file.Read(bytes, PrefixSize);
        using var document = JsonDocument.Parse(bytes);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new CorruptException("the header is not an object");
        }

        var start = PrefixSize + (long)size;
        var spans = new List<(TensorInfo Tensor, long End)>();
        foreach (var property in document.RootElement.EnumerateObject())
        {
            if (property.NameEquals("__metadata__"))
            {
                Metadata = ReadMetadata(property.Value);
                continue;
            }

            var (tensor, end) = ReadTensor(property.Name, property.Value, start);
            if (!_byName.TryAdd(tensor.Name, tensor))
            {
                throw new CorruptException($"two tensors are named '{tensor.Name}'");
            }

            spans.Add((tensor, end));
        }

        // The format requires the data to be without gaps or overlaps, from the header to the end of the file.
        spans.Sort((a, b) => (a.Tensor.Start, a.End).CompareTo((b.Tensor.Start, b.End)));
        var expected = start;
        foreach (var (tensor, end) in spans)
        {
            if (tensor.Start != expected)
            {
                throw new CorruptException($"tensor '{tensor.Name}' starts at byte {tensor.Start - start}, expected {expected - start}");
            }

            expected = end;
        }

        if (expected != length)
        {
            throw new CorruptException($"its tensors need {expected} bytes, the file has {length}");
        }

        Tensors = [.. spans.Select(span => span.Tensor)];
    }

    private static Dictionary<string, string> ReadMetadata(JsonElement element)
    {
        var metadata = new Dictionary<string, string>();
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw new CorruptException("__metadata__ is not an object");
        }

        foreach (var property in element.EnumerateObject())
        {
            metadata[property.Name] = property.Value.ValueKind == JsonValueKind.String
                ? property.Value.GetString()!
                : throw new CorruptException($"__metadata__ '{property.Name}' is not a string");
        }

        return metadata;
    }

    private static (TensorInfo Tensor, long End) ReadTensor(string name, JsonElement element, long start)
    {
        if (element.ValueKind != JsonValueKind.Object
            || !element.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String
            || !element.TryGetProperty("shape", out var shape) || !TryReadNumbers(shape, out var dimensions)
            || !element.TryGetProperty("data_offsets", out var offsets) || !TryReadNumbers(offsets, out var ends) || ends.Count != 2)
        {
            throw new CorruptException($"tensor '{name}' lacks a valid dtype, shape or data_offsets");
        }

        var size = SizeOf(dtype.GetString()!);
        if (size == 0)
        {
            throw new CorruptException($"tensor '{name}' has the unknown type {dtype.GetString()}");
        }

        Int128 count = 1;
        foreach (var dimension in dimensions)
        {
            count *= dimension;
            if (count > long.MaxValue / 8)
            {
                throw new CorruptException($"tensor '{name}' is too large");
            }
        }

        if (ends[0] > ends[1] || ends[1] > long.MaxValue / 2 || ends[1] - ends[0] != count * size)
        {
            throw new CorruptException(string.Create(
                CultureInfo.InvariantCulture,
                $"tensor '{name}' of {string.Join("×", dimensions)} {dtype.GetString()} does not fit its offsets {ends[0]} to {ends[1]}"));
        }

        var tensor = new TensorInfo(name, dtype.GetString()!, dimensions, (long)count) { Start = start + ends[0] };
        return (tensor, start + ends[1]);
    }

    private static bool TryReadNumbers(JsonElement element, out List<long> numbers)
    {
        numbers = [];
        if (element.ValueKind != JsonValueKind.Array)
        {
            return false;
        }

        foreach (var item in element.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out var number) || number < 0)
            {
                return false;
            }

            numbers.Add(number);
        }

        return true;
    }
}
