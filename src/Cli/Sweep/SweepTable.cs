using System.Globalization;
using System.Text;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>
/// The table of a sweep, made of its run folders alone: whoever has trained the runs, and however often that was interrupted, the table is
/// the same.
/// </summary>
internal sealed class SweepTable
{
    private static readonly (string Name, Func<EvaluationSummary, double?> Value)[] Figures =
    [
        ("r2", result => result.R2), ("fvu", result => result.Fvu), ("l0", result => result.L0),
        ("silent_latents", result => result.SilentLatents), ("mono_mean", result => result.MonoMean),
        ("mono_median", result => result.MonoMedian), ("mono_p90", result => result.MonoP90),
        ("purity_binary", result => result.PurityBinary), ("purity_weighted", result => result.PurityWeighted),
    ];

    private SweepTable(IReadOnlyList<SweepRow> rows) => Rows = rows;

    /// <summary>The lines, in the order of the recipe.</summary>
    public IReadOnlyList<SweepRow> Rows { get; }

    /// <summary>Makes the table.</summary>
    /// <param name="context">Where notices go; its request to stop ends the computation.</param>
    /// <param name="runs">The runs of the recipe.</param>
    /// <param name="maxR2Loss">The R² that a weight of MonoLoss may lose.</param>
    public static SweepTable Of(CliContext context, IReadOnlyList<PlannedRun> runs, double maxR2Loss)
    {
        List<SweepRow> rows =
        [
            .. runs.GroupBy(run => run.Run.Group).Select(group => new SweepRow
            {
                Planned = [.. group],
                Complete = [.. group.Where(run => run.IsDone).Select(run => (run, new RunFolder(run.Folder).ReadResults()))],
            }),
        ];
        rows =
        [
            .. rows.AsParallel().AsOrdered().WithCancellation(context.Stop)
                .Select(row => Readable(context, row, () =>
                    row.MonoCoefficient > 0 && Baseline(rows, row) is { } baseline ? WithGains(row, baseline) : row)),
        ];
        rows = [.. rows.Select(row => Readable(context, row, () => row with { Stability = StabilityOf(context, row) }))];
        var front = rows.Select(row => row.Figure(figures => figures.R2) is not null && rows.TrueForAll(other => !Dominates(other, row)))
            .ToList();
        var winners = rows.GroupBy(row => row.Run.Family).Select(family => Winner([.. family], maxR2Loss)).OfType<SweepRow>().ToHashSet();
        return new SweepTable([.. rows.Select((row, i) => row with { IsOnFront = front[i], Wins = winners.Contains(row) })]);
    }

    /// <summary>The runs of the same settings without MonoLoss; null if there are none.</summary>
    /// <param name="row">A line.</param>
    public SweepRow? Baseline(SweepRow row) => Baseline(Rows, row);

    /// <summary>Prints the table, and which weight of MonoLoss wins.</summary>
    /// <param name="context">The console.</param>
    /// <param name="maxR2Loss">The R² that a weight of MonoLoss may lose.</param>
    public void Print(CliContext context, double maxR2Loss)
    {
        (string Title, Func<SweepRow, string?> Text)[] columns =
        [
            ("run", row => row.Run.GroupName),
            ("front", row => row.IsOnFront ? "●" : string.Empty),
            ("runs", row => row.Complete.Count == row.Planned.Count
                ? Integer(row.Planned.Count) : $"{Integer(row.Complete.Count)}/{Integer(row.Planned.Count)}"),
            ("R²", row => Text(row.Figure(figures => figures.R2), "0.0000")),
            ("MonoScore", row => Text(row.Figure(figures => figures.MonoMean), "0.0000")),
            ("L0", row => Text(row.Figure(figures => figures.L0), "0.00")),
            ("purity", row => Text(row.Figure(figures => figures.PurityBinary), "0.0000")),
            ("R² lost", row => row.R2Loss is { } loss ? Signed(loss) : null),
            ("MonoScore gain [95 %]", row => Text(row.MonoGain)),
            ("purity gain [95 %]", row => Text(row.PurityGain)),
            ("stability", row => row.Stability is { } stability ? ResultTable.Number(stability) : null),
        ];
        var kept = columns.Where(column => Rows.Any(row => column.Text(row) is not null)).ToList();
        List<TableCell[]> lines = [[.. kept.Select(column => new TableCell(column.Title))]];
        lines.AddRange(Rows.Select(row => (TableCell[])
        [
            .. kept.Select(column => new TableCell(column.Text(row) ?? "–", column.Title == "MonoScore" && row.Wins)),
        ]));
        ResultTable.Write(context, texts: 2, lines);
        foreach (var row in Rows.Where(row => row.Wins))
        {
            var mono = row.MonoCoefficient.ToString(CultureInfo.InvariantCulture);
            context.WriteLine($"{row.Run.FamilyName}: mono-coef {mono} wins, with the highest MonoScore of those that lose at most "
                + $"{maxR2Loss.ToString(CultureInfo.InvariantCulture)} of R²");
        }
    }

    /// <summary>Writes the table with all digits, as Parquet and as CSV.</summary>
    /// <param name="parquet">The Parquet file.</param>
    /// <param name="csv">The CSV file.</param>
    /// <exception cref="DataException">A file cannot be written.</exception>
    public void Write(string parquet, string csv)
    {
        var keys = Rows.SelectMany(row => row.Run.Settings.Select(setting => setting.Key)).Distinct()
            .Where(key => key != "seed" && Rows.Select(row => row.Run.Text(key)).Distinct().Count() > 1).ToList();
        List<(string Name, Func<SweepRow, string?> Text)> texts =
        [
            ("run", row => row.Run.GroupName),
            .. keys.Select(key => (key.Replace('-', '_'), (Func<SweepRow, string?>)(row => row.Run.Text(key)))),
        ];
        List<(string Name, Func<SweepRow, double?> Value)> numbers =
        [
            ("runs", row => row.Planned.Count), ("complete", row => row.Complete.Count),
            .. Figures.SelectMany(figure => ((string, Func<SweepRow, double?>)[])
            [
                (figure.Name, row => row.Figure(figure.Value)?.Mean), ($"{figure.Name}_sd", row => row.Figure(figure.Value)?.Deviation),
            ]),
            ("r2_loss", row => row.R2Loss),
            .. Columns("mono_gain", row => row.MonoGain), .. Columns("purity_gain", row => row.PurityGain),
            ("stability", row => row.Stability),
            ("front", row => row.IsOnFront ? 1 : 0), ("wins", row => row.Wins ? 1 : 0),
        ];
        ParquetWriter.Write(parquet,
        [
            .. texts.Select(column => ParquetData.Create(column.Name, [.. Rows.Select(column.Text)], nullable: true)),
            .. numbers.Select(column => ParquetData.Create(column.Name, Rows.Select(column.Value).ToArray())),
        ]);
        var lines = new StringBuilder(string.Join(',', texts.Select(text => text.Name).Concat(numbers.Select(number => number.Name))))
            .Append('\n');
        foreach (var row in Rows)
        {
            lines.AppendJoin(',', texts.Select(text => ComparisonFormat.Quote(text.Text(row) ?? string.Empty))
                .Concat(numbers.Select(number => number.Value(row)?.ToString(CultureInfo.InvariantCulture)))).Append('\n');
        }

        AtomicFile.WriteAllText(csv, lines.ToString());
    }

    private static (string, Func<SweepRow, double?>)[] Columns(string name, Func<SweepRow, Gain?> gain) =>
    [
        (name, row => gain(row)?.Value), ($"{name}_low", row => gain(row)?.Low), ($"{name}_high", row => gain(row)?.High),
    ];

    private static SweepRow? Baseline(IEnumerable<SweepRow> rows, SweepRow row) =>
        rows.FirstOrDefault(other => other.MonoCoefficient == 0 && other.Run.Family == row.Run.Family);

    /// <summary>A line with further figures; without them, and with a notice, where a file of a run is damaged.</summary>
    private static SweepRow Readable(CliContext context, SweepRow row, Func<SweepRow> further)
    {
        try
        {
            return further();
        }
        catch (DataException exception)
        {
            lock (context)
            {
                context.Notice([$"{row.Run.GroupName}: {exception.Message}"]);
            }

            return row;
        }
    }

    /// <summary>A line with what MonoLoss gains over the baseline of the same seed.</summary>
    private static SweepRow WithGains(SweepRow row, SweepRow baseline)
    {
        var pairs = row.Complete
            .Select(run => (Run: run, Base: baseline.Complete.FirstOrDefault(other => other.Plan.Run.SeedText == run.Plan.Run.SeedText)))
            .Where(pair => pair.Base.Plan is not null && pair.Run.Results.Splits.Count > 0 && pair.Base.Results.Splits.Count > 0).ToList();
        if (pairs.Count == 0)
        {
            return row;
        }

        List<(List<LatentResult> Run, List<LatentResult> Base)> latents =
        [
            .. pairs.Select(pair => (Latents(pair.Run.Plan), Latents(pair.Base.Plan))),
        ];
        var purity = latents.ConvertAll(pair => (Purity(pair.Run), Purity(pair.Base)));
        return row with
        {
            R2Loss = pairs.Average(pair => pair.Base.Results.Splits.Last().Value.R2 - pair.Run.Results.Splits.Last().Value.R2),
            MonoGain = Bootstrap.Of(latents.ConvertAll(pair => (Mono(pair.Run), Mono(pair.Base)))),
            PurityGain = purity.TrueForAll(pair => pair.Item1.Length > 0 && pair.Item2.Length > 0) ? Bootstrap.Of(purity) : null,
        };

        static List<LatentResult> Latents(PlannedRun run) => MetricsFiles.ReadLatents(new RunFolder(run.Folder).Latents).Latents;
        static double[] Mono(List<LatentResult> latents) => [.. latents.Select(latent => latent.MonoScore)];
        static double[] Purity(List<LatentResult> latents) => [.. latents.Select(latent => latent.Purity?.Binary).OfType<double>()];
    }

    private static double? StabilityOf(CliContext context, SweepRow row)
    {
        if (row.Complete.Count < 2)
        {
            return null;
        }

        var (latents, dimension) = (row.Complete[0].Results.Model.Latents, row.Complete[0].Results.Model.Dimension);
        if (row.Complete.Any(run => run.Results.Model.Dimension != dimension))
        {
            context.Notice([$"{row.Run.GroupName}: no stability: the runs have different numbers of features"]);
            return null;
        }

        var bytes = Models.Stability.MemoryBytes(latents, latents);
        if (bytes > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2)
        {
            context.Notice([$"{row.Run.GroupName}: no stability: {latents} latents take {DeviceMemory.Format(bytes)}"]);
            return null;
        }

        using var device = DeviceFactory.Open("cpu");
        var models = new List<SparseAutoencoder>();
        try
        {
            foreach (var (plan, _) in row.Complete)
            {
                models.Add(ModelSource.Open(plan.Folder).Load(device));
            }

            return (from first in Enumerable.Range(0, models.Count)
                    from second in Enumerable.Range(first + 1, models.Count - first - 1)
                    select Models.Stability.Of(models[first], models[second], context.Stop).MeanCosine).Average();
        }
        finally
        {
            models.ForEach(model => model.Dispose());
        }
    }

    /// <summary>Whether a line is at least as good as another in everything, and better in something.</summary>
    private static bool Dominates(SweepRow one, SweepRow other)
    {
        double[] a = Scores(one), b = Scores(other);
        return a.Zip(b).All(pair => pair.First >= pair.Second) && a.Zip(b).Any(pair => pair.First > pair.Second);
    }

    /// <summary>What is to be high. A figure that is missing or not a number is worse than any.</summary>
    private static double[] Scores(SweepRow row)
    {
        double?[] scores =
        [
            row.Figure(figures => figures.R2)?.Mean, row.Figure(figures => figures.MonoMean)?.Mean,
            -row.Figure(figures => figures.L0)?.Mean, row.Figure(figures => figures.PurityBinary)?.Mean,
        ];
        return Array.ConvertAll(scores, score => score is { } value && !double.IsNaN(value) ? value : double.NegativeInfinity);
    }

    private static SweepRow? Winner(List<SweepRow> family, double maxR2Loss) => family
        .Where(row => row.R2Loss <= maxR2Loss && row.MonoGain is { Value: > 0 })
        .MaxBy(row => row.Figure(figures => figures.MonoMean)?.Mean ?? double.NegativeInfinity);

    private static string? Text(Spread? figure, string format) => figure is not { } value ? null
        : value.Mean.ToString(format, CultureInfo.InvariantCulture)
            + (value.Deviation is { } deviation ? $" ± {deviation.ToString(format, CultureInfo.InvariantCulture)}" : string.Empty);

    private static string? Text(Gain? gain) => gain is not { } value ? null
        : $"{Signed(value.Value)} [{Signed(value.Low)}, {Signed(value.High)}]";

    private static string Signed(double value) => value.ToString("+0.0000;-0.0000;0.0000", CultureInfo.InvariantCulture);

    private static string Integer(int value) => value.ToString(CultureInfo.InvariantCulture);
}
