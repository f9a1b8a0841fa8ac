using System.Diagnostics;
using System.Text.Json;
using CommandLine;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>
/// The MonoLoss side of <see cref="CompareCommand"/>, a separate process so that its memory can be measured: for every line "N" on
/// standard input it runs N steps and answers with a line of JSON, as peer.py does.
/// </summary>
[Verb("worker", Hidden = true)]
internal sealed class WorkerCommand : ICommand
{
    /// <summary>Index of the case in <see cref="TrainingCase.All"/>.</summary>
    [Option("case", Required = true)]
    public int Case { get; set; }

    /// <summary>Whether MonoLoss is on.</summary>
    [Option("mono")]
    public bool Mono { get; set; }

    /// <summary>Whether to compute the MonoScore of the data instead of training steps.</summary>
    [Option("score")]
    public bool Score { get; set; }

    /// <summary>Number of threads.</summary>
    [Option("threads")]
    public int Threads { get; set; }

    /// <summary>The device to run on.</summary>
    [Option("device", Default = "cpu")]
    public string DeviceName { get; set; } = "cpu";

    /// <summary>Whether dense products use tensor cores.</summary>
    [Option("tf32")]
    public bool UseTf32 { get; set; }

    /// <summary>B.</summary>
    [Option("rows", Default = Sizes.Rows)]
    public int Rows { get; set; }

    /// <summary>D.</summary>
    [Option("features", Default = Sizes.Features)]
    public int Features { get; set; }

    /// <summary>M.</summary>
    [Option("latents", Default = Sizes.Latents)]
    public int Latents { get; set; }

    /// <summary>k.</summary>
    [Option('k', "active", Default = Sizes.K)]
    public int Active { get; set; }

    /// <inheritdoc/>
    public void Run()
    {
        using var device = DeviceFactory.Open(DeviceName, Threads, UseTf32);
        var sizes = new WorkSizes(Rows, Features, Latents, Active).Validate();
        using var work = new TrainingWork(device, TrainingCase.All[Case], sizes, Mono);
        Answer(new { peer = $"{device.Name} ({device.Description}){(UseTf32 ? ", TF32" : string.Empty)}" });
        while (Console.In.ReadLine() is { } line)
        {
            if (!int.TryParse(line, out var times) || times < 1)
            {
                throw new BenchException($"worker: '{line}' is not a number of steps");
            }

            var seconds = new double[times];
            for (var i = 0; i < seconds.Length; i++)
            {
                seconds[i] = Timing.Seconds(device, Score ? () => work.MonoScore() : work.Step);
            }

            using var process = Process.GetCurrentProcess();
            Answer(new { seconds, peak_bytes = device.Memory?.InUse ?? process.PeakWorkingSet64 });
        }
    }

    private static void Answer<T>(T message)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(message));
        Console.Out.Flush();
    }
}
