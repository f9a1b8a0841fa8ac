using System.Globalization;

namespace MonoLoss.Bench;

/// <summary>A moment at which a run is killed.</summary>
/// <param name="Kind">How the moment was chosen.</param>
/// <param name="Seconds">Seconds after the start; 0 to kill at a system call.</param>
/// <param name="Call">The system call; null to kill at a time.</param>
/// <param name="CallNumber">Which of those calls, from 1.</param>
/// <param name="FullFrom">The first write that finds the disk full, from 1; 0 for a disk with room.</param>
internal sealed record KillMoment(string Kind, double Seconds, string? Call, int CallNumber, int FullFrom)
{
    private const string Write = "pwrite64";

    /// <summary>Draws a moment within a run.</summary>
    /// <param name="random">The source.</param>
    /// <param name="seconds">How long a run takes.</param>
    /// <param name="calls">How often a run makes each system call.</param>
    public static KillMoment Draw(Random random, double seconds, IReadOnlyList<(string Name, int Count)> calls)
    {
        var full = random.Next(3) == 0 ? random.Next(1, calls.First(call => call.Name == Write).Count + 1) : 0;
        if (random.Next(4) == 0)
        {
            return new KillMoment(full > 0 ? "at a time, disk full" : "at a time", random.NextDouble() * seconds, null, 0, full);
        }

        // A write that fails cannot be one that kills as well.
        var (name, count) = calls[random.Next(calls.Count)];
        return full > 0 && name == Write
            ? new KillMoment("by the full disk alone", 0, null, 0, full)
            : new KillMoment(full > 0 ? "at a system call, disk full" : "at a system call", 0, name, random.Next(1, count + 1), full);
    }

    /// <summary>Runs the command and kills it.</summary>
    /// <param name="monoloss">The command.</param>
    /// <param name="args">Its arguments.</param>
    public CommandOutcome Apply(MonolossProcess monoloss, IReadOnlyList<string> args)
    {
        var faults = new List<string>();
        if (FullFrom > 0)
        {
            faults.Add($"inject={Write}:error=ENOSPC:when={FullFrom}+");
        }

        if (Call is not null)
        {
            faults.Add($"inject={Call}:signal=SIGKILL:when={CallNumber}");
        }

        string[] prefix = faults.Count == 0
            ? []
            : ["strace", "-f", "-qq", "-o", "/dev/null", .. faults.SelectMany(fault => new[] { "-e", fault })];
        using var process = monoloss.Start(prefix, args);
        if (Seconds > 0)
        {
            var outcome = Task.Run(() => MonolossProcess.Finish(process));
            if (!outcome.Wait(TimeSpan.FromSeconds(Seconds)))
            {
                process.Kill(entireProcessTree: true);
            }

            return outcome.Result;
        }

        return MonolossProcess.Finish(process);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Kind}: {Seconds:0.000} s, {Call} {CallNumber}, full from {FullFrom}");
}
