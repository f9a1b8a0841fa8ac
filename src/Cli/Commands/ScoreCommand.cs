using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Models;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>Computes the MonoScore of any activations, an autoencoder's or not.</summary>
[Verb("score", HelpText = "Compute the MonoScore of any activations, given the features they belong to.")]
internal sealed class ScoreCommand : DeviceCommand
{
    // Floats per chunk, so that features and activations together take tens of megabytes.
    private const int FloatsPerChunk = 1 << 22;

    private static readonly string[] Formats = [".json", ".parquet"];

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    [Section("Input (row i of the activations belongs to row i of the features)")]
    [Option("features", Required = true, MetaValue = "PATH…", HelpText = "Features: " + FeatureOptions.Paths)]
    public IEnumerable<string> Features { get; set; } = [];

    [Option("activations", Required = true, MetaValue = "PATH…", HelpText = "Activations of any sign, in the same formats.")]
    public IEnumerable<string> Activations { get; set; } = [];

    [Option("features-column", MetaValue = "NAME", HelpText = FeatureOptions.ColumnHelp)]
    public string? FeaturesColumn { get; set; }

    [Option("similarity-column", MetaValue = "NAME", HelpText =
        "Column of the embeddings to compare, where the files have features too; the same as --features-column")]
    public string? SimilarityColumn { get; set; }

    [Option("activations-column", MetaValue = "NAME", HelpText = "The same for the activations")]
    public string? ActivationsColumn { get; set; }

    [Option("rows", Default = "raw", MetaValue = "KIND", HelpText =
        RowScaling.Help + ": a score compares directions, so this matters only for rows shorter than 1e-8")]
    public string Rows { get; set; } = string.Empty;

    [Section("Method")]
    [Option("method", Default = "linear", MetaValue = "NAME", HelpText =
        "linear = one pass in constant memory; pairwise = all pairs of rows, in float64 and in memory, as a check")]
    public string Method { get; set; } = string.Empty;

    [Option("undefined", Default = "zero", MetaValue = "KIND", HelpText = UndefinedScore.Help)]
    public string Undefined { get; set; } = string.Empty;

    [Section("Output")]
    [Option("out", MetaValue = "FILE", HelpText =
        "Also write the results to FILE: a summary if it ends in .json, one row per latent (latent, mono_score) if in .parquet.")]
    public string? Output { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        if (Method is not ("linear" or "pairwise"))
        {
            throw new UsageException($"--method: found '{Method}', expected linear or pairwise");
        }

        if (SimilarityColumn is not null && FeaturesColumn is not null)
        {
            throw new UsageException("--similarity-column cannot be combined with --features-column: a score compares one of them");
        }

        var undefined = UndefinedScore.Parse(Undefined);
        OutputFile.Check(Output, Formats, []);
        var features = Open(Features, SimilarityColumn ?? FeaturesColumn, RowScaling.UnitRows(Rows) == true);
        var activations = OpenActivations();
        context.Notice(features.Notices.Select(notice => $"features: {notice}"));
        context.Notice(activations.Notices.Select(notice => $"activations: {notice}"));
        if (features.Rows != activations.Rows)
        {
            throw new DataException($"{activations.Files[0]}: {activations.Rows} rows of activations, expected {features.Rows}, "
                + "one per row of features");
        }

        var format = OutputFile.Check(Output, Formats, features.Files.Concat(activations.Files));
        var clock = Stopwatch.StartNew();
        var scores = Method == "linear" ? Linear(features, activations, undefined, context.Stop)
            : Pairwise(features, activations, undefined, context.Stop);
        var seconds = clock.Elapsed.TotalSeconds;
        var distribution = ScoreStatistics.Of(scores);
        var summary = new Summary(
            features.Rows,
            scores.Length,
            scores.Count(score => score != 0 && !double.IsNaN(score)),
            distribution.Mean,
            distribution.Median,
            distribution.P90);
        switch (format)
        {
            case ".json":
                AtomicFile.WriteAllText(Output!, JsonSerializer.Serialize(summary, Json) + "\n");
                break;
            case ".parquet":
                ParquetWriter.Write(Output!,
                [
                    ParquetData.Create("latent", Enumerable.Range(0, scores.Length).ToArray()), ParquetData.Create("mono_score", scores),
                ]);
                break;
        }

        var table = new Table();
        string[] names = ["rows", "latents", "active", "MonoScore", "median", "p90", "seconds"];
        foreach (var name in names)
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        table.AddRow(
            ProgressFormat.Format(summary.Rows),
            ProgressFormat.Format(summary.Latents),
            ProgressFormat.Format(summary.Active),
            ResultTable.Number(summary.MonoMean),
            ResultTable.Number(summary.MonoMedian),
            ResultTable.Number(summary.MonoP90),
            FormattableString.Invariant($"{seconds:0.00}"));
        context.Write(table);
        return ExitCode.Success;
    }

    private static FeatureSet Open(IEnumerable<string> paths, string? column, bool unitRows = false) =>
        FeatureSet.Open(paths, new FeatureSetOptions { FeaturesColumn = column, ReadLabels = false, Normalize = unitRows });

    private FeatureSet OpenActivations()
    {
        try
        {
            return Open(Activations, ActivationsColumn);
        }
        catch (DataException exception) when (exception.Property == nameof(FeatureSetOptions.FeaturesColumn))
        {
            // The activations are read as features are, but their column has its own option.
            throw new DataException(
                exception.Message.Replace(exception.Property, nameof(ActivationsColumn), StringComparison.Ordinal),
                exception,
                nameof(ActivationsColumn));
        }
    }

    private double[] Linear(FeatureSet features, FeatureSet activations, double undefined, CancellationToken stop)
    {
        using var device = OpenDevice();
        var (d, m) = (features.Dimension, activations.Dimension);
        using var accumulator = new MonoScoreAccumulator(device, m, d);
        using var x = device.Tensor(0, 0);
        using var z = device.CsrMatrix();
        using var featureReader = features.OpenReader();
        using var activationReader = activations.OpenReader();
        var chunk = (int)Math.Clamp(FloatsPerChunk / Math.Max(d, m), 1, features.Rows);
        var featureRows = new float[checked(chunk * d)];
        var activationRows = new float[checked(chunk * m)];
        int rows;
        while ((rows = featureReader.Read(featureRows)) > 0)
        {
            stop.ThrowIfCancellationRequested();
            activationReader.Read(activationRows.AsSpan(0, rows * m));
            x.Resize(rows, d);
            x.Set(featureRows.AsSpan(0, rows * d));
            z.Set(activationRows.AsSpan(0, rows * m), rows, m);
            accumulator.Add(z, x);
        }

        return accumulator.Scores(undefined);
    }

    private static double[] Pairwise(FeatureSet features, FeatureSet activations, double undefined, CancellationToken stop) =>
        PairwiseMonoScore.Compute(ReadAll(features), features.Dimension, ReadAll(activations), activations.Dimension, undefined, stop);

    private static float[] ReadAll(FeatureSet set)
    {
        if (set.Rows * set.Dimension > Array.MaxLength)
        {
            throw new DataException($"{set.Files[0]}: {set.Rows} rows of {set.Dimension} values are too many for --method pairwise");
        }

        var values = new float[set.Rows * set.Dimension];
        using var reader = set.OpenReader();
        reader.Read(values);
        return values;
    }

    /// <summary>The content of --out FILE.json.</summary>
    private sealed record Summary(long Rows, int Latents, int Active, double MonoMean, double MonoMedian, double MonoP90);
}
