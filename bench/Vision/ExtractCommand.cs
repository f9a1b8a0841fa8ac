using System.Diagnostics;
using CommandLine;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MonoLoss.Vision;

namespace MonoLoss.Bench;

/// <summary>
/// Images per second of <c>monoloss extract</c> beside those of ONNX Runtime alone, which is given tensors that are already prepared: one
/// after another on all cores, and on as many threads as extract uses. The three take turns.
/// </summary>
[Verb("extract", HelpText = "Images per second of extract, and of ONNX Runtime alone on prepared tensors.")]
internal sealed class ExtractCommand : MeasuringCommand
{
    private const int Channels = 3;

    [Option("images", Required = true, HelpText = "Images, as extract reads them.")]
    public IEnumerable<string> Images { get; set; } = [];

    [Option("model", Required = true, HelpText = "The network: an ONNX file with one input of fixed size and one output.")]
    public string Model { get; set; } = string.Empty;

    [Option("preset", Default = "resnet", HelpText = "How images are prepared")]
    public string Preset { get; set; } = string.Empty;

    [Option("count", Default = 400, HelpText = "Prepared images for each measurement of ONNX Runtime alone.")]
    public int Count { get; set; }

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        List<double> extract = [], serial = [], parallel = [];
        for (var round = 0; round < RoundsOr(5); round++)
        {
            extract.Add(Extract());
            serial.Add(Alone(workers: 1, ThreadCount));
            parallel.Add(Alone(ThreadCount, 1));
        }

        var (ours, best) = (Timing.Median(extract), Math.Max(Timing.Median(serial), Timing.Median(parallel)));
        Console.WriteLine(FormattableString.Invariant($"extract                              {ours:0.0} images/s"));
        Console.WriteLine(FormattableString.Invariant($"ONNX Runtime, one image on all cores {Timing.Median(serial):0.0} images/s"));
        Console.WriteLine(FormattableString.Invariant($"ONNX Runtime, one image per core     {Timing.Median(parallel):0.0} images/s"));
        Console.WriteLine(FormattableString.Invariant($"extract / the faster of these        {ours / best:0.00}"));
    }

    /// <summary>The whole of extract, from files to features.</summary>
    private double Extract()
    {
        var folder = Directory.CreateTempSubdirectory("monoloss-bench-").FullName;
        try
        {
            using var extraction = Extraction.Open(new ExtractionOptions
            {
                Sources = ImageSources.Open(Images, null, null),
                Model = Model,
                OutputPath = Path.Combine(folder, "features.parquet"),
                Preprocessor = Presets.Find(Preset) ?? throw new BenchException($"--preset: no such preset: {Preset}"),
                Threads = ThreadCount,
            });
            var clock = Stopwatch.StartNew();
            var result = extraction.Run(_ => { }, CancellationToken.None);
            return result.Images / clock.Elapsed.TotalSeconds;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The network alone, again and again on one prepared image for each worker.</summary>
    private double Alone(int workers, int threads)
    {
        using var options = new SessionOptions { IntraOpNumThreads = threads, InterOpNumThreads = 1 };
        using var session = new InferenceSession(Model, options);
        var (name, input) = session.InputMetadata.First();
        int[] shape = [1, Channels, input.Dimensions[2], input.Dimensions[3]];
        var random = new Random(1);
        var prepared = Enumerable.Range(0, workers).Select(_ => new DenseTensor<float>(
            Enumerable.Range(0, shape[1] * shape[2] * shape[3]).Select(_ => (random.NextSingle() * 4) - 2).ToArray(), shape)).ToList();
        void Run(int worker)
        {
            using var outputs = session.Run([NamedOnnxValue.CreateFromTensor(name, prepared[worker])]);
        }

        Parallel.For(0, workers, Run);
        var clock = Stopwatch.StartNew();
        var running = Enumerable.Range(0, workers).Select(worker => new Thread(() =>
        {
            for (var i = 0; i < Count / workers; i++)
            {
                Run(worker);
            }
        })).ToList();
        running.ForEach(thread => thread.Start());
        running.ForEach(thread => thread.Join());
        return Count / workers * workers / clock.Elapsed.TotalSeconds;
    }
}
