using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using MonoLoss.Kernels.Ilgpu;
using PtxInterpreter;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>Runs kernels from the PTX that ILGPU makes of them, in the memory of ILGPU's CPU accelerator.</summary>
/// <param name="contract">Whether products and sums are rounded once, as NVIDIA's driver does.</param>
internal sealed class PtxExecutor(bool contract = true) : IKernelExecutor
{
    private readonly ConcurrentDictionary<MethodInfo, PtxProgram> _programs = [];

    /// <summary>Whether what ILGPU does wrong is undone, as it is on a GPU.</summary>
    public bool Repair { get; init; } = true;

    /// <summary>Is told what each launch did; null for nobody.</summary>
    public Action<MethodInfo, PtxCost>? Ran { get; set; }

    public void Run(MethodInfo kernel, KernelConfig config, params object[] arguments)
    {
        var program = _programs.GetOrAdd(kernel, method => PtxProgram.Parse(OfflineCompiler.CompilePtx(method, CudaArchitecture.SM_80, Repair), contract));
        var buffers = new List<PtxBuffer>();
        var parameters = new byte[program.Text.ParameterSize];
        foreach (var (entry, argument) in program.Text.Parameters.Values.Zip(arguments))
        {
            var bytes = new List<byte>();
            Append(argument, bytes, buffers);
            if (bytes.Count != entry.Size)
            {
                throw new NotSupportedException($"{program.Text.Name}: an argument of {bytes.Count} bytes for a parameter of {entry.Size}");
            }

            bytes.CopyTo(parameters, entry.Offset);
        }

        var (groups, threads) = (config.GridDim, config.GroupDim);
        var grid = new PtxGrid((groups.X, groups.Y, groups.Z), (threads.X, threads.Y, threads.Z), config.SharedMemoryConfig.ArraySize);
        if (Ran is null)
        {
            PtxLaunch.Run(program, grid, parameters, buffers);
        }
        else
        {
            Ran(kernel, PtxLaunch.Measure(program, grid, parameters, buffers));
        }
    }

    /// <summary>
    /// An argument as PTX lays it out: fields one after another, each at a multiple of its size; a view is a pointer and a length.
    /// </summary>
    private static void Append(object argument, List<byte> bytes, List<PtxBuffer> buffers)
    {
        Pad(bytes, Alignment(argument.GetType()));
        switch (argument)
        {
            case IContiguousArrayView view:
                var start = view.Length == 0 ? 0 : view.Buffer.NativePtr + view.IndexInBytes;
                buffers.Add(new(start, view.LengthInBytes));
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
                    Append(field.GetValue(argument)!, bytes, buffers);
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
