using System.Numerics;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// The memory of an accelerator. What arrays give back is kept and reused: drivers take long to allocate memory, and wait for all
/// kernels to end before they free any. Everything runs in one stream, so a block can be reused while kernels that use it have yet to run.
/// </summary>
/// <param name="accelerator">The accelerator.</param>
/// <param name="device">The device's name, for messages.</param>
/// <param name="limit">Bytes that may be taken; the driver may have fewer.</param>
internal sealed class MemoryPool(Accelerator accelerator, string device, long limit)
{
    // Sizes of blocks are multiples of 256 bytes with at most six significant bits: at most 1/32 more than requested.
    private const int SmallestBlock = 256;
    private const int SizeBits = 5;

    private readonly Dictionary<long, Stack<MemoryBuffer>> _kept = [];
    private long _inUse;
    private long _keptBytes;

    /// <summary>The most bytes that were in use at once.</summary>
    public long Peak { get; private set; }

    /// <summary>The total memory, free and in use.</summary>
    public DeviceMemory Memory
    {
        get
        {
            var driverFree = accelerator is CudaAccelerator cuda ? cuda.GetFreeMemory() + _keptBytes : long.MaxValue;
            return new(limit, Math.Max(0, Math.Min(limit - _inUse, driverFree)), _inUse);
        }
    }

    /// <summary>The size of the block that is taken for <paramref name="bytes"/> bytes.</summary>
    public static long BlockSize(long bytes)
    {
        var step = Math.Max(SmallestBlock, 1L << Math.Max(0, BitOperations.Log2((ulong)bytes) - SizeBits));
        return (bytes + step - 1) / step * step;
    }

    /// <summary>Takes memory; its contents are undefined.</summary>
    /// <exception cref="DeviceMemoryException">The device does not have that much free memory.</exception>
    public MemoryBuffer Take(long bytes)
    {
        var size = BlockSize(bytes);
        if (_kept.TryGetValue(size, out var blocks) && blocks.TryPop(out var block))
        {
            _keptBytes -= size;
        }
        else
        {
            block = Allocate(size);
        }

        _inUse += size;
        Peak = Math.Max(Peak, _inUse);
        return block;
    }

    /// <summary>Takes memory back, to be used again.</summary>
    public void Return(MemoryBuffer block)
    {
        var size = block.LengthInBytes;
        if (!_kept.TryGetValue(size, out var blocks))
        {
            _kept[size] = blocks = new Stack<MemoryBuffer>();
        }

        blocks.Push(block);
        _inUse -= size;
        _keptBytes += size;
    }

    private MemoryBuffer Allocate(long size)
    {
        if (TryAllocate(size, out _) is { } block)
        {
            return block;
        }

        GiveBackKept();
        return TryAllocate(size, out var failure) ?? throw new DeviceMemoryException(device, size, Memory, failure);
    }

    private MemoryBuffer? TryAllocate(long size, out Exception? failure)
    {
        failure = null;
        if (size > limit - _inUse - _keptBytes)
        {
            return null;
        }

        try
        {
            return accelerator.AllocateRaw(size, sizeof(byte));
        }
        catch (Exception exception) when (IsOutOfMemory(exception))
        {
            failure = exception;
            return null;
        }
    }

    private static bool IsOutOfMemory(Exception exception) => exception switch
    {
        CudaException cuda => cuda.Error == nameof(CudaError.CUDA_ERROR_OUT_OF_MEMORY),
        CLException openCL => openCL.Error is
            CLError.CL_MEM_OBJECT_ALLOCATION_FAILURE or CLError.CL_OUT_OF_RESOURCES or CLError.CL_OUT_OF_HOST_MEMORY
                or CLError.CL_INVALID_BUFFER_SIZE,
        _ => exception is OutOfMemoryException,
    };

    private void GiveBackKept()
    {
        accelerator.Synchronize();
        foreach (var block in _kept.Values.SelectMany(blocks => blocks))
        {
            block.Dispose();
        }

        _kept.Clear();
        _keptBytes = 0;
    }
}
