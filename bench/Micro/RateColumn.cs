using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace MonoLoss.Bench;

/// <summary>The minimum work of one call of a kernel, counted by hand.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class WorkAttribute : Attribute
{
    /// <summary>Multiplications and additions.</summary>
    public double Flops { get; init; }

    /// <summary>Bytes read and written, each operand once.</summary>
    public double Bytes { get; init; }
}

/// <summary>Work per second at the median time, in billions or as a share of a peak.</summary>
/// <param name="name">The column's header.</param>
/// <param name="amount">Selects operations or bytes.</param>
/// <param name="peak">The work per second that counts as 100 %; null to show billions per second.</param>
internal sealed class RateColumn(string name, Func<WorkAttribute, double> amount, double? peak) : IColumn
{
    /// <inheritdoc/>
    public string Id => name;

    /// <inheritdoc/>
    public string ColumnName => name;

    /// <inheritdoc/>
    public bool AlwaysShow => true;

    /// <inheritdoc/>
    public ColumnCategory Category => ColumnCategory.Custom;

    /// <inheritdoc/>
    public int PriorityInCategory => 0;

    /// <inheritdoc/>
    public bool IsNumeric => true;

    /// <inheritdoc/>
    public UnitType UnitType => UnitType.Dimensionless;

    /// <inheritdoc/>
    public string Legend => peak is null ? $"{name} at the median time" : $"{name}, as measured before the kernels";

    /// <inheritdoc/>
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        var work = (WorkAttribute?)Attribute.GetCustomAttribute(benchmarkCase.Descriptor.WorkloadMethod, typeof(WorkAttribute));
        if (work is null || amount(work) == 0 || summary[benchmarkCase]?.ResultStatistics is not { } statistics)
        {
            return "-";
        }

        // BenchmarkDotNet counts nanoseconds.
        var rate = amount(work) / statistics.Median * 1e9;
        return peak is { } whole ? $"{rate / whole:0%}" : $"{rate / 1e9:0.0}";
    }

    /// <inheritdoc/>
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    /// <inheritdoc/>
    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    /// <inheritdoc/>
    public bool IsAvailable(Summary summary) => true;
}
