using System.Collections.Immutable;
using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.IR.Transformations;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>What a GPU's driver is given of a kernel: PTX or OpenCL C.</summary>
internal static partial class IlgpuWorkarounds
{
    private const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.NonPublic;

    private static readonly FieldInfo Ptx = typeof(PTXCompiledKernel).GetField($"<{nameof(PTXCompiledKernel.PTXAssembly)}>k__BackingField", Hidden)!;

    private static readonly FieldInfo OpenCL = typeof(CLCompiledKernel).GetField($"<{nameof(CLCompiledKernel.Source)}>k__BackingField", Hidden)!;

    private static readonly PropertyInfo Transformers = typeof(Backend).GetProperty("KernelTransformers", Hidden)!;

    /// <summary>
    /// How large the groups of a kernel are: the driver would otherwise leave room for groups of 1024 threads, and spill the registers of
    /// those that need many.
    /// </summary>
    public static KernelSpecialization Specialization(KernelAttribute kernel) =>
        new(kernel.GroupSize, kernel.MinGroups > 0 ? kernel.MinGroups : null);

    /// <summary>
    /// Leaves loads where they are: ILGPU 1.5.3's placement of code close to its uses, which belongs to the same level, forgets to look at
    /// the last store, atomic operation or barrier of a block, and moves loads and atomic operations behind it.
    /// </summary>
    public static void Repair(Backend backend)
    {
        var transformers = (ImmutableArray<Transformer>)Transformers.GetValue(backend)!;
        Transformers.SetValue(backend, transformers.Select(WithoutPlacement).ToImmutableArray());

        static Transformer WithoutPlacement(Transformer transformer) => Transformer.Create(
            transformer.Configuration, [.. transformer.Transformations.Where(transformation => transformation is not CodePlacement)]);
    }

    /// <summary>Mends what ILGPU 1.5.3 writes of a kernel.</summary>
    /// <remarks>
    /// PTX: at the optimization level that tells global memory from generic, branches are marked as uniform (<c>bra.uni</c>) whose condition
    /// was assigned within a divergent branch, which PTX leaves undefined. OpenCL C: barriers order global memory but not local, which
    /// all of ours are for; where dynamic local memory is and how much is kept in variables of the program, which groups that run at once
    /// overwrite for each other; and that length is divided by a number with a cast to nothing before it.
    /// </remarks>
    public static void Repair(CompiledKernel compiled)
    {
        switch (compiled)
        {
            case PTXCompiledKernel ptx:
                Ptx.SetValue(ptx, ptx.PTXAssembly.Replace("bra.uni", "bra", StringComparison.Ordinal));
                break;
            case CLCompiledKernel opencl:
                OpenCL.SetValue(opencl, Repair(opencl.Source));
                break;
        }
    }

    private static string Repair(string opencl)
    {
        opencl = GlobalBarrier().Replace(opencl, "$1CLK_LOCAL_MEM_FENCE | $2");
        opencl = EmptyCast().Replace(opencl, "$1");
        foreach (Match shared in DynamicMemory().Matches(opencl))
        {
            var (type, name, length) = (shared.Groups[1].Value, shared.Groups[2].Value, shared.Groups[3].Value);
            opencl = opencl.Replace(shared.Value, string.Empty, StringComparison.Ordinal)
                .Replace($"\t{name} = ", $"\t{type} {name} = ", StringComparison.Ordinal)
                .Replace($"\t{length} = ", $"\tint {length} = ", StringComparison.Ordinal);
        }

        return opencl;
    }

    /// <summary>Declarations outside of the kernel.</summary>
    [GeneratedRegex(@"^(local [^;()]*\*) (shared_var_\d+);\s*int (shared_var_len_\d+);", RegexOptions.Multiline)]
    private static partial Regex DynamicMemory();

    [GeneratedRegex(@"(work_group_barrier\s*\(\s*)(CLK_GLOBAL_MEM_FENCE)")]
    private static partial Regex GlobalBarrier();

    [GeneratedRegex(@"\(\)(\d)")]
    private static partial Regex EmptyCast();
}
