using System.Runtime.InteropServices;

namespace MonoLoss.Data.Parquet;

/// <summary>Zstandard by the system's libzstd, which is looked for when first needed.</summary>
internal static unsafe class Zstandard
{
    private const ulong UnknownSize = ulong.MaxValue;
    private const ulong NoFrame = ulong.MaxValue - 1;

    private static readonly string[] Names =
        ["libzstd.so.1", "libzstd.so", "libzstd.1.dylib", "libzstd.dylib", "libzstd.dll", "zstd.dll"];

    private static readonly Lazy<Functions?> Library = new(Load);

    /// <summary>Whether the library is there.</summary>
    public static bool IsAvailable => Library.Value is not null;

    /// <summary>The most bytes that <see cref="Compress"/> can need.</summary>
    public static int MaxCompressedLength(int length) => checked((int)Find().CompressBound((nuint)length));

    /// <summary>Decompresses exactly <paramref name="target"/>'s length.</summary>
    /// <exception cref="CorruptException">The data are damaged or of another length, or there is no library.</exception>
    public static void Decompress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        var library = Find();
        fixed (byte* from = source, to = target)
        {
            var size = library.ContentSize(from, (nuint)source.Length);
            if (size == NoFrame || (size != UnknownSize && size > (ulong)target.Length))
            {
                throw new CorruptException("Zstandard data with an invalid header");
            }

            byte none;
            var written = library.Decompress(target.IsEmpty ? &none : to, (nuint)target.Length, from, (nuint)source.Length);
            if (library.IsError(written) != 0)
            {
                throw new CorruptException($"Zstandard data: {Marshal.PtrToStringUTF8((nint)library.ErrorName(written))}");
            }

            if (written != (nuint)target.Length)
            {
                throw new EndOfDataException("Zstandard data");
            }
        }
    }

    /// <summary>Compresses.</summary>
    /// <returns>The bytes written.</returns>
    public static int Compress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        const int Level = 3;
        var library = Find();
        fixed (byte* from = source, to = target)
        {
            var written = library.Compress(to, (nuint)target.Length, from, (nuint)source.Length, Level);
            return library.IsError(written) == 0
                ? (int)written
                : throw new CorruptException($"Zstandard: {Marshal.PtrToStringUTF8((nint)library.ErrorName(written))}");
        }
    }

    private static Functions Find() => Library.Value ?? throw new CorruptException(
        "Zstandard needs the system's libzstd, which is not installed "
        + "(Debian and Ubuntu: libzstd1; Fedora: libzstd; macOS: brew install zstd)");

    private static Functions? Load()
    {
        foreach (var name in Names)
        {
            if (NativeLibrary.TryLoad(name, out var handle))
            {
                return new Functions(handle);
            }
        }

        return null;
    }

    private sealed class Functions(nint handle)
    {
        public readonly delegate* unmanaged<byte*, nuint, byte*, nuint, nuint> Decompress =
            (delegate* unmanaged<byte*, nuint, byte*, nuint, nuint>)NativeLibrary.GetExport(handle, "ZSTD_decompress");

        public readonly delegate* unmanaged<byte*, nuint, byte*, nuint, int, nuint> Compress =
            (delegate* unmanaged<byte*, nuint, byte*, nuint, int, nuint>)NativeLibrary.GetExport(handle, "ZSTD_compress");

        public readonly delegate* unmanaged<nuint, nuint> CompressBound =
            (delegate* unmanaged<nuint, nuint>)NativeLibrary.GetExport(handle, "ZSTD_compressBound");

        public readonly delegate* unmanaged<byte*, nuint, ulong> ContentSize =
            (delegate* unmanaged<byte*, nuint, ulong>)NativeLibrary.GetExport(handle, "ZSTD_getFrameContentSize");

        public readonly delegate* unmanaged<nuint, uint> IsError =
            (delegate* unmanaged<nuint, uint>)NativeLibrary.GetExport(handle, "ZSTD_isError");

        public readonly delegate* unmanaged<nuint, byte*> ErrorName =
            (delegate* unmanaged<nuint, byte*>)NativeLibrary.GetExport(handle, "ZSTD_getErrorName");
    }
}
