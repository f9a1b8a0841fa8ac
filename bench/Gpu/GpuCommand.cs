using System.Globalization;
using CommandLine;
using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Models;

namespace MonoLoss.Bench;

/// <summary>Measures training steps and MonoScore on a GPU: every kernel's time beside its lower bound.</summary>
[Verb("gpu", HelpText = "Measures training steps and MonoScore on a GPU: every kernel's time beside its lower bound.")]
internal sealed class GpuCommand : GpuOptions
{
    /// <summary>The GPU to measure.</summary>
    [Option("device", Default = "cuda", HelpText = "cuda[:i], opencl[:i] or ilgpu-cpu (for small sizes).")]
    public string DeviceName { get; set; } = "cuda";

    /// <summary>Whether products use tensor cores.</summary>
    [Option("tf32", HelpText = "Use TF32 on tensor cores for dense products.")]
    public bool UseTf32 { get; set; }

    /// <summary>Number of measurements.</summary>
    [Option("rounds", Default = 20, HelpText = "Number of measurements, of which medians are printed.")]
    public int Rounds { get; set; } = 20;

    /// <inheritdoc/>
    public override void Run()
    {
        if (Rounds < 1)
        {
            throw new BenchException("--rounds must be positive");
        }

        var log = new LaunchLog();
        using var device = IlgpuDevice.Open(DeviceName, new IlgpuDeviceOptions { UseTf32 = UseTf32, Profiling = true, Observer = log });
        Console.WriteLine(FormattableString.Invariant(
            $"\n{device.Name}: {device.Description}; B {Rows}, D {Features}, M {Latents}, k {Active}; medians of {Rounds}\n"));
        foreach (var architecture in Architectures.Trained)
        {
            using var work = Work(device, architecture);
            Measure(device, log, $"{architecture.Name()} step with MonoLoss", work.Step);
        }

        using var scores = Work(device, Architecture.BatchTopK);
        Measure(device, log, $"MonoScore of {Rows} samples", scores.AddToScores);
    }

    private static string Format(double value, string format = "0.0") => value.ToString(format, CultureInfo.InvariantCulture);

    private void Measure(IlgpuDevice device, LaunchLog log, string name, Action work)
    {
        // The first run compiles kernels, takes memory and finds an initial threshold.
        work();
        work();
        var whole = Timing.Median(Enumerable.Range(0, Rounds).Select(_ => Timing.Seconds(device, work)));
        var launches = Enumerable.Range(0, Rounds).Select(_ => log.During(device, work)).ToArray();
        var table = new Table("kernel", "launches", "µs", "at least µs", "share of the step");
        foreach (var kernel in launches[0].GroupBy(launch => launch.Kernel).OrderByDescending(group => group.Sum(launch => launch.Seconds)))
        {
            var seconds = Timing.Median(launches.Select(
                round => round.Where(launch => launch.Kernel == kernel.Key).Sum(launch => launch.Seconds)));
            table.Add(
                KernelAttribute.NameOf(kernel.Key),
                $"{kernel.Count()}",
                Format(seconds * 1e6),
                Format(KernelBound.Of(kernel.Key, this).Seconds * 1e6),
                (seconds / whole).ToString("0.0%", CultureInfo.InvariantCulture));
        }

        Console.WriteLine(FormattableString.Invariant($"{name}: {whole * 1e3:0.00} ms, {launches[0].Count} launches\n"));
        table.Print();
        Console.WriteLine();
    }
}
