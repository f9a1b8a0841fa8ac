using CommandLine;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>Compares the PyTorch peer with MonoLoss, in two processes that work in turn.</summary>
[Verb("compare", HelpText = "Runs a dense PyTorch peer (peer/peer.py) and MonoLoss in turn and prints the ratios.")]
internal sealed class CompareCommand : StepSizedCommand
{
    private const int UsualRounds = 5;
    private const int OurTimesPerRound = 5;
    private const int PeerTimesPerRound = 2;

    /// <summary>The Python to use.</summary>
    [Option("python", HelpText = "A Python that can import torch [the first python3 on the PATH that can]")]
    public string? Python { get; set; }

    /// <summary>The device that MonoLoss runs on.</summary>
    [Option("device", Default = "cpu", HelpText = DeviceFactory.Names + "; the device of MonoLoss.")]
    public string DeviceName { get; set; } = "cpu";

    /// <summary>The device that the peer runs on.</summary>
    [Option("peer-device", HelpText = "The peer's device, by PyTorch's name [that of --device for cuda, else cpu]")]
    public string? PeerDevice { get; set; }

    /// <summary>Whether dense products use tensor cores, on both sides.</summary>
    [Option("tf32", HelpText = "Use TF32 on tensor cores for dense products, on both sides.")]
    public bool UseTf32 { get; set; }

    /// <summary>Whether the peer's loss is compiled.</summary>
    [Option("compile", HelpText = "Compile the peer's loss with torch.compile (PyTorch 2).")]
    public bool Compile { get; set; }

    /// <summary>The models that are compared.</summary>
    [Option("model", HelpText = "Compare only this case, such as batch_topk [all]")]
    public string? Model { get; set; }

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        var python = Peer.FindPython(Python);
        var table = new Table("work", "MonoLoss", "PyTorch s", "ours s", "faster", "PyTorch MiB", "ours MiB", "memory");
        string? described = null;
        var maxMemory = 0.0;
        var compared = TrainingCase.All.Where(training => training.Base is null).Select(training => training.Name).ToList();
        if (Model is not null && !compared.Contains(Model))
        {
            throw new BenchException($"--model: expected one of {string.Join("; ", compared)}");
        }

        for (var i = 0; i < TrainingCase.All.Count; i++)
        {
            var training = TrainingCase.All[i];
            if (!compared.Contains(training.Name) || (Model is not null && Model != training.Name))
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

    /// <summary>Whether the targets apply: they are for the CPU at the paper's sizes.</summary>
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
        // The first step allocates and compiles.
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
            // A GPU's memory is not compared with a process's.
            SameMemory ? $"{MemoryRatio:0.00}×" : "–");

        // Three digits: steps take milliseconds on a GPU and seconds on a CPU.
        private static string Format(double seconds) => seconds switch
        {
            >= 1 => $"{seconds:0.00}",
            >= 0.1 => $"{seconds:0.000}",
            >= 0.01 => $"{seconds:0.0000}",
            _ => $"{seconds:0.00000}",
        };
    }
}
