using System.Globalization;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Models;

/// <summary>The Parquet files of a run folder. Each is written completely, to a temporary name that is then renamed.</summary>
public static class MetricsFiles
{
    private const string Silent = "silent_latents";

    // Until version 0.2 the column had the name that metrics.parquet has for latents that are dead by --dead-after.
    private const string FormerSilent = "dead_latents";

    /// <summary>Writes metrics.parquet.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rows">All steps in order.</param>
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
        ParquetData.Create("learning_rate", rows.Select(row => row.LearningRate).ToArray()),
        ParquetData.Create("l1_coef", rows.Select(row => row.L1Coefficient).ToArray()),
        ParquetData.Create("mono_coef", rows.Select(row => row.MonoCoefficient).ToArray()),
        ParquetData.Create("k", rows.Select(row => row.K).ToArray()),
    ]);

    /// <summary>Reads metrics.parquet.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataException">The file is missing or damaged.</exception>
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
        var (rate, l1Coefficient, monoCoefficient) = (Doubles("learning_rate"), Doubles("l1_coef"), Doubles("mono_coef"));
        var k = table.Columns.Contains("k") ? table.ReadNullableIntegers("k") : null;
        return [.. Enumerable.Range(0, step.Length).Select(i => new StepMetrics(
            step[i], (int)epoch[i], loss[i], reconstruction[i], aux[i], sparsity[i], mono[i], score[i], l0[i], (int)dead[i], norm[i],
            speed[i])
        {
            LearningRate = rate?[i],
            L1Coefficient = l1Coefficient?[i],
            MonoCoefficient = monoCoefficient?[i],
            K = (int?)k?[i],
        })];

        // Files of earlier versions do not have these.
        double?[]? Doubles(string name) => table.Columns.Contains(name) ? table.ReadNullableDoubles(name) : null;
    }

    /// <summary>Writes evals.parquet.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rows">All evaluations in order.</param>
    public static void WriteEvaluations(string path, IReadOnlyList<EvaluationRow> rows) => ParquetWriter.Write(path,
    [
        Column("epoch", rows, row => row.Epoch),
        ParquetData.Create("split", rows.Select(row => row.Split).ToArray()),
        Column("mse", rows, row => row.Result.Mse),
        Column("nmse", rows, row => row.Result.Nmse),
        Column("r2", rows, row => row.Result.R2),
        ParquetData.Create("fvu", rows.Select(row => row.Result.Fvu).ToArray()),
        Column("l0", rows, row => row.Result.L0),
        Column(Silent, rows, row => row.Result.SilentLatents),
        Column("mono_mean", rows, row => row.Result.MonoMean),
        Column("mono_median", rows, row => row.Result.MonoMedian),
        Column("mono_p90", rows, row => row.Result.MonoP90),
        ParquetData.Create("purity_binary", rows.Select(row => row.Result.PurityBinary).ToArray()),
        ParquetData.Create("purity_weighted", rows.Select(row => row.Result.PurityWeighted).ToArray()),
    ]);

    /// <summary>Reads evals.parquet.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataException">The file is missing or damaged.</exception>
    public static List<EvaluationRow> ReadEvaluations(string path)
    {
        var table = ParquetTable.Read(path);
        var epoch = table.ReadIntegers("epoch");
        var split = table.ReadTexts("split");
        var mse = table.ReadDoubles("mse");
        var nmse = table.ReadDoubles("nmse");
        var r2 = table.ReadDoubles("r2");
        var l0 = table.ReadDoubles("l0");
        var silent = table.ReadIntegers(table.Columns.Contains(Silent) ? Silent : FormerSilent);
        var mean = table.ReadDoubles("mono_mean");
        var median = table.ReadDoubles("mono_median");
        var p90 = table.ReadDoubles("mono_p90");
        var binary = table.ReadNullableDoubles("purity_binary");
        var weighted = table.ReadNullableDoubles("purity_weighted");
        var fvu = table.Columns.Contains("fvu") ? table.ReadNullableDoubles("fvu") : new double?[epoch.Length];
        return [.. Enumerable.Range(0, epoch.Length).Select(i => new EvaluationRow((int)epoch[i], split[i] ?? "", new EvaluationSummary(
            mse[i], nmse[i], r2[i], l0[i], (int)silent[i], mean[i], median[i], p90[i], binary[i], weighted[i], fvu[i])))];
    }

    /// <summary>Writes latents.parquet.</summary>
    /// <param name="path">The file.</param>
    /// <param name="latents">All latents in order.</param>
    /// <param name="classes">The labels as they are shown; empty without labels.</param>
    /// <param name="numbers">
    /// The number of each label, if labels are integers. Where they are shown by names, dominant_label has the name, and
    /// dominant_label_number the number; else dominant_label is an integer column.
    /// </param>
    /// <param name="hasNames">Whether integer labels are shown by names.</param>
    public static void WriteLatents(
        string path, IReadOnlyList<LatentResult> latents, IReadOnlyList<string> classes, IReadOnlyList<long>? numbers, bool hasNames)
    {
        var dominant = latents.Select(row => row.Purity?.DominantClass).ToArray();
        ParquetData Texts(string name) =>
            ParquetData.Create(name, dominant.Select(c => c is { } label ? classes[label] : null).ToArray(), nullable: true);
        ParquetData Integers(string name) =>
            ParquetData.Create(name, dominant.Select(c => c is { } label ? numbers![label] : (long?)null).ToArray());
        List<ParquetData> columns =
        [
            ParquetData.Create("latent", Enumerable.Range(0, latents.Count).ToArray()),
            Column("mono_score", latents, row => row.MonoScore),
            Column("activation_count", latents, row => row.ActivationCount),
            Column("activation_mean", latents, row => row.ActivationMean),
            Column("activation_max", latents, row => row.ActivationMax),
            numbers is null || hasNames ? Texts("dominant_label") : Integers("dominant_label"),
            ParquetData.Create("purity_binary", latents.Select(row => row.Purity?.Binary).ToArray()),
            ParquetData.Create("purity_weighted", latents.Select(row => row.Purity?.Weighted).ToArray()),
        ];
        if (numbers is not null && hasNames)
        {
            columns.Add(Integers("dominant_label_number"));
        }

        ParquetWriter.Write(path, columns);
    }

    /// <summary>Reads latents.parquet.</summary>
    /// <param name="path">The file.</param>
    /// <returns>All latents in order, and the texts of the labels that dominate one; no texts without labels.</returns>
    /// <exception cref="DataException">The file is missing or damaged.</exception>
    public static (List<LatentResult> Latents, IReadOnlyList<string> Classes) ReadLatents(string path)
    {
        var table = ParquetTable.Read(path);
        var score = table.ReadDoubles("mono_score");
        var count = table.ReadIntegers("activation_count");
        var mean = table.ReadDoubles("activation_mean");
        var max = table.ReadDoubles("activation_max");
        var labels = table.IsText("dominant_label")
            ? table.ReadTexts("dominant_label")
            : Array.ConvertAll(table.ReadNullableIntegers("dominant_label"), label => label?.ToString(CultureInfo.InvariantCulture));
        var binary = table.ReadNullableDoubles("purity_binary");
        var weighted = table.ReadNullableDoubles("purity_weighted");
        var classes = new Dictionary<string, int>();
        LatentPurity? Purity(int i) => binary[i] is { } share && weighted[i] is { } mass
            ? new LatentPurity(labels[i] is { } label ? Class(label) : -1, share, mass)
            : null;
        int Class(string label) => classes.TryAdd(label, classes.Count) ? classes.Count - 1 : classes[label];
        return ([.. Enumerable.Range(0, score.Length).Select(i => new LatentResult(score[i], count[i], mean[i], max[i], Purity(i)))],
            [.. classes.Keys]);
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
