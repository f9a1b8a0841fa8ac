using System.Reflection;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>
/// Compares the costs that kernels state with what the interpreter counts. The fewest bytes that a launch can move are those of its
/// arguments that it reads or writes, each word once.
/// </summary>
public sealed class PtxCostTests(PtxCostFixture counted) : IClassFixture<PtxCostFixture>
{
    private const double Tolerance = 1.3;

    // Below this the cost of a launch is that of launching.
    private const double Negligible = 4096;

    // These sizes fit into caches; the paper's do not.
    private const double CacheTolerance = 3;

    // On an H100 arithmetic is the bound from 12 operations per byte of the level-2 cache; a value computed by all threads counts for each.
    private const double HiddenFlopsPerByte = 2;

    /// <summary>Every kernel, and the work that contains the launch for which it states its cost.</summary>
    public static TheoryData<string, string> Kernels()
    {
        var data = new TheoryData<string, string>();
        foreach (var kernel in KernelAttribute.Kernels.Select(KernelAttribute.NameOf))
        {
            data.Add(kernel, PtxCostFixture.WorkOf(kernel));
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Kernel_costs_what_it_states(string kernel, string work)
    {
        var (sizes, launches) = counted.Works[work];
        var cost = launches.Where(launch => launch.Kernel == kernel).Select(launch => launch.Cost).MaxBy(cost => cost.Bytes);
        Assert.True(cost.SectorBytes > 0, $"{work} does not launch {kernel}");
        var stated = KernelAttribute.Kernels.Single(method => KernelAttribute.NameOf(method) == kernel)
            .GetCustomAttribute<KernelAttribute>()!;
        double Of(string formula) => sizes.Evaluate(formula);
        var (bytes, cached) = (Of(stated.Bytes) + Of(stated.ResidentBytes), Of(stated.Bytes) + Of(stated.CachedBytes));
        Assert.True(IsWithin(bytes, cost.Bytes, Tolerance), $"the kernel states {bytes} bytes but needs {cost.Bytes}");
        Assert.True(
            IsWithin(cached, cost.SectorBytes, cached > cost.SectorBytes ? CacheTolerance : Tolerance),
            $"{cached} bytes through the cache are stated, {cost.SectorBytes} were counted");
        var flops = Of(stated.Flops);
        Assert.True(
            IsWithin(flops, cost.Flops, Tolerance) || Math.Max(flops, cost.Flops) < HiddenFlopsPerByte * (cost.SectorBytes + Negligible),
            $"{flops} operations are stated, {cost.Flops} were counted");
    }

    private static bool IsWithin(double stated, double counted, double factor) =>
        Math.Abs(stated - counted) < Negligible || (stated < factor * counted && counted < factor * stated);
}
