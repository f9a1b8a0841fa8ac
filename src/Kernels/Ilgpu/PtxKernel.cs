using System.Collections.Immutable;
using System.Reflection;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.PTX;
using ILGPU.IR.Transformations;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>What NVIDIA's driver is given of a kernel.</summary>
internal static class PtxKernel
{
    private static readonly FieldInfo Text =
        typeof(PTXCompiledKernel).GetField($"<{nameof(PTXCompiledKernel.PTXAssembly)}>k__BackingField", BindingFlags.Instance | BindingFlags.NonPublic)!;

    private static readonly PropertyInfo Transformers =
        typeof(Backend).GetProperty("KernelTransformers", BindingFlags.Instance | BindingFlags.NonPublic)!;

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

    /// <summary>
    /// Takes back a promise that ILGPU 1.5.3 makes and does not keep: at the optimization level that tells global memory from generic, it
    /// marks branches as uniform (<c>bra.uni</c>) whose condition was assigned within a divergent branch, which PTX leaves undefined.
    /// </summary>
    public static void Repair(CompiledKernel compiled)
    {
        if (compiled is PTXCompiledKernel ptx)
        {
            Text.SetValue(ptx, ptx.PTXAssembly.Replace("bra.uni", "bra", StringComparison.Ordinal));
        }
    }
}
