using CommandLine;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>The PyTorch peer and ours, in two processes that work in turn.</summary>
[Verb("compare", HelpText = "Runs a dense PyTorch peer (peer/peer.py) and ours in turn and prints the ratios.")]
internal sealed class CompareCommand : StepSizedCommand
{
    private const int UsualRounds = 5;
    private const int OurTimesPerRound = 5;
    private const int PeerTimesPerRound = 2;

    /// <summary>The Python to use.</summary>
    [Option("python", HelpText = "A python3 that has torch; the first on the PATH that does if not given.")]
    public string? Python { get; set; }

    /// <summary>Where ours runs.</summary>
    [Option("device", Default = "cpu", HelpText = DeviceFactory.Names + "; for ours.")]
    public string DeviceName { get; set; } = "cpu";

    /// <summary>Where the peer runs.</summary>
    [Option("peer-device", HelpText = "PyTorch's name of the device for the peer; cuda[:i] for cuda[:i], else cpu, if not given.")]
    public string? PeerDevice { get; set; }

    /// <summary>Whether dense products of both use tensor cores.</summary>
    [Option("tf32", HelpText = "Dense products in TF32 on tensor cores, in both.")]
    public bool UseTf32 { get; set; }

    /// <summary>Whether the peer's loss is compiled.</summary>
    [Option("compile", HelpText = "The peer compiles its loss with torch.compile (PyTorch 2).")]
    public bool Compile { get; set; }

    /// <summary>The models that are compared.</summary>
    [Option("model", HelpText = "Only this case, such as batch_topk; all if not given.")]
    public string? Model { get; set; }

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        var python = Peer.FindPython(Python);
        var table = new Table("work", "MonoLoss", "PyTorch s", "ours s", "faster", "PyTorch MiB", "ours MiB", "memory");
        string? described = null;
        var maxMemory = 0.0;
        if (Model is not null && TrainingCase.All.All(training => training.Name != Model))
        {
            throw new BenchException($"--model: expected one of {string.Join("; ", TrainingCase.All.Select(training => training.Name))}");
        }

        for (var i = 0; i < TrainingCase.All.Count; i++)
        {
            var training = TrainingCase.All[i];
            if (Model is not null && Model != training.Name)
            {
                continue;
            }

            foreach (var mono in new[] { false, true })
            {
                var result = Compare(
                    python, training.PeerOptions(Sizes, mono), [$"--case={i}", .. mono ? ["--mono"] : Array.Empty<string>()]);
                Describe(result, ref described);
                result.AddTo(table, $"{training.Name} step", mono ? "yes" : "no");
                if (mono && IsRequired)
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

        var score = Compare(
            python, [.. TrainingCase.All[0].PeerOptions(Sizes, mono: false), "--work=monoscore"], ["--case=0", "--score"]);
        score.AddTo(table, $"MonoScore of {Sizes.Samples} samples", string.Empty);
        if (IsRequired)
        {
            scoreboard.Add(Requirement.MonoScore, score.Faster);
            scoreboard.Add(Requirement.MaxMemory, maxMemory);
        }

        table.Print();
    }

    /// <summary>The requirements are the processor's, at the paper's sizes.</summary>
    private bool IsRequired => DeviceName == "cpu" && Model is null && Sizes == WorkSizes.Paper;

    private void Describe(Comparison result, ref string? described)
    {
        if (described is null)
        {
            described = $"{result.PeerDescription}; ours: {result.OurDescription}";
            Console.WriteLine($"\n{described}\n{Sizes}\n");
        }
    }

    private Comparison Compare(string python, IEnumerable<string> peerOptions, IEnumerable<string> ourOptions)
    {
        string[] tf32 = UseTf32 ? ["--tf32"] : [];
        var peerDevice = PeerDevice ?? (DeviceName.StartsWith("cuda", StringComparison.Ordinal) ? DeviceName : "cpu");
        using var peer = Peer.StartPyTorch(
            python, [.. peerOptions, $"--device={peerDevice}", .. tf32, .. Compile ? ["--compile"] : Array.Empty<string>()], ThreadCount);
        using var ours = Peer.StartOurs([.. ourOptions, .. Sizes.Options, $"--device={DeviceName}", .. tf32], ThreadCount);
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
            ours.PeakBytes,
            (peerDevice == "cpu") == (DeviceName == "cpu"));
    }

    private sealed record Comparison(
        string PeerDescription, string OurDescription, double PeerSeconds, double OurSeconds, double Faster, long PeerBytes, long OurBytes,
        bool SameMemory)
    {
        public double MemoryRatio => (double)OurBytes / PeerBytes;

        public void AddTo(Table table, string work, string mono) => table.Add(
            work,
            mono,
            Format(PeerSeconds),
            Format(OurSeconds),
            $"{Faster:0.0}×",
            $"{PeerBytes >> 20}",
            $"{OurBytes >> 20}",
            // A GPU's memory and a process's are not compared.
            SameMemory ? $"{MemoryRatio:0.00}×" : "–");

        // Three digits: a GPU's steps take milliseconds, a processor's seconds.
        private static string Format(double seconds) => seconds switch
        {
            >= 1 => $"{seconds:0.00}",
            >= 0.1 => $"{seconds:0.000}",
            >= 0.01 => $"{seconds:0.0000}",
            _ => $"{seconds:0.00000}",
        };
    }
}
