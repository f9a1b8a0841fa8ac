using System.Diagnostics;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Kernels;
using MonoLoss.Models;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>MonoScore of any activations.</summary>
[Verb("score", HelpText = "MonoScore of any activations, an autoencoder's or not, beside features.")]
internal sealed class ScoreCommand : Command
{
    // Floats of one chunk: features and activations together stay in tens of megabytes.
    private const int FloatsPerChunk = 1 << 22;

    [Section("Input: row i of one belongs to row i of the other")]
    [Option("features", Required = true, MetaValue = "PATH…", HelpText = "Features: Parquet files, folders or patterns.")]
    public IEnumerable<string> Features { get; set; } = [];

    [Option("activations", Required = true, MetaValue = "PATH…", HelpText = "Activations of any sign: Parquet files, folders or patterns.")]
    public IEnumerable<string> Activations { get; set; } = [];

    [Option("features-column", MetaValue = "NAME", HelpText =
        "Column of float lists, or a pattern such as 'f*' over one float column a dimension [the only column of lists]")]
    public string? FeaturesColumn { get; set; }

    [Option("activations-column", MetaValue = "NAME", HelpText = "The same for the activations.")]
    public string? ActivationsColumn { get; set; }

    [Section("Method")]
    [Option("method", Default = "linear", MetaValue = "NAME", HelpText =
        "linear: one pass, in constant memory; pairwise: all pairs of rows in float64 with everything in memory, to check")]
    public string Method { get; set; } = string.Empty;

    [Option("device", Default = "auto", MetaValue = "NAME", HelpText =
        DeviceFactory.Names + "; monoloss devices lists them")]
    public string DeviceName { get; set; } = string.Empty;

    [Option("tf32", HelpText = "Round the factors of dense products to TF32: faster on NVIDIA GPUs (compute capability 8.0 on).")]
    public bool Tf32 { get; set; }

    [Option("threads", Default = 0, MetaValue = "N", HelpText = "Threads of the linear method; 0: one a core")]
    public int Threads { get; set; }

    [Section("Output")]
    [Option("out", MetaValue = "FILE", HelpText = "Write the score of every latent to this Parquet file: latent, mono_score.")]
    public string? Output { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        if (Method is not ("linear" or "pairwise"))
        {
            throw new UsageException($"--method: found '{Method}', expected linear or pairwise");
        }

        var features = Open(Features, FeaturesColumn);
        var activations = Open(Activations, ActivationsColumn);
        if (features.Rows != activations.Rows)
        {
            throw new DataException($"{activations.Files[0]}: there are {activations.Rows} rows of activations, "
                + $"expected {features.Rows} as of features");
        }

        var clock = Stopwatch.StartNew();
        var scores = Method == "linear" ? Linear(features, activations, context.Stop) : Pairwise(features, activations, context.Stop);
        var seconds = clock.Elapsed.TotalSeconds;
        if (Output is not null)
        {
            ParquetWriter.Write(Output,
            [
                ParquetData.Create("latent", Enumerable.Range(0, scores.Length).ToArray()), ParquetData.Create("mono_score", scores),
            ]);
        }

        var sorted = scores.Order().ToArray();
        var table = new Table();
        string[] names = ["rows", "latents", "active", "MonoScore", "median", "p90", "seconds"];
        foreach (var name in names)
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        table.AddRow(
            ProgressFormat.Format(features.Rows),
            ProgressFormat.Format(scores.Length),
            ProgressFormat.Format(scores.Count(score => score != 0)),
            ResultTable.Number(scores.Average()),
            ResultTable.Number(Evaluation.Percentile(sorted, 0.5)),
            ResultTable.Number(Evaluation.Percentile(sorted, 0.9)),
            FormattableString.Invariant($"{seconds:0.00}"));
        context.Write(table);
        return ExitCode.Success;
    }

    private static FeatureSet Open(IEnumerable<string> paths, string? column) =>
        FeatureSet.Open(paths, new FeatureSetOptions { FeaturesColumn = column, ReadLabels = false, Normalize = false });

    private double[] Linear(FeatureSet features, FeatureSet activations, CancellationToken stop)
    {
        using var device = DeviceFactory.Open(DeviceName, Threads, Tf32);
        var (d, m) = (features.Dimension, activations.Dimension);
        using var sums = new MonoScoreSums(device, m, d);
        using var x = device.Tensor(0, 0);
        using var norms = device.Allocate<double>(0);
        using var scores = device.Allocate<double>(m);
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
            device.RowNorms(x, norms);
            device.BuildColumnIndex(z);
            device.AccumulateMonoScore(z, x, norms, sums);
        }

        device.FinishMonoScore(sums, scores);
        return scores.ToArray();
    }

    private static double[] Pairwise(FeatureSet features, FeatureSet activations, CancellationToken stop) =>
        PairwiseMonoScore.Compute(ReadAll(features), features.Dimension, ReadAll(activations), activations.Dimension, stop);

    private static float[] ReadAll(FeatureSet set)
    {
        if (set.Rows * set.Dimension > Array.MaxLength)
        {
            throw new DataException($"{set.Files[0]}: {set.Rows} rows of {set.Dimension} are too many for --method pairwise");
        }

        var values = new float[set.Rows * set.Dimension];
        using var reader = set.OpenReader();
        reader.Read(values);
        return values;
    }
}
