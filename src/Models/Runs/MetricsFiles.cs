using System.Globalization;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Models;

/// <summary>The Parquet files of a run folder. Each is written completely, to a temporary name that is then renamed.</summary>
public static class MetricsFiles
{
    private const string Label = "dominant_label";
    private const string LabelNumber = "dominant_label_number";
    private const string Centered = "_centered";
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
            numbers is null || hasNames ? Texts(Label) : Integers(Label),
            ParquetData.Create("purity_binary", latents.Select(row => row.Purity?.Binary).ToArray()),
            ParquetData.Create("purity_weighted", latents.Select(row => row.Purity?.Weighted).ToArray()),
        ];
        if (numbers is not null && hasNames)
        {
            columns.Add(Integers(LabelNumber));
        }

        if (latents.Any(latent => latent.Names is not null))
        {
            columns.AddRange(Names(string.Empty, latents, names => names.Plain));
            columns.AddRange(Names(Centered, latents, names => names.Centered));
        }

        ParquetWriter.Write(path, columns);
    }

    /// <summary>Gives the latents of a latents.parquet other names, and leaves all else in it as it is.</summary>
    /// <param name="path">The file.</param>
    /// <param name="names">One entry per latent.</param>
    /// <exception cref="DataException">The file is missing or damaged, has another number of latents, or cannot be written.</exception>
    public static void ReplaceNames(string path, IReadOnlyList<LatentNames?> names)
    {
        var (latents, classes) = ReadLatents(path);
        if (latents.Count != names.Count)
        {
            throw new DataException($"{path}: {latents.Count} latents, expected {names.Count}");
        }

        var table = ParquetTable.Read(path);
        var hasNames = table.Columns.Contains(LabelNumber);
        long[]? numbers = null;
        if (hasNames)
        {
            var each = table.ReadNullableIntegers(LabelNumber);
            numbers = new long[classes.Count];
            foreach (var (i, latent) in latents.Index().Where(latent => latent.Item.Purity is { DominantClass: >= 0 }))
            {
                numbers[latent.Purity!.Value.DominantClass] = each[i] ?? 0;
            }
        }
        else if (!table.IsText(Label))
        {
            numbers = [.. classes.Select(label => long.Parse(label, CultureInfo.InvariantCulture))];
        }

        WriteLatents(path, [.. latents.Select((latent, i) => latent with { Names = names[i] })], classes, numbers, hasNames);
    }

    /// <summary>Reads latents.parquet.</summary>
    /// <param name="path">The file.</param>
    /// <returns>
    /// All latents in order, and the texts of the labels that dominate one; no texts without labels. Of names only the nearest of each kind
    /// comes back.
    /// </returns>
    /// <exception cref="DataException">The file is missing or damaged.</exception>
    public static (List<LatentResult> Latents, IReadOnlyList<string> Classes) ReadLatents(string path)
    {
        var table = ParquetTable.Read(path);
        var score = table.ReadDoubles("mono_score");
        var count = table.ReadIntegers("activation_count");
        var mean = table.ReadDoubles("activation_mean");
        var max = table.ReadDoubles("activation_max");
        var labels = table.IsText(Label)
            ? table.ReadTexts(Label)
            : Array.ConvertAll(table.ReadNullableIntegers(Label), label => label?.ToString(CultureInfo.InvariantCulture));
        var binary = table.ReadNullableDoubles("purity_binary");
        var weighted = table.ReadNullableDoubles("purity_weighted");
        var classes = new Dictionary<string, int>();
        LatentPurity? Purity(int i) => binary[i] is { } share && weighted[i] is { } mass
            ? new LatentPurity(labels[i] is { } label ? Class(label) : -1, share, mass)
            : null;
        int Class(string label) => classes.TryAdd(label, classes.Count) ? classes.Count - 1 : classes[label];
        var (plain, centered) = (ReadNames(table, string.Empty), ReadNames(table, Centered));
        return (
            [
                .. Enumerable.Range(0, score.Length).Select(i => new LatentResult(score[i], count[i], mean[i], max[i], Purity(i))
                {
                    Names = plain[i] is { } name && centered[i] is { } other ? new LatentNames([name], [other]) : null,
                }),
            ],
            [.. classes.Keys]);
    }

    /// <summary>The columns of one kind of names: the nearest text, its cosine, and the nearest few with commas between them.</summary>
    private static IEnumerable<ParquetData> Names(
        string kind, IReadOnlyList<LatentResult> latents, Func<LatentNames, IReadOnlyList<NearText>> of)
    {
        var names = latents.Select(latent => latent.Names is { } both ? of(both) : null).ToArray();
        yield return ParquetData.Create($"name{kind}", Array.ConvertAll(names, texts => texts?[0].Text), nullable: true);
        yield return ParquetData.Create($"name{kind}_cosine", Array.ConvertAll(names, texts => texts?[0].Cosine));
        yield return ParquetData.Create(
            $"names{kind}",
            Array.ConvertAll(names, texts => texts is null ? null : string.Join(", ", texts.Select(near => near.Text))),
            nullable: true);
    }

    private static NearText?[] ReadNames(ParquetTable table, string kind)
    {
        var (name, cosine) = ($"name{kind}", $"name{kind}_cosine");
        return table.Columns.Contains(name) && table.Columns.Contains(cosine)
            ?
            [
                .. table.ReadTexts(name).Zip(
                    table.ReadNullableDoubles(cosine),
                    (text, near) => text is not null && near is { } value ? new NearText(text, value) : (NearText?)null),
            ]
            : new NearText?[table.Rows];
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
