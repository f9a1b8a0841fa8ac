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

/// <summary>
/// Corrects what ILGPU 1.5.3 gets wrong on the way from C# to the driver. A test shows that each workaround still changes something
/// (WorkaroundTests), so that none outlives its defect.
/// </summary>
/// <remarks>
/// <para>
/// Code placement (<see cref="RemoveCodePlacement"/>): at level O2 ILGPU moves code close to its uses, but overlooks the last store, atomic
/// operation or barrier of a block, and moves loads and atomic operations behind it. Kernels then read what was meant to be overwritten
/// later.
/// </para>
/// <para>
/// PTX, uniform branches (<see cref="FixPtx"/>): at level O2, the one that tells global memory from generic memory, branches are marked as
/// uniform (<c>bra.uni</c>) although their condition was assigned within a divergent branch. PTX leaves it undefined what such a
/// branch does when the threads of a warp disagree.
/// </para>
/// <para>
/// OpenCL C, barriers (<see cref="FixOpenCL"/>): barriers order global memory but not local memory, which is what all of our barriers
/// are for.
/// </para>
/// <para>
/// OpenCL C, dynamic local memory (<see cref="FixOpenCL"/>): the address and the length of a group's dynamic local memory are kept in
/// variables of the program, which groups that run at the same time overwrite for each other.
/// </para>
/// <para>
/// OpenCL C, empty cast (<see cref="FixOpenCL"/>): that length is divided by a number with <c>()</c> before it, which does not compile.
/// </para>
/// </remarks>
internal static partial class IlgpuWorkarounds
{
    private const string Version = "1.5.3";
    private const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.NonPublic;

    /// <summary>
    /// The group size that a kernel is compiled for: the driver would otherwise leave room for groups of 1024 threads, and spill the
    /// registers of kernels that need many.
    /// </summary>
    public static KernelSpecialization Specialization(KernelAttribute kernel) =>
        new(kernel.GroupSize, kernel.MinGroups > 0 ? kernel.MinGroups : null);

    /// <summary>Takes code placement out of a compiler's passes.</summary>
    /// <exception cref="DeviceException">This is not the version of ILGPU that is known to need it.</exception>
    public static void RemoveCodePlacement(Backend backend)
    {
        var property = Found(typeof(Backend).GetProperty("KernelTransformers", Hidden), "Backend.KernelTransformers");
        var transformers = (ImmutableArray<Transformer>)property.GetValue(backend)!;
        property.SetValue(backend, transformers.Select(WithoutPlacement).ToImmutableArray());

        static Transformer WithoutPlacement(Transformer transformer) => Transformer.Create(
            transformer.Configuration, [.. transformer.Transformations.Where(transformation => transformation is not CodePlacement)]);
    }

    /// <summary>Corrects the PTX or OpenCL C of a kernel before the driver sees it.</summary>
    /// <exception cref="DeviceException">This is not the version of ILGPU that is known to need it.</exception>
    public static void FixSource(CompiledKernel compiled)
    {
        switch (compiled)
        {
            case PTXCompiledKernel ptx:
                Field<PTXCompiledKernel>(nameof(PTXCompiledKernel.PTXAssembly)).SetValue(ptx, FixPtx(ptx.PTXAssembly));
                break;
            case CLCompiledKernel opencl:
                Field<CLCompiledKernel>(nameof(CLCompiledKernel.Source)).SetValue(opencl, FixOpenCL(opencl.Source));
                break;
        }
    }

    /// <summary>PTX without marks for uniform branches.</summary>
    public static string FixPtx(string ptx) => ptx.Replace("bra.uni", "bra", StringComparison.Ordinal);

    /// <summary>OpenCL C with local memory ordered by barriers, and with dynamic local memory that belongs to the kernel.</summary>
    public static string FixOpenCL(string opencl)
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

    private static FieldInfo Field<T>(string property) =>
        Found(typeof(T).GetField($"<{property}>k__BackingField", Hidden), $"{typeof(T).Name}.{property}");

    private static T Found<T>(T? member, string name)
        where T : MemberInfo => member ?? throw new DeviceException(
            $"built for ILGPU {Version}, found {typeof(Context).Assembly.GetName().Version?.ToString(3)}, which has no {name}");

    /// <summary>Declarations outside of the kernel.</summary>
    [GeneratedRegex(@"^(local [^;()]*\*) (shared_var_\d+);\s*int (shared_var_len_\d+);", RegexOptions.Multiline)]
    private static partial Regex DynamicMemory();

    [GeneratedRegex(@"(work_group_barrier\s*\(\s*)(CLK_GLOBAL_MEM_FENCE)")]
    private static partial Regex GlobalBarrier();

    [GeneratedRegex(@"\(\)(\d)")]
    private static partial Regex EmptyCast();
}
