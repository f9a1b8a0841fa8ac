using System.Buffers;
using System.Runtime.InteropServices;

namespace MonoLoss.Data;

/// <summary>
/// Owns one block of native memory, aligned to 64 bytes. All native memory of this assembly is allocated here, so that what a run takes
/// can be counted.
/// </summary>
/// <remarks>
/// There is no finalizer: pointers and spans do not keep the block reachable, so that it could free memory in use. What is never disposed
/// is lost until the process ends.
/// </remarks>
internal sealed unsafe class NativeBlock : IDisposable
{
    private const int Alignment = 64;

    private static long _allocated;
    private static long _peak;

    private readonly long _bytes;
    private nint _address;

    /// <summary>Allocates a block; its content is undefined.</summary>
    /// <param name="bytes">Size in bytes; 0 is allowed.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public NativeBlock(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        _bytes = bytes;
        _address = (nint)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(bytes, 1)), Alignment);
        var allocated = Interlocked.Add(ref _allocated, bytes);
        for (var peak = Peak; allocated > peak; peak = Peak)
        {
            Interlocked.CompareExchange(ref _peak, allocated, peak);
        }
    }

    /// <summary>Bytes of all blocks alive in this process.</summary>
    public static long Allocated => Interlocked.Read(ref _allocated);

    /// <summary>The largest value that <see cref="Allocated"/> has had since <see cref="ResetPeak"/>.</summary>
    public static long Peak => Interlocked.Read(ref _peak);

    /// <summary>The first byte; null once the block is disposed.</summary>
    public byte* Pointer => (byte*)_address;

    /// <summary>Starts to measure <see cref="Peak"/> anew.</summary>
    public static void ResetPeak() => Interlocked.Exchange(ref _peak, Allocated);

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        var address = Interlocked.Exchange(ref _address, 0);
        if (address != 0)
        {
            NativeMemory.AlignedFree((void*)address);
            Interlocked.Add(ref _allocated, -_bytes);
        }
    }
}

/// <summary>A buffer of bytes in native memory that grows, and then frees what it had at once.</summary>
internal sealed unsafe class NativeBytes : MemoryManager<byte>
{
    private NativeBlock? _block;

    /// <summary>Size in bytes.</summary>
    public int Length { get; private set; }

    /// <summary>All bytes.</summary>
    public Span<byte> Span => GetSpan();

    /// <summary>Makes the buffer at least <paramref name="size"/> bytes large.</summary>
    /// <param name="size">Bytes needed.</param>
    /// <param name="keep">How many of the first bytes keep their content; the content of the others is undefined.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public void Grow(int size, int keep = 0)
    {
        if (Length >= size)
        {
            return;
        }

        if (keep == 0)
        {
            Dispose();
        }

        var larger = new NativeBlock(size);
        Span[..keep].CopyTo(new Span<byte>(larger.Pointer, size));
        _block?.Dispose();
        (_block, Length) = (larger, size);
    }

    /// <summary>Frees the memory; the buffer is then empty and can grow again.</summary>
    public void Dispose() => Dispose(disposing: true);

    /// <inheritdoc/>
    public override Span<byte> GetSpan() => new(_block is null ? null : _block.Pointer, Length);

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => new(_block!.Pointer + elementIndex, pinnable: this);

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _block?.Dispose();
        (_block, Length) = (null, 0);
    }
}
