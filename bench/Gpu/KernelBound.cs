using System.Data;
using System.Globalization;
using System.Reflection;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Bench;

/// <summary>What a launch of a GPU kernel moves and computes, and the time that this bounds.</summary>
/// <param name="Bytes">To and from the GPU's memory.</param>
/// <param name="LeastBytes">What no kernel could do with less of.</param>
/// <param name="CachedBytes">Through the level-2 cache.</param>
/// <param name="Flops">Operations.</param>
/// <param name="Seconds">The least time.</param>
/// <param name="By">What bounds it.</param>
internal sealed record KernelBound(double Bytes, double LeastBytes, double CachedBytes, double Flops, double Seconds, string By)
{
    private const double Tera = 1e12;

    /// <summary>The bound of a kernel from the costs it states.</summary>
    /// <param name="kernel">A method with a <see cref="KernelAttribute"/>.</param>
    /// <param name="options">The sizes and the GPU.</param>
    public static KernelBound Of(MethodInfo kernel, GpuOptions options)
    {
        var cost = kernel.GetCustomAttribute<KernelAttribute>()!;
        double Evaluate(string formula) => KernelBound.Evaluate(formula, options);
        var (bytes, cached, flops) = (Evaluate(cost.Bytes), Evaluate(cost.CachedBytes), Evaluate(cost.Flops));
        var (seconds, by) = new[]
        {
            (bytes / options.Memory / Tera, "memory"),
            (cached / options.Cache / Tera, "level-2 cache"),
            (flops / (cost.TensorCores ? options.TensorFlops : options.Flops) / Tera, cost.TensorCores ? "tensor cores" : "arithmetic"),
        }.MaxBy(bound => bound.Item1);
        return new KernelBound(bytes, Evaluate(cost.LeastBytes ?? cost.Bytes), cached, flops, seconds, by);
    }

    /// <summary>Every kernel of the device, generic ones once.</summary>
    public static IEnumerable<MethodInfo> Kernels() =>
        from type in typeof(IlgpuDevice).Assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
        where method.IsDefined(typeof(KernelAttribute))
        orderby type.Name, method.Name
        select method;

    /// <summary>A kernel's name in tables.</summary>
    public static string Name(MethodInfo kernel) =>
        $"{kernel.DeclaringType!.Name.Replace("Kernels", string.Empty, StringComparison.Ordinal)}.{kernel.Name}";

    /// <summary>The value of a formula in B, D, M, K and N = B·K.</summary>
    private static double Evaluate(string formula, GpuOptions options)
    {
        var sizes = new Dictionary<char, double>
        {
            ['B'] = options.Rows,
            ['D'] = options.Features,
            ['M'] = options.Latents,
            ['K'] = options.Active,
            ['N'] = (double)options.Rows * options.Active,
        };
        var text = string.Concat(formula.Select(
            letter => sizes.TryGetValue(letter, out var size) ? size.ToString("0.0", CultureInfo.InvariantCulture) : letter.ToString()));
        using var arithmetic = new DataTable();
        return Convert.ToDouble(arithmetic.Compute(text, null), CultureInfo.InvariantCulture);
    }
}
