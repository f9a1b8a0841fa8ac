using CommandLine;

namespace MonoLoss.Bench;

/// <summary>The PyTorch peer and ours, each in a process of its own, in turn.</summary>
[Verb("compare", HelpText = "Runs a dense PyTorch peer (peer/peer.py) and ours in turn and prints the ratios.")]
internal sealed class CompareCommand : MeasuringCommand
{
    private const int UsualRounds = 5;
    private const int OurTimesPerRound = 5;
    private const int PeerTimesPerRound = 2;

    /// <summary>The Python to use.</summary>
    [Option("python", HelpText = "A python3 that has torch; the first on the PATH that does if not given.")]
    public string? Python { get; set; }

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        var python = Peer.FindPython(Python);
        var table = new Table("work", "MonoLoss", "PyTorch s", "ours s", "faster", "PyTorch MiB", "ours MiB", "memory");
        string? described = null;
        var maxMemory = 0.0;
        for (var i = 0; i < TrainingCase.All.Count; i++)
        {
            var training = TrainingCase.All[i];
            foreach (var mono in new[] { false, true })
            {
                var result = Compare(python, training.PeerOptions(mono), [$"--case={i}", .. mono ? ["--mono"] : Array.Empty<string>()]);
                Describe(result, ref described);
                result.AddTo(table, $"{training.Name} step", mono ? "yes" : "no");
                if (mono)
                {
                    scoreboard.Add(training.Requirement, result.Faster);
                    maxMemory = Math.Max(maxMemory, result.MemoryRatio);
                    if (training.Requirement == Requirement.BatchTopK)
                    {
                        scoreboard.Add(Requirement.Memory, result.MemoryRatio);
                    }
                }
            }
        }

        var score = Compare(python, [.. TrainingCase.All[0].PeerOptions(mono: false), "--work=monoscore"], ["--case=0", "--score"]);
        score.AddTo(table, $"MonoScore of {TrainingWork.Samples} samples", string.Empty);
        scoreboard.Add(Requirement.MonoScore, score.Faster);
        scoreboard.Add(Requirement.MaxMemory, maxMemory);
        table.Print();
    }

    private static void Describe(Comparison result, ref string? described)
    {
        if (described is null)
        {
            described = $"{result.PeerDescription}; ours: {result.OurDescription}";
            Console.WriteLine($"\n{described}\n");
        }
    }

    private Comparison Compare(string python, IEnumerable<string> peerOptions, IEnumerable<string> ourOptions)
    {
        using var peer = Peer.StartPyTorch(python, peerOptions, ThreadCount);
        using var ours = Peer.StartOurs(ourOptions, ThreadCount);
        var peerTimes = Quick ? 1 : PeerTimesPerRound;
        // A first step allocates and compiles.
        peer.Run(1);
        ours.Run(2);
        var rounds = RoundsOr(UsualRounds);
        var (peerSeconds, ourSeconds) = (new double[rounds], new double[rounds]);
        for (var round = 0; round < rounds; round++)
        {
            Timing.Pause();
            peerSeconds[round] = peer.Run(peerTimes);
            Timing.Pause();
            ourSeconds[round] = ours.Run(OurTimesPerRound);
        }

        return new Comparison(
            peer.Description,
            ours.Description,
            Timing.Median(peerSeconds),
            Timing.Median(ourSeconds),
            Timing.Ratio(peerSeconds, ourSeconds),
            peer.PeakBytes,
            ours.PeakBytes);
    }

    private sealed record Comparison(
        string PeerDescription, string OurDescription, double PeerSeconds, double OurSeconds, double Faster, long PeerBytes, long OurBytes)
    {
        public double MemoryRatio => (double)OurBytes / PeerBytes;

        public void AddTo(Table table, string work, string mono) => table.Add(
            work,
            mono,
            $"{PeerSeconds:0.00}",
            $"{OurSeconds:0.000}",
            $"{Faster:0.0}×",
            $"{PeerBytes >> 20}",
            $"{OurBytes >> 20}",
            $"{MemoryRatio:0.00}×");
    }
}
