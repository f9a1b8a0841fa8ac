using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>Runs kernels from the PTX that ILGPU makes of them, in the memory of ILGPU's simulation.</summary>
/// <param name="contract">Whether products and sums are rounded once, as NVIDIA's driver does.</param>
internal sealed unsafe class PtxExecutor(bool contract = true) : IKernelExecutor
{
    private const int LargestShared = 48 << 10;

    private readonly ConcurrentDictionary<MethodInfo, PtxProgram> _programs = [];

    /// <summary>Whether what ILGPU does wrong is undone, as it is on a GPU.</summary>
    public bool Repair { get; init; } = true;

    /// <summary>Is told what each launch did; null for nobody.</summary>
    public Action<MethodInfo, PtxCost>? Ran { get; set; }

    public void Run(MethodInfo kernel, KernelConfig config, params object[] arguments)
    {
        var program = _programs.GetOrAdd(kernel, method => PtxProgram.Parse(CompiledKernels.Compile(method, 8, Repair), contract));
        var views = new List<(long, long)>();
        var parameters = new byte[program.Text.ParameterSize];
        foreach (var (entry, argument) in program.Text.Parameters.Values.Zip(arguments))
        {
            var bytes = new List<byte>();
            Append(argument, bytes, views);
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
            Run(program, grid, parameters, views);
            return;
        }

        var tallies = new ConcurrentBag<PtxTally>();
        var global = Run(program, grid, parameters, views, tallies);
        Ran(kernel, new(global.BytesRead, global.BytesWritten, tallies.Sum(tally => tally.SectorBytes), tallies.Sum(tally => tally.Flops)));
    }

    /// <summary>Runs all groups, several at once.</summary>
    /// <param name="program">The kernel.</param>
    /// <param name="grid">How many groups and threads.</param>
    /// <param name="parameters">As the kernel declares them.</param>
    /// <param name="views">The global memory that it may use: pointers and bytes.</param>
    /// <param name="tallies">Gets what was counted; null to count nothing.</param>
    /// <returns>The global memory, with who used it.</returns>
    public static PtxGlobal Run(
        PtxProgram program, PtxGrid grid, byte[] parameters, IEnumerable<(long Start, long Size)> views, ConcurrentBag<PtxTally>? tallies = null)
    {
        var text = program.Text;
        if (grid.GroupCount < 1 || grid.Groups.Y > 65535 || grid.Groups.Z > 65535 || grid.ThreadCount is < 1 or > 1024
            || (text.MaxThreads > 0 && grid.ThreadCount > text.MaxThreads) || text.StaticShared + grid.DynamicShared > LargestShared)
        {
            throw new PtxFault(
                $"{text.Name}: {grid} cannot be launched (compiled for {text.MaxThreads} threads, {text.StaticShared} bytes of shared memory)");
        }

        var global = new PtxGlobal(views);
        try
        {
            fixed (byte* pinned = parameters)
            {
                var start = pinned;
                Parallel.For(
                    0,
                    grid.GroupCount,
                    () =>
                    {
                        var tally = tallies is null ? null : new PtxTally();
                        tallies?.Add(tally!);
                        return new PtxGroup(program, grid, tally);
                    },
                    (index, _, group) =>
                    {
                        group.Run(index, start, global);
                        return group;
                    },
                    group => group.Dispose());
            }
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }

        return global;
    }

    /// <summary>
    /// An argument as PTX lays it out: fields one after another, each at a multiple of its size; a view is a pointer and a length.
    /// </summary>
    private static void Append(object argument, List<byte> bytes, List<(long, long)> views)
    {
        Pad(bytes, Alignment(argument.GetType()));
        switch (argument)
        {
            case IContiguousArrayView view:
                var start = view.Length == 0 ? 0 : view.Buffer.NativePtr + view.IndexInBytes;
                views.Add((start, view.LengthInBytes));
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
                    Append(field.GetValue(argument)!, bytes, views);
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
