using System.Diagnostics;
using CommandLine;
using MonoLoss.Data;

namespace MonoLoss.Bench;

/// <summary>Reads damaged files until told to stop.</summary>
[Verb("fuzz", HelpText = "Reads mutations of valid files: each must be read or rejected, quickly and in bounded memory.")]
internal sealed class FuzzCommand : ICommand
{
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(20);

    private readonly Lock _gate = new();
    private int _failures;

    [Option(
        "file",
        Required = true,
        MetaValue = "PATH…",
        HelpText = "Valid files (.parquet, .arrow, .npy, .npz, .pt, .safetensors, .csv, data.mdb), or folders of them.")]
    public IEnumerable<string> Files { get; set; } = [];

    [Option("mutations", Default = 10_000L, MetaValue = "N", HelpText = "Mutations per file")]
    public long Mutations { get; set; }

    [Option("seconds", Default = 0.0, MetaValue = "S", HelpText = "Stop after S seconds (0 = after the last mutation)")]
    public double Seconds { get; set; }

    [Option("first", Default = 0L, MetaValue = "N", HelpText = "Number of the first mutation, to continue a run or repeat a mutation")]
    public long First { get; set; }

    [Option("seed", Default = 1, MetaValue = "N", HelpText = "Seed of the mutations")]
    public int Seed { get; set; }

    [Option("threads", Default = 1, MetaValue = "N", HelpText = "Number of threads")]
    public int Threads { get; set; }

    [Option("save", MetaValue = "DIR", HelpText = "Write the damaged files that fail to this folder.")]
    public string? Save { get; set; }

    /// <inheritdoc/>
    public void Run()
    {
        var paths = Files.SelectMany(path => Directory.Exists(path) ? Directory.GetFiles(path).Where(IsKnown) : [path])
            .Order(StringComparer.Ordinal).ToArray();
        var contents = Array.ConvertAll(paths, File.ReadAllBytes);
        var clock = Stopwatch.StartNew();
        var workers = Enumerable.Range(0, Math.Max(1, Threads)).Select(_ => new Worker()).ToArray();
        var table = new Table("file", "bytes", "mutations", "read", "rejected", "failed", "mutations/s", "peak MiB");
        using var watchdog = new Timer(_ => Watch(workers), null, Hang, TimeSpan.FromSeconds(1));
        var share = Seconds / Math.Max(1, paths.Length);
        for (var i = 0; i < paths.Length; i++)
        {
            NativeBlock.ResetPeak();
            var name = Path.GetFileName(paths[i]);
            var mutator = FileMutator.For(name, contents[i], contents, Seed);
            var (start, end) = (clock.Elapsed.TotalSeconds, share * (i + 1));
            var next = First - 1;
            var counts = new long[3];
            Parallel.ForEach(workers, new ParallelOptions { MaxDegreeOfParallelism = workers.Length }, worker =>
            {
                for (long number; (number = Interlocked.Increment(ref next)) < First + Mutations
                    && (Seconds <= 0 || clock.Elapsed.TotalSeconds < end);)
                {
                    var content = mutator.Mutate(number);
                    worker.Begin(name, number);
                    var outcome = FuzzTarget.Read(name, content, number, out var failure);
                    worker.End();
                    Interlocked.Increment(ref counts[(int)outcome]);
                    if (failure is not null)
                    {
                        Report(name, number, content, failure);
                    }
                }
            });
            var seconds = clock.Elapsed.TotalSeconds - start;
            table.Add(name, $"{contents[i].Length}", $"{counts.Sum()}", $"{counts[0]}", $"{counts[1]}", $"{counts[2]}",
                $"{counts.Sum() / seconds:0}", $"{NativeBlock.Peak / (double)(1 << 20):0.0}");
        }

        table.Print();
        if (_failures > 0)
        {
            throw new BenchException($"{_failures} mutations failed");
        }
    }

    private static bool IsKnown(string path) => SourceKinds.OfName(path) is not null;

    private void Report(string name, long number, byte[] content, string failure)
    {
        const int Most = 20;
        lock (_gate)
        {
            if (++_failures <= Most)
            {
                Console.WriteLine($"{name}, mutation {number} of seed {Seed}: {failure}");
                if (Save is not null)
                {
                    Directory.CreateDirectory(Save);
                    var saved = $"{Path.GetFileNameWithoutExtension(name)}-{Seed}-{number}{Path.GetExtension(name)}";
                    File.WriteAllBytes(Path.Combine(Save, saved), content);
                }
            }
        }
    }

    // A thread that hangs cannot be stopped: the process reports its mutation and exits.
    private void Watch(Worker[] workers)
    {
        foreach (var worker in workers)
        {
            if (worker.Current is { } current && Stopwatch.GetElapsedTime(current.Start) > Hang)
            {
                Console.WriteLine($"{current.Name}, mutation {current.Number} of seed {Seed}: not finished after {Hang.TotalSeconds} s");
                Environment.Exit(2);
            }
        }
    }

    private sealed class Worker
    {
        private volatile Reading? _current;

        public Reading? Current => _current;

        public void Begin(string name, long number) => _current = new Reading(name, number, Stopwatch.GetTimestamp());

        public void End() => _current = null;
    }

    private sealed record Reading(string Name, long Number, long Start);
}
