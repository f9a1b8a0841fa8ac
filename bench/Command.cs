using CommandLine;

namespace MonoLoss.Bench;

/// <summary>A verb of the command line.</summary>
internal interface ICommand
{
    /// <summary>Does it and prints what it found.</summary>
    /// <exception cref="BenchException">It cannot be done; the message is one line for the user.</exception>
    void Run();
}

/// <summary>Something that the user can mend: the message is one line that says what.</summary>
/// <param name="message">What is missing or wrong.</param>
internal sealed class BenchException(string message) : Exception(message);

/// <summary>What most verbs take.</summary>
internal abstract class MeasuringCommand : ICommand
{
    // Odd, so that the median is one of them.
    private const int QuickRounds = 3;

    /// <summary>Whether a rough answer is enough.</summary>
    [Option("quick", HelpText = "A few rounds only: a rough answer in a fraction of the time.")]
    public bool Quick { get; set; }

    /// <summary>Threads, 0 for one a processor.</summary>
    [Option("threads", HelpText = "How many threads to use; one a processor if not given.")]
    public int Threads { get; set; }

    /// <summary>Rounds asked for, 0 for the default.</summary>
    [Option("rounds", HelpText = "How often everything is measured; medians are printed.")]
    public int Rounds { get; set; }

    /// <summary>Threads, at least 1.</summary>
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

    /// <summary>Measures, prints tables, and notes the figures that a requirement asks for.</summary>
    internal abstract void Measure(Scoreboard scoreboard);

    /// <summary>The options of one verb for another.</summary>
    internal T WithSameOptions<T>(T command)
        where T : MeasuringCommand
    {
        (command.Quick, command.Threads, command.Rounds) = (Quick, Threads, Rounds);
        return command;
    }

    /// <summary>How often to measure, if the user says nothing.</summary>
    private protected int RoundsOr(int usual) => Rounds > 0 ? Rounds : Quick ? QuickRounds : usual;
}
