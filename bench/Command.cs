using CommandLine;

namespace MonoLoss.Bench;

/// <summary>A verb of the command line.</summary>
internal interface ICommand
{
    /// <summary>Runs the command and prints its results.</summary>
    /// <exception cref="BenchException">The command cannot run; the message is one line for the user.</exception>
    void Run();
}

/// <summary>An error that the user can fix; the message is one line.</summary>
/// <param name="message">What is missing or wrong.</param>
internal sealed class BenchException(string message) : Exception(message);

/// <summary>The options that most verbs share.</summary>
internal abstract class MeasuringCommand : ICommand
{
    // Odd, so that the median is one of the measurements.
    private const int QuickRounds = 3;

    /// <summary>Whether a rough result is enough.</summary>
    [Option("quick", HelpText = "Run only a few rounds, for a rough result in a fraction of the time.")]
    public bool Quick { get; set; }

    /// <summary>Number of threads, 0 for one per processor.</summary>
    [Option("threads", HelpText = "Number of threads [one per processor]")]
    public int Threads { get; set; }

    /// <summary>Number of rounds, 0 for the default.</summary>
    [Option("rounds", HelpText = "Number of measurements, of which medians are printed.")]
    public int Rounds { get; set; }

    /// <summary>Number of threads, at least 1.</summary>
    protected int ThreadCount => Threads > 0 ? Threads : Environment.ProcessorCount;

    /// <inheritdoc/>
    public void Run()
    {
        if (Threads < 0 || Rounds < 0)
        {
            throw new BenchException($"--{(Threads < 0 ? "threads" : "rounds")} must be positive");
        }

        var scoreboard = new Scoreboard();
        Measure(scoreboard);
        scoreboard.Print();
    }

    /// <summary>Measures, prints tables, and records the figures that have a target.</summary>
    internal abstract void Measure(Scoreboard scoreboard);

    /// <summary>Copies the shared options to another verb.</summary>
    internal T WithSameOptions<T>(T command)
        where T : MeasuringCommand
    {
        (command.Quick, command.Threads, command.Rounds) = (Quick, Threads, Rounds);
        return command;
    }

    /// <summary>The number of rounds: as given, else a few with --quick, else the usual number.</summary>
    private protected int RoundsOr(int usual) => Rounds > 0 ? Rounds : Quick ? QuickRounds : usual;
}
