using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>
/// Adds to runs what a report shows beside the files of their folders: a pass over a set of features, and a comparison of their decoders.
/// </summary>
/// <param name="context">The console.</param>
/// <param name="device">Computes.</param>
internal sealed class ReportCollector(CliContext context, Device device)
{
    private const int Neighbors = 8;
    private const int ListedPairs = 10;
    private const int ClassesPerLatent = 8;

    /// <summary>Evaluates a run on a set.</summary>
    /// <param name="run">The run as it is in its folder.</param>
    /// <param name="paths">The features.</param>
    /// <param name="name">What the set is called in the report.</param>
    /// <param name="options">Columns and labels.</param>
    /// <param name="samples">The number of samples of each rank.</param>
    /// <param name="folder">Receives them as samples.parquet; it need not exist.</param>
    /// <exception cref="DataException">The features or the weights cannot be read, or do not fit each other.</exception>
    public ReportedRun Evaluate(
        ReportedRun run, IEnumerable<string> paths, string name, FeatureSetOptions options, int samples, string folder)
    {
        var source = ModelSource.Open(run.Folder);
        var training = run.Results.Training;
        var set = FeatureOptions.OpenFor(context, source, run.Folder, paths, options with
        {
            SimilarityColumn = options.SimilarityColumn ?? training.SimilarityColumn,
        });
        using var model = source.Load(device);
        var observer = new Observer(model.Config.Latents, samples);
        var result = Evaluation.Run(
            model, set, training.BatchSize, _ => context.Stop.ThrowIfCancellationRequested(), observer: observer,
            classesPerLatent: ClassesPerLatent);
        var samplesPath = Path.Combine(Directory.CreateDirectory(folder).FullName, "samples.parquet");
        if (SamplesFile.Write(samplesPath, observer.Samples, set) is { } notice)
        {
            context.Notice([notice]);
        }

        return run with
        {
            Set = name,
            Rows = set.Rows,
            Latents = [.. result.Latents.Select((latent, i) => latent with { Names = run.Latents.ElementAtOrDefault(i).Names })],
            Classes = set.Classes,
            Samples = ReportedRun.ByLatent(SamplesFile.Read(samplesPath), result.Latents.Count),
            Details = new LatentDetails(
                observer.Activations,
                result.FrequentClasses,
                observer.CoActive.Nearest(Neighbors, context.Stop)),
            Preprocessing = set.Origin.GetValueOrDefault(FeatureOrigin.Preprocessing),
        };
    }

    /// <summary>
    /// Compares the decoder's directions of each run with each other, with those of the other runs of the same features, and with a
    /// vocabulary.
    /// </summary>
    /// <param name="runs">The runs.</param>
    /// <param name="vocabulary">The file of a vocabulary that names latents; null for the names that the run folders have.</param>
    /// <param name="vocabularyColumn">Its column of texts; null to find it.</param>
    /// <exception cref="DataException">The weights of a run or the vocabulary cannot be read.</exception>
    public IReadOnlyList<ReportedRun> CompareDecoders(
        IReadOnlyList<ReportedRun> runs, string? vocabulary = null, string? vocabularyColumn = null)
    {
        List<(float[] Rows, int Dimension)> directions = [];
        List<ReportedRun> named = [];
        foreach (var run in runs)
        {
            using var model = ModelSource.Open(run.Folder).Load(device);
            directions.Add((model.DecoderDirections(), model.Config.Dimension));
            named.Add(vocabulary is null ? run : Name(run, model, vocabulary, vocabularyColumn));
        }

        return [.. named.Select((run, number) =>
        {
            var (own, dimension) = directions[number];
            var near = NearestDirections.Find(device, own, own, dimension, Neighbors, leaveOutSelf: true, context.Stop);
            var duplicates = NearDuplicates.Of(device, own, dimension, ListedPairs, stop: context.Stop);
            var matches = directions.Index().Where(other => other.Index != number && other.Item.Dimension == dimension).Select(other =>
                (other.Index, (IReadOnlyList<Neighbor>)[.. NearestDirections.Find(
                    device, own, other.Item.Rows, dimension, count: 1, stop: context.Stop).Select(nearest => nearest[0])]));
            return run with { Decoder = new DecoderComparison(near, duplicates, [.. matches]) };
        })];
    }

    private ReportedRun Name(ReportedRun run, SparseAutoencoder model, string path, string? column)
    {
        var vocabulary = FeatureOptions.OpenVocabulary(
            context, path, column, run.Results.Training.FeaturesColumn, model.Config.Dimension);
        var names = vocabulary.NamesOf(model, stop: context.Stop);
        return run with { Latents = [.. run.Latents.Select((latent, i) => latent with { Names = names[i] })] };
    }

    /// <summary>Shows the latents of every row to all that want to see them.</summary>
    private sealed class Observer(int latents, int samples) : ILatentObserver
    {
        public LatentSamples Samples { get; } = new(latents, samples);

        public ActivationBins Activations { get; } = new(latents);

        public CoActivation CoActive { get; } = new(latents);

        public void Add(ReadOnlySpan<int> offsets, ReadOnlySpan<int> indices, ReadOnlySpan<float> values)
        {
            Samples.Add(offsets, indices, values);
            Activations.Add(offsets, indices, values);
            CoActive.Add(offsets, indices, values);
        }
    }
}
