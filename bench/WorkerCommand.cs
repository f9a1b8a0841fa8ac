using System.Diagnostics;
using System.Text.Json;
using CommandLine;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Bench;

/// <summary>
/// Our side of <see cref="CompareCommand"/>, a process of its own so that its memory can be told: runs N steps for every line "N" on
/// standard input and answers with a line of JSON, as peer.py does.
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

    /// <summary>Whether MonoScore of the data is measured instead of a step.</summary>
    [Option("score")]
    public bool Score { get; set; }

    /// <summary>Threads.</summary>
    [Option("threads")]
    public int Threads { get; set; }

    /// <inheritdoc/>
    public void Run()
    {
        using var device = new CpuDevice(Threads);
        using var work = new TrainingWork(device, TrainingCase.All[Case], Mono);
        Answer(new { peer = device.Description });
        while (Console.In.ReadLine() is { } line)
        {
            if (!int.TryParse(line, out var times) || times < 1)
            {
                throw new BenchException($"worker: '{line}' is not how many times to work");
            }

            var seconds = new double[times];
            for (var i = 0; i < seconds.Length; i++)
            {
                seconds[i] = Timing.Seconds(device, Score ? () => work.MonoScore() : work.Step);
            }

            using var process = Process.GetCurrentProcess();
            Answer(new { seconds, peak_bytes = process.PeakWorkingSet64 });
        }
    }

    private static void Answer<T>(T message)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(message));
        Console.Out.Flush();
    }
}
