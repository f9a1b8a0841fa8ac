using System.Collections.Immutable;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Filters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Order;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using CommandLine;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;
using Perfolizer.Horology;

namespace MonoLoss.Bench;

/// <summary>Measures every kernel with BenchmarkDotNet.</summary>
[Verb("kernels", HelpText = "Measures every kernel with BenchmarkDotNet: GFLOP/s, GB/s and the share of the measured peaks.")]
internal sealed class KernelsCommand : ICommand
{
    /// <summary>A pattern for the kernels to measure.</summary>
    [Value(0, MetaName = "filter", HelpText = "Measure only kernels whose Class.Method matches, with * for any text: '*TopK*'.")]
    public string Filter { get; set; } = "*";

    /// <summary>The device to measure.</summary>
    [Option("device", Default = "cpu", HelpText = DeviceFactory.Names + "; peaks are measured on the cpu only.")]
    public string DeviceName { get; set; } = "cpu";

    /// <summary>Whether a rough result is enough.</summary>
    [Option("quick", HelpText = "Run few and short iterations.")]
    public bool Quick { get; set; }

    /// <summary>Number of threads, 0 for one per processor.</summary>
    [Option("threads", HelpText = "Number of threads [one per processor]")]
    public int Threads { get; set; }

    /// <inheritdoc/>
    public void Run()
    {
        KernelBenchmark.Open = () => DeviceFactory.Open(DeviceName, Threads);
        // BenchmarkDotNet matches whole names, namespace included.
        var filter = new GlobFilter([$"*{Filter}*"]);
        var (device, peaks) = Describe();

        // In this process: every kernel is compared with the peaks of the same run, and nothing is built or restored in between.
        var job = Job.Default
            .WithToolchain(new InProcessEmitToolchain(TimeSpan.FromHours(1), logOutput: true))
            .WithEngineFactory(new SynchronizingEngineFactory())
            .WithUnrollFactor(1)
            .WithWarmupCount(Quick ? 1 : 3)
            .WithIterationCount(Quick ? 3 : 15)
            .WithIterationTime(TimeInterval.FromMilliseconds(Quick ? 50 : 200));
        var config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddFilter(filter)
            .AddLogger(ConsoleLogger.Default)
            .AddExporter(MarkdownExporter.GitHub)
            .WithOrderer(new ByClass())
            .AddColumn(
            [
                TargetMethodColumn.Method,
                new TagColumn("Device", _ => device),
                StatisticColumn.Median,
                StatisticColumn.Error,
                new RateColumn("GFLOP/s", work => work.Flops, null),
                .. peaks is (var flops, _) ? [new RateColumn("of FMA peak", work => work.Flops, flops)] : Array.Empty<IColumn>(),
                new RateColumn("GB/s", work => work.Bytes, null),
                .. peaks is (_, var bytes) ? [new RateColumn("of triad", work => work.Bytes, bytes)] : Array.Empty<IColumn>(),
            ])
            .WithOption(ConfigOptions.JoinSummary, true);
        var summaries = BenchmarkRunner.Run(
            [.. typeof(KernelBenchmark).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(KernelBenchmark)))],
            config);
        if (summaries.All(summary => summary.GetNumberOfExecutedBenchmarks() == 0))
        {
            throw new BenchException($"no kernel matches '{Filter}'");
        }
    }

    /// <summary>Prints the device and, for the CPU, its peaks.</summary>
    private static (string Device, (double Flops, double Bytes)? Peaks) Describe()
    {
        // Opened before BenchmarkDotNet runs, which would report a missing device once per kernel.
        using var device = KernelBenchmark.Open();
        (double Flops, double Bytes)? peaks = device is CpuDevice cpu ? Peaks.Measure(cpu.Threads) : null;
        Console.WriteLine($"{device.Name}: {device.Description}");
        if (peaks is (var flops, var bytes))
        {
            Console.WriteLine(
                $"peak {flops / 1e9:0} GFLOP/s (multiply-adds on registers), {bytes / 1e9:0.0} GB/s (triad past the caches; operands that "
                + "fit in a cache are read faster)");
        }

        return (device.Name, peaks);
    }

    /// <summary>Orders results class by class as in the source, which is also the order of the run.</summary>
    private sealed class ByClass() : DefaultOrderer(SummaryOrderPolicy.Declared, MethodOrderPolicy.Declared)
    {
        public override IEnumerable<BenchmarkCase> GetSummaryOrder(ImmutableArray<BenchmarkCase> benchmarksCases, Summary summary) =>
            benchmarksCases.GroupBy(benchmark => benchmark.Descriptor.Type).SelectMany(group => group);
    }
}
