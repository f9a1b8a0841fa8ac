using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>A GPU (CUDA or OpenCL), or ILGPU's simulation of one on the processor, with kernels compiled by ILGPU.</summary>
/// <remarks>
/// Every sum is formed in an order that depends on the sizes alone, never by floating-point atomics, so that the same call gives the same
/// bits. A tensor may have up to 2³¹ − 1 elements.
/// </remarks>
public sealed partial class IlgpuDevice : Device
{
    /// <summary>Threads of a group, where a kernel does not say otherwise.</summary>
    internal const int GroupSize = 256;

    private readonly Context _context;

    private IlgpuDevice(string name, Context context, Accelerator accelerator, long memoryBytes, IlgpuDeviceOptions options)
    {
        (Name, _context, Accelerator, Options) = (name, context, accelerator, options);
        Pool = new MemoryPool(accelerator, name, memoryBytes);
        Staging = new IlgpuStaging(this);
        Scratch = new IlgpuScratch(this);
        UseTf32 = options.UseTf32;
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override string Description => Accelerator.Name;

    internal Accelerator Accelerator { get; }

    internal AcceleratorStream Stream => Accelerator.DefaultStream;

    internal MemoryPool Pool { get; }

    internal IlgpuStaging Staging { get; }

    internal IlgpuDeviceOptions Options { get; set; }

    /// <summary>How often the host has waited for the device.</summary>
    internal long HostSyncCount { get; private set; }

    private IlgpuScratch Scratch { get; }

    private int MultiprocessorCount => Options.MultiprocessorCount > 0 ? Options.MultiprocessorCount : Accelerator.NumMultiprocessors;

    /// <inheritdoc/>
    public override DeviceMemory? Memory => Pool.Memory;

    /// <inheritdoc/>
    public override long ScratchBytes(in WorkloadShape shape) =>
        EncodeScratchBytes(shape) + IndexScratchBytes(shape) + BackwardScratchBytes(shape);

    /// <summary>Kernels index elements by 32-bit integers.</summary>
    public override long MaxLength => int.MaxValue;

    /// <inheritdoc/>
    public override void Synchronize()
    {
        FinishSelection();
        Stream.Synchronize();
        NoteHostSync();
    }

    /// <inheritdoc/>
    public override UploadBuffer CreateUploadBuffer(int length) => new IlgpuUploadBuffer(this, length);

    /// <inheritdoc/>
    public override DeviceArray<T> Allocate<T>(long length) => new IlgpuArray<T>(this, length);

    /// <inheritdoc/>
    public override void Dispose()
    {
        // All device memory goes with the accelerator.
        Staging.Dispose();
        Accelerator.Dispose();
        _context.Dispose();
    }

    /// <summary>Counts a wait of the host for everything that was launched.</summary>
    internal void NoteHostSync()
    {
        HostSyncCount++;
        Staging.Reset();
    }

    private static ArrayView<T> View<T>(DeviceArray<T> array)
        where T : unmanaged => ((IlgpuArray<T>)array).View;

    internal static ArrayView<float> View(Tensor tensor) => View(tensor.Data);

    /// <summary>A matrix as floats or, if its rows are a multiple of 16 bytes long, as groups of four.</summary>
    private static ArrayView<T> Floats<T>(Tensor tensor)
        where T : unmanaged, IFloats<T> => View(tensor).Cast<T>();

    /// <summary>Whether rows of this many columns start at multiples of 16 bytes.</summary>
    private static bool IsVectorizable(long columns) => columns % 4 == 0;

    private static void RequireSameShape(Tensor a, Tensor b) => Require(a.Rows == b.Rows && a.Columns == b.Columns, "shapes differ");

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new ArgumentException(message);
        }
    }
}
