using System.Reflection;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// Marks a method that ILGPU compiles for a GPU, and states what one launch of it costs, so that its time can be bounded without a GPU.
/// </summary>
/// <remarks>
/// Costs are formulas in B (rows), D (features), M (latents), K (active latents per row) and N (nonzeros stored, B·K), of the kernel's
/// largest launch in a training step or a pass over a dataset. The tests hold them to what an interpreter of the kernel's PTX counts.
/// </remarks>
/// <param name="bytes">Bytes that one launch moves to and from the GPU's memory, each word once.</param>
/// <param name="flops">Floating-point operations of one launch.</param>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class KernelAttribute(string bytes, string flops = "0") : Attribute
{
    /// <summary>Every kernel of the device, generic ones once.</summary>
    public static IEnumerable<MethodInfo> Kernels =>
        from type in typeof(KernelAttribute).Assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
        where method.IsDefined(typeof(KernelAttribute))
        orderby type.Name, method.Name
        select method;

    /// <summary>Bytes that one launch moves to and from the GPU's memory.</summary>
    public string Bytes => bytes;

    /// <summary>
    /// Bytes that pass through the level-2 cache beside those to and from memory: rows that several latents or samples share, whole
    /// sectors where values are gathered.
    /// </summary>
    public string CachedBytes { get; init; } = "0";

    /// <summary>Bytes of the arguments that stay in the level-2 cache from the launch before, or for the next.</summary>
    public string ResidentBytes { get; init; } = "0";

    /// <summary>Floating-point operations of one launch; a value that every thread of a group computes counts once.</summary>
    public string Flops => flops;

    /// <summary>Whether the operations are those of tensor cores.</summary>
    public bool TensorCores { get; init; }

    /// <summary>Threads of a group.</summary>
    public int GroupSize { get; init; } = IlgpuDevice.GroupSize;

    /// <summary>
    /// How many groups one multiprocessor should be able to hold, which bounds the registers of a thread; 0 leaves them to the driver.
    /// </summary>
    public int MinGroups { get; init; }

    /// <summary>
    /// Whether global memory is read and written 16 bytes at a time, as in every <see cref="KernelInstanceAttribute"/> of
    /// <see cref="Float4"/>.
    /// </summary>
    public bool Vectorized { get; init; }

    /// <summary>A kernel's name in tables: its class and its method.</summary>
    public static string NameOf(MethodInfo kernel) =>
        $"{kernel.DeclaringType!.Name.Replace("Kernels", string.Empty, StringComparison.Ordinal)}.{kernel.Name}";
}

/// <summary>The types that a generic kernel is compiled for. Every instance that is launched must be listed.</summary>
/// <param name="arguments">One type per type parameter.</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
internal sealed class KernelInstanceAttribute(params Type[] arguments) : Attribute
{
    /// <summary>One type per type parameter.</summary>
    public IReadOnlyList<Type> Arguments => arguments;
}
