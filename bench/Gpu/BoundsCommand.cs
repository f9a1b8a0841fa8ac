using System.Data;
using System.Globalization;
using System.Reflection;
using CommandLine;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Bench;

/// <summary>The least time of every kernel of the ILGPU device, from the bytes and operations that it states: no GPU is needed.</summary>
[Verb("bounds", HelpText = "For every GPU kernel the bytes, the operations and the time that they bound, on an H100 if not said otherwise.")]
internal sealed class BoundsCommand : ICommand
{
    /// <summary>B.</summary>
    [Option("rows", Default = Sizes.Rows, HelpText = "Rows of a batch, B.")]
    public int Rows { get; set; }

    /// <summary>D.</summary>
    [Option("features", Default = Sizes.Features, HelpText = "Features, D.")]
    public int Features { get; set; }

    /// <summary>M.</summary>
    [Option("latents", Default = Sizes.Latents, HelpText = "Latents, M.")]
    public int Latents { get; set; }

    /// <summary>k.</summary>
    [Option('k', "active", Default = Sizes.K, HelpText = "Active latents a row, k.")]
    public int K { get; set; }

    /// <summary>Bandwidth of the GPU's memory.</summary>
    [Option("memory", Default = 3.35, HelpText = "Bandwidth of the memory, TB/s.")]
    public double Memory { get; set; }

    /// <summary>Bandwidth of the level-2 cache.</summary>
    [Option("cache", Default = 5.5, HelpText = "Bandwidth of the level-2 cache, TB/s.")]
    public double Cache { get; set; }

    /// <summary>Peak of float32.</summary>
    [Option("flops", Default = 66.9, HelpText = "Peak of float32 arithmetic, TFLOP/s.")]
    public double Flops { get; set; }

    /// <summary>Peak of the tensor cores.</summary>
    [Option("tf32", Default = 494.7, HelpText = "Peak of TF32 on tensor cores, TFLOP/s.")]
    public double Tf32 { get; set; }

    /// <inheritdoc/>
    public void Run()
    {
        Console.WriteLine(FormattableString.Invariant(
            $"\nB {Rows}, D {Features}, M {Latents}, k {K}; {Memory} TB/s from memory, {Cache} TB/s from the level-2 cache, {Flops} TFLOP/s, TF32 {Tf32} TFLOP/s.\n"));
        var table = new Table("kernel", "MB", "of the least", "MB through L2", "GFLOP", "at least µs", "bound by");
        foreach (var method in KernelMethods())
        {
            var cost = method.GetCustomAttribute<KernelAttribute>()!;
            var (bytes, cached, flops) = (Evaluate(cost.Bytes), Evaluate(cost.CachedBytes), Evaluate(cost.Flops));
            var (time, by) = new[]
            {
                (bytes / Memory, "memory"),
                (cached / Cache, "level-2 cache"),
                (flops / (cost.TensorCores ? Tf32 : Flops), cost.TensorCores ? "tensor cores" : "arithmetic"),
            }.MaxBy(bound => bound.Item1);
            table.Add(
                $"{method.DeclaringType!.Name.Replace("Kernels", string.Empty, StringComparison.Ordinal)}.{method.Name}",
                (bytes / 1e6).ToString("0.00", CultureInfo.InvariantCulture),
                (bytes / Evaluate(cost.LeastBytes ?? cost.Bytes)).ToString("0.00", CultureInfo.InvariantCulture),
                (cached / 1e6).ToString("0.0", CultureInfo.InvariantCulture),
                (flops / 1e9).ToString("0.00", CultureInfo.InvariantCulture),
                (time / 1e6).ToString("0.0", CultureInfo.InvariantCulture),
                by);
        }

        table.Print();
    }

    private static IEnumerable<MethodInfo> KernelMethods() =>
        from type in typeof(IlgpuDevice).Assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
        where method.IsDefined(typeof(KernelAttribute))
        orderby type.Name, method.Name
        select method;

    /// <summary>A formula in B, D, M, K and N at the sizes asked for.</summary>
    private double Evaluate(string formula)
    {
        var sizes = new Dictionary<char, double> { ['B'] = Rows, ['D'] = Features, ['M'] = Latents, ['K'] = K, ['N'] = (double)Rows * K };
        var text = string.Concat(formula.Select(
            letter => sizes.TryGetValue(letter, out var size) ? size.ToString("0.0", CultureInfo.InvariantCulture) : letter.ToString()));
        using var arithmetic = new DataTable();
        return Convert.ToDouble(arithmetic.Compute(text, null), CultureInfo.InvariantCulture);
    }
}
