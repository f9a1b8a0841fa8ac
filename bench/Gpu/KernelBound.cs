using System.Reflection;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Bench;

/// <summary>What a launch of a GPU kernel moves and computes, and the lower bound on its time that follows.</summary>
/// <param name="Bytes">Bytes to and from the GPU's memory.</param>
/// <param name="CachedBytes">Bytes through the level-2 cache.</param>
/// <param name="Flops">Floating-point operations.</param>
/// <param name="Seconds">The lower bound on the time.</param>
/// <param name="By">The resource that sets the bound.</param>
internal sealed record KernelBound(double Bytes, double CachedBytes, double Flops, double Seconds, string By)
{
    private const double Tera = 1e12;

    /// <summary>The bound of a kernel from the costs it states.</summary>
    /// <param name="kernel">A method with a <see cref="KernelAttribute"/>.</param>
    /// <param name="options">The sizes and the GPU.</param>
    public static KernelBound Of(MethodInfo kernel, GpuOptions options)
    {
        var cost = kernel.GetCustomAttribute<KernelAttribute>()!;
        var sizes = new KernelSizes(options.Rows, options.Features, options.Latents, options.Active);
        var (bytes, cached, flops) = (sizes.Evaluate(cost.Bytes), sizes.Evaluate(cost.CachedBytes), sizes.Evaluate(cost.Flops));
        var (seconds, by) = new[]
        {
            (bytes / options.Memory / Tera, "memory"),
            (cached / options.Cache / Tera, "level-2 cache"),
            (flops / (cost.TensorCores ? options.TensorFlops : options.Flops) / Tera, cost.TensorCores ? "tensor cores" : "arithmetic"),
        }.MaxBy(bound => bound.Item1);
        return new KernelBound(bytes, cached, flops, seconds, by);
    }
}
