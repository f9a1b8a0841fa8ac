using System.Globalization;
using CommandLine;
using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Models;

namespace MonoLoss.Bench;

/// <summary>
/// Lower bounds on the time of every GPU kernel, from the bytes and operations that it states, and of whole steps, from the
/// kernels that they launch. No GPU is needed: launches are counted in ILGPU's simulation, at small sizes.
/// </summary>
[Verb("bounds", HelpText =
    "For every GPU kernel its bytes, its operations and the time they bound, on an H100 unless other figures are given.")]
internal sealed class BoundsCommand : GpuOptions
{
    // The paper's time for MonoScore: samples, and seconds on an H100.
    private const int PaperSamples = 65_536;
    private const double PaperSeconds = 1.2;

    /// <inheritdoc/>
    public override void Run()
    {
        Console.WriteLine(FormattableString.Invariant($"\nB {Rows}, D {Features}, M {Latents}, k {Active}; {Memory} TB/s from memory, ")
            + FormattableString.Invariant($"{Cache} TB/s from the level-2 cache, {Flops} TFLOP/s, TF32 {TensorFlops} TFLOP/s.\n"));
        PrintKernels();
        Console.WriteLine();
        PrintWorks();
    }

    private static string Format(double value, string format = "0.0") => value.ToString(format, CultureInfo.InvariantCulture);

    private void PrintKernels()
    {
        var table = new Table("kernel", "MB", "MB through L2", "GFLOP", "at least µs", "bound by");
        foreach (var kernel in KernelAttribute.Kernels)
        {
            var bound = KernelBound.Of(kernel, this);
            table.Add(
                KernelAttribute.NameOf(kernel),
                Format(bound.Bytes / 1e6, "0.00"),
                Format(bound.CachedBytes / 1e6),
                Format(bound.Flops / 1e9, "0.00"),
                Format(bound.Seconds * 1e6),
                bound.By);
        }

        table.Print();
    }

    private void PrintWorks()
    {
        var small = new BoundsCommand { Rows = 64, Features = 24, Latents = 96, Active = 8 };
        var table = new Table("work", "launches", "MB", "MB through L2", "GFLOP", "at least ms");
        var log = new LaunchLog();
        using var device = IlgpuDevice.OpenSimulation(new() { Observer = log });
        using var batchTopK = small.Work(device, Architecture.BatchTopK);
        using var topK = small.Work(device, Architecture.TopK);
        // The first encoding has no earlier threshold to start from.
        batchTopK.Step();
        topK.Step();
        batchTopK.AddToScores();
        (string Name, IReadOnlyList<KernelLaunch> Launches, double Times)[] works =
        [
            ("batch_topk step with MonoLoss", log.During(device, batchTopK.Step), 1),
            ("topk step with MonoLoss", log.During(device, topK.Step), 1),
            ($"MonoScore of {PaperSamples} samples", log.During(device, batchTopK.AddToScores), (double)PaperSamples / Rows),
        ];
        // A kernel may run over a matrix and over a vector: its cost is proportional to its threads.
        var most = works.SelectMany(work => work.Launches).GroupBy(launch => launch.Kernel)
            .ToDictionary(group => group.Key, group => (double)group.Max(launch => launch.Threads));
        foreach (var (name, launches, times) in works)
        {
            var bounds = launches
                .Select(launch => (Bound: KernelBound.Of(launch.Kernel, this), Share: launch.Threads / most[launch.Kernel]))
                .ToArray();
            double Sum(Func<KernelBound, double> figure) => times * bounds.Sum(bound => bound.Share * figure(bound.Bound));
            table.Add(
                name,
                Format(times * launches.Count, "0"),
                Format(Sum(bound => bound.Bytes) / 1e6),
                Format(Sum(bound => bound.CachedBytes) / 1e6),
                Format(Sum(bound => bound.Flops) / 1e9),
                Format(Sum(bound => bound.Seconds) * 1e3, "0.00"));
        }

        table.Print();
        Console.WriteLine(FormattableString.Invariant(
            $"\nThe paper's time for MonoScore of {PaperSamples} samples on an H100: {PaperSeconds} s."));
    }
}
