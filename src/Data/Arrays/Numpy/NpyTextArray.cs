using System.Buffers;
using System.Text;

namespace MonoLoss.Data;

/// <summary>Texts of numpy: all of the same number of UTF-32 characters (or bytes of UTF-8), padded with zeros.</summary>
internal sealed class NpyTextArray : StoredArray
{
    private const int BlockBytes = 1 << 20;

    private readonly NpyHeader _header;
    private readonly ByteSource _source;
    private readonly Encoding _encoding;

    /// <summary>Describes the array.</summary>
    public NpyTextArray(string path, string name, NpyHeader header, ByteSource source)
        : base(path, name, ElementType.Text, header.Shape)
    {
        (_header, _source) = (header, source);
        _encoding = header.IsBytes
            ? new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true)
            : new UTF32Encoding(header.BigEndian, byteOrderMark: false, throwOnInvalidCharacters: true);
    }

    /// <inheritdoc/>
    public override string? Problem =>
        _header.Fortran && Shape.Count > 1 ? "texts in Fortran order are not read; save it in C order" : null;

    private protected override void ReadNumbersCore<T>(long firstRow, Span<T> target) => throw new NotSupportedException();

    private protected override void ReadTextsCore(long firstRow, Span<string> target)
    {
        if (_header.ElementSize == 0)
        {
            target.Fill("");
            return;
        }

        var perBlock = Math.Max(1, BlockBytes / _header.ElementSize);
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(perBlock, (long)target.Length) * _header.ElementSize);
        try
        {
            var first = firstRow * RowLength;
            for (var at = 0; at < target.Length; at += perBlock)
            {
                var block = target.Slice(at, Math.Min(perBlock, target.Length - at));
                var bytes = buffer.AsSpan(0, block.Length * _header.ElementSize);
                _source.Read(bytes, _header.Size + ((first + at) * _header.ElementSize));
                for (var i = 0; i < block.Length; i++)
                {
                    block[i] = Decode(bytes.Slice(i * _header.ElementSize, _header.ElementSize), first + at + i);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private string Decode(ReadOnlySpan<byte> bytes, long element)
    {
        try
        {
            return _encoding.GetString(bytes).TrimEnd('\0');
        }
        catch (ArgumentException)
        {
            throw new CorruptException($"element {element} is not valid text");
        }
    }
}
