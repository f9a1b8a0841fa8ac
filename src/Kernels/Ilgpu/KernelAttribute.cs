namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// Marks a method that ILGPU compiles for a GPU, and states what one launch of it costs, so that its time can be bounded without a GPU.
/// </summary>
/// <remarks>
/// Costs are formulas in B (rows), D (features), M (latents), K (active latents a row) and N (places stored, B·K).
/// </remarks>
/// <param name="bytes">Bytes that one launch moves to and from the GPU's memory.</param>
/// <param name="flops">Floating-point operations of one launch.</param>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class KernelAttribute(string bytes, string flops = "0") : Attribute
{
    /// <summary>Bytes that one launch moves to and from the GPU's memory.</summary>
    public string Bytes => bytes;

    /// <summary>The least bytes that any kernel could move for this work; null if those are <see cref="Bytes"/>.</summary>
    public string? LeastBytes { get; init; }

    /// <summary>Bytes that are gathered through the level-2 cache beside those from memory: rows that several latents or samples share.</summary>
    public string CachedBytes { get; init; } = "0";

    /// <summary>Floating-point operations of one launch.</summary>
    public string Flops => flops;

    /// <summary>Whether the operations are those of tensor cores.</summary>
    public bool TensorCores { get; init; }

    /// <summary>Threads of a group.</summary>
    public int GroupSize { get; init; } = IlgpuDevice.GroupSize;

    /// <summary>
    /// How many groups one multiprocessor should be able to hold, which bounds the registers of a thread; 0 leaves them to the driver.
    /// </summary>
    public int MinGroups { get; init; }

    /// <summary>Whether global memory is read and written 16 bytes at a time; a <see cref="KernelInstanceAttribute"/> of <see cref="Float4"/> is.</summary>
    public bool Vectorized { get; init; }
}

/// <summary>The types that a generic kernel is compiled for; every instance that is launched is named.</summary>
/// <param name="arguments">A type for every parameter.</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
internal sealed class KernelInstanceAttribute(params Type[] arguments) : Attribute
{
    /// <summary>A type for every parameter.</summary>
    public IReadOnlyList<Type> Arguments => arguments;
}
