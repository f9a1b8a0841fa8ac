using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A .safetensors file as arrays. Tensors of 8-bit floats are listed, but not read.</summary>
public sealed class SafetensorsArrays : ArrayFile
{
    private readonly FileBytes _bytes;

    private SafetensorsArrays(FileBytes bytes)
        : base(bytes.Path)
    {
        _bytes = bytes;
        // The tensors are read through the same open file.
        var file = SafetensorsFile.Open(bytes);
        Metadata = file.Metadata;
        var source = new FileRange(bytes, 0, bytes.Length);
        Arrays = [.. file.Tensors.Select(tensor => ToArray(tensor, source))];
    }

    /// <summary>The strings under <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="DataException">There is no such file, or it is not a safetensors file, or it is damaged.</exception>
    public static new SafetensorsArrays Open(string path) => Open(FileBytes.Open(path));

    internal static SafetensorsArrays Open(FileBytes bytes) => Guard(bytes, "safetensors", () => new SafetensorsArrays(bytes));

    private protected override void Dispose(bool disposing) => _bytes.Dispose();

    private static ElementType TypeOf(string dtype) => dtype switch
    {
        "F16" => ElementType.Float16,
        "BF16" => ElementType.BFloat16,
        "F32" => ElementType.Float32,
        "F64" => ElementType.Float64,
        "I8" => ElementType.Int8,
        "I16" => ElementType.Int16,
        "I32" => ElementType.Int32,
        "I64" => ElementType.Int64,
        "U8" => ElementType.UInt8,
        "U16" => ElementType.UInt16,
        "U32" => ElementType.UInt32,
        "U64" => ElementType.UInt64,
        "BOOL" => ElementType.Boolean,
        _ => ElementType.Unreadable,
    };

    private StoredArray ToArray(TensorInfo tensor, FileRange source)
    {
        var type = TypeOf(tensor.Dtype);
        var problem = $"tensors of type {tensor.Dtype} are not read; convert it to float32";
        return type == ElementType.Unreadable
            ? new UnreadableArray(Path, tensor.Name, tensor.Shape, tensor.Dtype, problem)
            : new StridedArray(Path, tensor.Name, type, tensor.Shape, StridedLayout.Dense(source, tensor.Start, tensor.Shape));
    }
}
