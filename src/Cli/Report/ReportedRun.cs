using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>A run as a report shows it.</summary>
internal sealed record ReportedRun
{
    /// <summary>Its folder, as given.</summary>
    public required string Folder { get; init; }

    /// <summary>What it is called in the report.</summary>
    public required string Name { get; init; }

    /// <summary>The index of its color and of its pattern.</summary>
    public required int Color { get; init; }

    /// <summary>The run as its folder has it.</summary>
    public required CompletedRun Completed { get; init; }

    /// <summary>What the figures of latents are of: a split, or the files that were evaluated for the report.</summary>
    public required string Set { get; init; }

    /// <summary>Number of rows of that set; 0 if there is none.</summary>
    public required long Rows { get; init; }

    /// <summary>The latents on that set; empty if nothing was evaluated.</summary>
    public required IReadOnlyList<LatentResult> Latents { get; init; }

    /// <summary>The texts of labels, by <see cref="LatentPurity.DominantClass"/>.</summary>
    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>The samples of each latent; empty if there are none.</summary>
    public IReadOnlyList<IReadOnlyList<StoredSample>> Samples { get; init; } = [];

    /// <summary>How the images were prepared that the features are of; null if the features do not say.</summary>
    public string? Preprocessing { get; init; }

    /// <summary>What only a pass over the set gives; null without one.</summary>
    public LatentDetails? Details { get; init; }

    /// <summary>What the decoder says of latents; null where it was not compared.</summary>
    public DecoderComparison? Decoder { get; init; }

    /// <summary>The settings and final figures.</summary>
    public TrainingResults Results => Completed.Results;

    /// <summary>The label that dominates a latent; a dash if none does.</summary>
    public string Label(LatentPurity? purity) => purity is { DominantClass: >= 0 and var label } ? Classes[label] : "–";

    /// <summary>The run with what its folder says of its last evaluation.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="name">What the run is called.</param>
    /// <param name="color">The index of its color.</param>
    /// <param name="run">The run.</param>
    public static ReportedRun FromFolder(string folder, string name, int color, CompletedRun run)
    {
        var last = run.Results.Splits.LastOrDefault();
        return new ReportedRun
        {
            Folder = folder,
            Name = name,
            Color = color,
            Completed = run,
            Set = last.Key ?? string.Empty,
            // L0 is the mean of what the counts are the sums of.
            Rows = last.Value is { L0: > 0 } split ? (long)Math.Round(run.Latents.Sum(latent => latent.ActivationCount) / split.L0) : 0,
            // Of names the file has only the nearest of each kind.
            Latents = [.. run.Latents.Select(latent => latent with
            {
                Names = latent.Names is { } names ? new LatentNames([names.Plain[0]], [names.Centered[0]]) : null,
            })],
            Classes = run.Classes,
        };
    }

    /// <summary>The run with the samples that its folder has.</summary>
    /// <param name="best">The latents whose samples are wanted, those of the highest MonoScore; null for all.</param>
    /// <exception cref="Data.DataException">samples.parquet is damaged.</exception>
    public ReportedRun WithStoredSamples(int? best)
    {
        var samples = new RunFolder(Folder).Samples;
        if (Latents.Count == 0 || !File.Exists(samples))
        {
            return this;
        }

        var wanted = best is null ? null : ReportData.Shown(this, best).Concat(ReportSections.Exemplars(this)).ToHashSet();
        return this with { Samples = ByLatent(SamplesFile.Read(samples, wanted), Latents.Count) };
    }

    /// <summary>Samples of each latent.</summary>
    /// <param name="samples">All of them.</param>
    /// <param name="latents">M; samples of other latents are left out.</param>
    public static IReadOnlyList<IReadOnlyList<StoredSample>> ByLatent(IReadOnlyList<StoredSample> samples, int latents)
    {
        var byLatent = samples.ToLookup(sample => sample.Latent);
        return [.. Enumerable.Range(0, latents).Select(latent => (IReadOnlyList<StoredSample>)[.. byLatent[latent]])];
    }
}

/// <summary>What a pass over a set says of each latent beside its figures.</summary>
/// <param name="Activations">Histograms of activations.</param>
/// <param name="Classes">The most frequent classes; null without labels.</param>
/// <param name="CoActive">The latents that fire on the same rows.</param>
internal sealed record LatentDetails(
    ActivationBins Activations, IReadOnlyList<IReadOnlyList<ClassCount>>? Classes, IReadOnlyList<CoActive>[] CoActive);
