using MonoLoss.Data.Parquet;

namespace MonoLoss.Models;

/// <summary>A row of metrics.parquet.</summary>
/// <param name="Step">The step's number, from 1.</param>
/// <param name="Epoch">The epoch it belongs to, from 1.</param>
/// <param name="Loss">What was differentiated.</param>
/// <param name="ReconstructionLoss">Mean squared error; NMSE for TopK.</param>
/// <param name="AuxLoss">Auxiliary loss: with its coefficient for BatchTopK, without for TopK.</param>
/// <param name="SparsityLoss">L1 or L0 penalty with its coefficient.</param>
/// <param name="MonoLoss">MonoLoss of the batch without its coefficient; 0 when it is off.</param>
/// <param name="MonoScore">Mean score of the batch's active latents; 0 when MonoLoss is off.</param>
/// <param name="L0">Mean number of active latents a row.</param>
/// <param name="DeadLatents">Latents silent for more than <see cref="StepOptions.DeadAfterBatches"/> batches.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="SamplesPerSecond">Rows over the step's time.</param>
public readonly record struct StepMetrics(
    long Step,
    int Epoch,
    double Loss,
    double ReconstructionLoss,
    double AuxLoss,
    double SparsityLoss,
    double MonoLoss,
    double MonoScore,
    double L0,
    int DeadLatents,
    double GradientNorm,
    double SamplesPerSecond);

/// <summary>A row of evals.parquet.</summary>
/// <param name="Epoch">The epoch it was made after, from 1.</param>
/// <param name="Split">train, val or test.</param>
/// <param name="Result">The figures.</param>
public sealed record EvaluationRow(int Epoch, string Split, EvaluationSummary Result);

/// <summary>The figures of an evaluation without its latents.</summary>
/// <param name="Mse">Mean squared error.</param>
/// <param name="Nmse">Mean over rows of Σ(recon − x)²/Σx².</param>
/// <param name="R2">Mean R² over features.</param>
/// <param name="L0">Mean number of active latents a row.</param>
/// <param name="DeadLatents">Latents that never fire.</param>
/// <param name="MonoMean">Mean MonoScore over all latents.</param>
/// <param name="MonoMedian">Their median.</param>
/// <param name="MonoP90">Their 90th percentile.</param>
/// <param name="PurityBinary">Mean binary class purity over latents that fire; null without labels.</param>
/// <param name="PurityWeighted">Mean weighted class purity over latents that fire; null without labels.</param>
public sealed record EvaluationSummary(
    double Mse,
    double Nmse,
    double R2,
    double L0,
    int DeadLatents,
    double MonoMean,
    double MonoMedian,
    double MonoP90,
    double? PurityBinary,
    double? PurityWeighted)
{
    /// <summary>The summary of an evaluation.</summary>
    public static EvaluationSummary Of(EvaluationResult result) => new(
        result.Mse,
        result.Nmse,
        result.R2,
        result.L0,
        result.DeadLatents,
        result.MonoMean,
        result.MonoMedian,
        result.MonoP90,
        result.PurityBinary,
        result.PurityWeighted);
}

/// <summary>The Parquet files of a run folder. Each is written whole, to a temporary name that is then renamed.</summary>
public static class MetricsFiles
{
    /// <summary>Writes metrics.parquet.</summary>
    public static void WriteSteps(string path, IReadOnlyList<StepMetrics> rows) => ParquetWriter.Write(path,
    [
        Column("step", rows, row => row.Step),
        Column("epoch", rows, row => row.Epoch),
        Column("loss", rows, row => row.Loss),
        Column("reconstruction_loss", rows, row => row.ReconstructionLoss),
        Column("aux_loss", rows, row => row.AuxLoss),
        Column("sparsity_loss", rows, row => row.SparsityLoss),
        Column("mono_loss", rows, row => row.MonoLoss),
        Column("mono_score", rows, row => row.MonoScore),
        Column("l0", rows, row => row.L0),
        Column("dead_latents", rows, row => row.DeadLatents),
        Column("grad_norm", rows, row => row.GradientNorm),
        Column("samples_per_second", rows, row => row.SamplesPerSecond),
    ]);

    /// <summary>Reads metrics.parquet.</summary>
    public static List<StepMetrics> ReadSteps(string path)
    {
        var table = ParquetTable.Read(path);
        var step = table.ReadIntegers("step");
        var epoch = table.ReadIntegers("epoch");
        var loss = table.ReadDoubles("loss");
        var reconstruction = table.ReadDoubles("reconstruction_loss");
        var aux = table.ReadDoubles("aux_loss");
        var sparsity = table.ReadDoubles("sparsity_loss");
        var mono = table.ReadDoubles("mono_loss");
        var score = table.ReadDoubles("mono_score");
        var l0 = table.ReadDoubles("l0");
        var dead = table.ReadIntegers("dead_latents");
        var norm = table.ReadDoubles("grad_norm");
        var speed = table.ReadDoubles("samples_per_second");
        return [.. Enumerable.Range(0, step.Length).Select(i => new StepMetrics(
            step[i], (int)epoch[i], loss[i], reconstruction[i], aux[i], sparsity[i], mono[i], score[i], l0[i], (int)dead[i], norm[i],
            speed[i]))];
    }

    /// <summary>Writes evals.parquet.</summary>
    public static void WriteEvaluations(string path, IReadOnlyList<EvaluationRow> rows) => ParquetWriter.Write(path,
    [
        Column("epoch", rows, row => row.Epoch),
        ParquetData.Create("split", rows.Select(row => row.Split).ToArray()),
        Column("mse", rows, row => row.Result.Mse),
        Column("nmse", rows, row => row.Result.Nmse),
        Column("r2", rows, row => row.Result.R2),
        Column("l0", rows, row => row.Result.L0),
        Column("dead_latents", rows, row => row.Result.DeadLatents),
        Column("mono_mean", rows, row => row.Result.MonoMean),
        Column("mono_median", rows, row => row.Result.MonoMedian),
        Column("mono_p90", rows, row => row.Result.MonoP90),
        ParquetData.Create("purity_binary", rows.Select(row => row.Result.PurityBinary).ToArray()),
        ParquetData.Create("purity_weighted", rows.Select(row => row.Result.PurityWeighted).ToArray()),
    ]);

    /// <summary>Reads evals.parquet.</summary>
    public static List<EvaluationRow> ReadEvaluations(string path)
    {
        var table = ParquetTable.Read(path);
        var epoch = table.ReadIntegers("epoch");
        var split = table.ReadTexts("split");
        var mse = table.ReadDoubles("mse");
        var nmse = table.ReadDoubles("nmse");
        var r2 = table.ReadDoubles("r2");
        var l0 = table.ReadDoubles("l0");
        var dead = table.ReadIntegers("dead_latents");
        var mean = table.ReadDoubles("mono_mean");
        var median = table.ReadDoubles("mono_median");
        var p90 = table.ReadDoubles("mono_p90");
        var binary = table.ReadNullableDoubles("purity_binary");
        var weighted = table.ReadNullableDoubles("purity_weighted");
        return [.. Enumerable.Range(0, epoch.Length).Select(i => new EvaluationRow((int)epoch[i], split[i] ?? "", new EvaluationSummary(
            mse[i], nmse[i], r2[i], l0[i], (int)dead[i], mean[i], median[i], p90[i], binary[i], weighted[i])))];
    }

    /// <summary>Writes latents.parquet.</summary>
    /// <param name="path">The file.</param>
    /// <param name="latents">Every latent in order.</param>
    /// <param name="classes">The labels' texts; empty without labels.</param>
    /// <param name="integerLabels">Whether the labels are integers, and dominant_label is one.</param>
    public static void WriteLatents(string path, IReadOnlyList<LatentResult> latents, IReadOnlyList<string> classes, bool integerLabels)
    {
        int? Dominant(LatentResult row) => row.Purity is { DominantClass: >= 0 } purity ? purity.DominantClass : null;
        ParquetWriter.Write(path,
        [
            ParquetData.Create("latent", Enumerable.Range(0, latents.Count).ToArray()),
            Column("mono_score", latents, row => row.MonoScore),
            Column("activation_count", latents, row => row.ActivationCount),
            Column("activation_mean", latents, row => row.ActivationMean),
            Column("activation_max", latents, row => row.ActivationMax),
            integerLabels
                ? ParquetData.Create(
                    "dominant_label", latents.Select(row => Dominant(row) is { } c ? long.Parse(classes[c]) : (long?)null).ToArray())
                : ParquetData.Create(
                    "dominant_label", latents.Select(row => Dominant(row) is { } c ? classes[c] : null).ToArray(), nullable: true),
            ParquetData.Create("purity_binary", latents.Select(row => row.Purity?.Binary).ToArray()),
            ParquetData.Create("purity_weighted", latents.Select(row => row.Purity?.Weighted).ToArray()),
        ]);
    }

    private static ParquetData Column<TRow, T>(string name, IReadOnlyList<TRow> rows, Func<TRow, T> value)
        where T : unmanaged
    {
        var values = new T[rows.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = value(rows[i]);
        }

        return ParquetData.Create(name, values);
    }
}
