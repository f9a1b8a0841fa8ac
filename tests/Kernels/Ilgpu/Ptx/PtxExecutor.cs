using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime.Cuda;
using MonoLoss.Kernels.Ilgpu;
using PtxInterpreter;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>Runs kernels from the PTX that ILGPU generates for them, in the memory of ILGPU's CPU accelerator.</summary>
/// <param name="contract">Whether products and sums are rounded once, as NVIDIA's driver does.</param>
internal sealed class PtxExecutor(bool contract = true) : IKernelExecutor
{
    // All executors share what they have compiled.
    private static readonly ConcurrentDictionary<(MethodInfo Kernel, bool Repair, bool Contract), PtxProgram> Programs = [];

    /// <summary>Whether <see cref="IlgpuWorkarounds"/> are applied, as they are on a GPU.</summary>
    public bool Repair { get; init; } = true;

    /// <summary>Receives the cost of each launch; null to count nothing.</summary>
    public Action<MethodInfo, PtxCost>? Ran { get; set; }

    public void Run(MethodInfo kernel, KernelConfig config, params object[] arguments)
    {
        var program = Programs.GetOrAdd(
            (kernel, Repair, contract),
            key => PtxProgram.Parse(OfflineCompiler.CompilePtx(key.Kernel, CudaArchitecture.SM_80, key.Repair), key.Contract));
        var laidOut = new PtxArguments(program);
        foreach (var argument in arguments)
        {
            var bytes = new List<byte>();
            Append(argument, bytes, laidOut);
            laidOut.Add(CollectionsMarshal.AsSpan(bytes));
        }

        var (groups, threads) = (config.GridDim, config.GroupDim);
        var grid = new PtxGrid((groups.X, groups.Y, groups.Z), (threads.X, threads.Y, threads.Z), config.SharedMemoryConfig.ArraySize);
        if (Ran is null)
        {
            PtxLaunch.Run(program, grid, laidOut);
        }
        else
        {
            Ran(kernel, PtxLaunch.Measure(program, grid, laidOut));
        }
    }

    /// <summary>
    /// An argument as PTX lays it out: fields one after another, each at a multiple of its size; a view is a pointer and a length.
    /// </summary>
    private static void Append(object argument, List<byte> bytes, PtxArguments arguments)
    {
        Pad(bytes, Alignment(argument.GetType()));
        switch (argument)
        {
            case IContiguousArrayView view:
                var start = view.Length == 0 ? 0 : view.Buffer.NativePtr + view.IndexInBytes;
                arguments.AddBuffer((nint)start, view.LengthInBytes);
                bytes.AddRange(BitConverter.GetBytes((long)start));
                bytes.AddRange(BitConverter.GetBytes(view.Length));
                break;
            case int value:
                bytes.AddRange(BitConverter.GetBytes(value));
                break;
            case long value:
                bytes.AddRange(BitConverter.GetBytes(value));
                break;
            case float value:
                bytes.AddRange(BitConverter.GetBytes(value));
                break;
            case double value:
                bytes.AddRange(BitConverter.GetBytes(value));
                break;
            default:
                foreach (var field in Fields(argument.GetType()))
                {
                    Append(field.GetValue(argument)!, bytes, arguments);
                }

                Pad(bytes, Alignment(argument.GetType()));
                break;
        }
    }

    private static int Alignment(Type type) => typeof(IArrayView).IsAssignableFrom(type) ? 8
        : type.IsPrimitive ? Marshal.SizeOf(type)
        : Fields(type).Select(field => Alignment(field.FieldType)).DefaultIfEmpty(1).Max();

    private static FieldInfo[] Fields(Type type) => type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);

    private static void Pad(List<byte> bytes, int align)
    {
        while (bytes.Count % align != 0)
        {
            bytes.Add(0);
        }
    }
}
