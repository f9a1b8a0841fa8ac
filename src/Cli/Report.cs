using System.Globalization;
using System.Net;
using System.Text;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>
/// A run, or several side by side, as one HTML file that needs nothing but itself: figures, curves, the scores of all latents, the
/// most monosemantic ones, settings.
/// </summary>
internal static class Report
{
    private const int TopLatents = 20;
    private const int Bins = 25;

    // A latent that fires once or twice has a score of its few rows, not of a concept.
    private const long MinActivations = 10;

    private const string Style = """
        :root { color-scheme: light dark; --bg: #ffffff; --fg: #1d2433; --soft: #667085; --line: #e3e7ee; --card: #f6f8fb;
          --c0: #2f6fde; --c1: #e0662b; --c2: #2a9d6f; --c3: #9a5bd0; }
        @media (prefers-color-scheme: dark) { :root { --bg: #14171d; --fg: #e6e9ef; --soft: #98a2b3; --line: #2b313c; --card: #1c2129;
          --c0: #6ea3ff; --c1: #ff9360; --c2: #4fd1a0; --c3: #c495f0; } }
        * { box-sizing: border-box; }
        body { margin: 0 auto; max-width: 1180px; padding: 28px 24px 60px; background: var(--bg); color: var(--fg);
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
        h1 { font-size: 26px; margin: 0 0 2px; } h2 { font-size: 18px; margin: 36px 0 10px; } h3 { font-size: 15px; margin: 0 0 6px; }
        p { margin: 4px 0; } .soft { color: var(--soft); }
        .grid2 { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 18px; }
        .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; overflow-x: auto; }
        .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; margin-top: 18px; }
        .figures b { display: block; font-size: 22px; white-space: nowrap; line-height: 1.2; font-variant-numeric: tabular-nums; }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        th, td { padding: 5px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
        th:first-child, td:first-child, .text { text-align: left; } th { color: var(--soft); font-weight: 600; }
        tr:last-child td { border-bottom: 0; }
        .settings td { white-space: normal; overflow-wrap: anywhere; text-align: left; }
        .settings td:first-child { color: var(--soft); white-space: nowrap; }
        .legend span { display: inline-block; margin-right: 16px; } .legend i { display: inline-block; width: 12px; height: 12px;
          border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
        svg { width: 100%; height: auto; display: block; } .grid { stroke: var(--line); } .axis { stroke: var(--soft); }
        .wide svg { max-width: 760px; margin: 0 auto; }
        .tick { fill: var(--soft); font-size: 12px; dominant-baseline: middle; } .end { text-anchor: end; } .middle { text-anchor: middle; }
        .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
        .line0 { stroke: var(--c0); } .line1 { stroke: var(--c1); } .line2 { stroke: var(--c2); } .line3 { stroke: var(--c3); }
        .text0 { color: var(--c0); margin-right: 8px; }
        .text1 { color: var(--c1); } .text2 { color: var(--c2); } .text3 { color: var(--c3); }
        .fill0 { fill: var(--c0); background: var(--c0); } .fill1 { fill: var(--c1); background: var(--c1); }
        .fill2 { fill: var(--c2); background: var(--c2); } .fill3 { fill: var(--c3); background: var(--c3); }
        """;

    private const int Colors = 4;

    /// <summary>Writes the report of complete runs.</summary>
    /// <param name="path">The HTML file.</param>
    /// <param name="folders">One run, or several to compare.</param>
    public static void Write(string path, IReadOnlyList<RunFolder> folders)
    {
        var runs = folders.Select((folder, index) => Run.Read(folder, index % Colors)).ToList();
        var title = string.Join(" and ", runs.Select(run => run.Name));
        var html = new StringBuilder($"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            + $"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{Encode(title)} – MonoLoss</title>\n"
            + $"<style>\n{Style}\n</style></head><body>\n<h1>{Encode(title)}</h1>\n");
        foreach (var run in runs)
        {
            var name = runs.Count > 1 ? $"{Encode(run.Name)}: " : string.Empty;
            html.Append($"<p class=\"soft\">{name}{Encode(Describe(run.Results))}</p>\n");
        }

        html.Append(Legend(runs));
        AppendFigures(html, runs);
        AppendSplits(html, runs);
        AppendCurves(html, runs);
        AppendScores(html, runs);
        AppendTopLatents(html, runs);
        AppendSettings(html, runs);
        AtomicFile.WriteAllText(path, html.Append("</body></html>\n").ToString());
    }

    private static string Describe(TrainingResults results)
    {
        var model = results.Model;
        var k = model.Architecture is Architecture.BatchTopK or Architecture.TopK ? $", k {model.K}" : string.Empty;
        var mono = model.MonoCoefficient > 0 ? FormattableString.Invariant($"MonoLoss {model.MonoCoefficient}") : "no MonoLoss";
        return $"{TrainingText.Name(model)}, {TrainingText.Format(model.Dimension)} features, {TrainingText.Format(model.Latents)} latents{k}, "
            + $"{mono}, {TrainingText.Format(results.Steps)} steps of {TrainingText.Format(results.Training.BatchSize)} rows";
    }

    private static void AppendFigures(StringBuilder html, List<Run> runs)
    {
        void Card(string name, Func<Run, string> value)
        {
            var values = runs.Select(run =>
                runs.Count > 1 ? $"<span class=\"text{run.Color}\">{value(run)}</span>" : value(run));
            html.Append($"<div class=\"card\"><b>{string.Join(" ", values)}</b><span class=\"soft\">{Encode(name)}</span></div>");
        }

        html.Append("<div class=\"figures\">");
        if (runs.TrueForAll(run => run.Results.Splits.Count > 0))
        {
            EvaluationSummary Last(Run run) => run.Results.Splits.Last().Value;
            Card($"R² ({runs[0].Results.Splits.Last().Key})", run => Fixed(Last(run).R2, 3));
            Card("MonoScore", run => Fixed(Last(run).MonoMean, 3));
            if (runs.Exists(run => Last(run).PurityBinary is not null))
            {
                Card("class purity", run => Fixed(Last(run).PurityBinary, 3));
            }

            Card("latents a row (L0)", run => Fixed(Last(run).L0, 1));
            Card("latents that never fire", run => TrainingText.Format(Last(run).DeadLatents));
        }

        Card("reconstruction loss", run => run.Results.FinalStep.ReconstructionLoss.ToString("0.##e0", CultureInfo.InvariantCulture));
        html.Append("</div>\n");
    }

    private static void AppendSplits(StringBuilder html, List<Run> runs)
    {
        if (runs.TrueForAll(run => run.Results.Splits.Count == 0))
        {
            return;
        }

        string[] columns = ["R²", "NMSE", "MSE", "L0", "dead", "MonoScore", "median", "p90", "purity", "weighted"];
        html.Append("<h2>Evaluation</h2><div class=\"card\"><table><tr><th>split</th>");
        html.Append(runs.Count > 1 ? "<th class=\"text\">run</th>" : string.Empty);
        html.Append(string.Concat(columns.Select(column => $"<th>{column}</th>"))).Append("</tr>\n");
        foreach (var split in runs.SelectMany(run => run.Results.Splits.Keys).Distinct())
        {
            foreach (var run in runs.Where(run => run.Results.Splits.ContainsKey(split)))
            {
                var result = run.Results.Splits[split];
                string[] cells =
                [
                    Fixed(result.R2, 4), Fixed(result.Nmse, 4), result.Mse.ToString("0.000e0", CultureInfo.InvariantCulture),
                    Fixed(result.L0, 2), TrainingText.Format(result.DeadLatents), Fixed(result.MonoMean, 4), Fixed(result.MonoMedian, 4),
                    Fixed(result.MonoP90, 4), Fixed(result.PurityBinary, 4), Fixed(result.PurityWeighted, 4),
                ];
                html.Append($"<tr><td>{Encode(split)}</td>")
                    .Append(runs.Count > 1 ? $"<td class=\"text\">{Encode(run.Name)}</td>" : string.Empty)
                    .Append(string.Concat(cells.Select(cell => $"<td>{cell}</td>"))).Append("</tr>\n");
            }
        }

        html.Append("</table></div>\n");
    }

    private static void AppendCurves(StringBuilder html, List<Run> runs)
    {
        html.Append("<h2>Training</h2>").Append(Legend(runs)).Append("<div class=\"grid2\">\n");
        var steps = runs.ConvertAll(run => new SvgSeries(
            run.Name, run.Color, [.. run.Steps.Select(step => ((double)step.Step, step.ReconstructionLoss))]));
        AppendChart(html, "Reconstruction loss", SvgChart.Lines(steps, "step", logarithmic: true));
        var scores = runs.Where(run => run.Results.Model.MonoCoefficient > 0 && run.Results.Training.MonoPeriod == 1)
            .Select(run => new SvgSeries(run.Name, run.Color, [.. run.Steps.Select(step => ((double)step.Step, step.MonoScore))]))
            .ToList();
        AppendChart(html, "MonoScore of the batch, mean over active latents", SvgChart.Lines(scores, "step"));
        foreach (var split in new[] { "val", "test" })
        {
            var evaluations = runs.ConvertAll(run => run.Evaluations.Where(row => row.Split == split).ToList());
            if (evaluations.Exists(rows => rows.Count > 1))
            {
                AppendChart(html, $"MonoScore on {split}, mean over all latents", Curve(row => row.Result.MonoMean));
                AppendChart(html, $"R² on {split}", Curve(row => row.Result.R2));
            }

            string Curve(Func<EvaluationRow, double> value) => SvgChart.Lines(
                [.. runs.Select((run, i) => new SvgSeries(
                    run.Name, run.Color, [.. evaluations[i].Select(row => ((double)row.Epoch, value(row)))]))],
                "epoch");
        }

        html.Append("</div>\n");
    }

    private static void AppendScores(StringBuilder html, List<Run> runs)
    {
        var sets = runs.Where(run => run.Latents.Count > 0)
            .Select(run => (run.Name, run.Color, (IReadOnlyList<double>)[.. run.Latents.Where(l => l.Count > 0).Select(l => l.Score)]))
            .ToList();
        var chart = SvgChart.Histogram(sets, "MonoScore", Bins);
        if (chart.Length > 0)
        {
            html.Append($"<h2>MonoScore of every latent that fires on {Encode(runs[0].Results.Splits.Last().Key)}</h2>")
                .Append(Legend(runs)).Append($"<div class=\"card wide\">{chart}</div>\n");
        }
    }

    private static void AppendTopLatents(StringBuilder html, List<Run> runs)
    {
        if (runs.TrueForAll(run => run.Latents.Count == 0))
        {
            return;
        }

        string Heading(Run run) => runs.Count > 1 ? $"<h3>{Encode(run.Name)}</h3>" : string.Empty;
        html.Append("<h2>Most monosemantic latents</h2>")
            .Append($"<p class=\"soft\">Of those that fire on at least {MinActivations} rows.</p><div class=\"grid2\">\n");
        foreach (var run in runs)
        {
            var top = run.Latents.Where(latent => latent.Count >= MinActivations)
                .OrderByDescending(latent => latent.Score).ThenBy(latent => latent.Index).Take(TopLatents).ToList();
            var labels = top.Exists(latent => latent.Purity is not null);
            html.Append($"<div class=\"card\">{Heading(run)}<table><tr><th>latent</th>"
                + $"<th>MonoScore</th><th>rows</th>{(labels ? "<th class=\"text\">label</th><th>purity</th>" : string.Empty)}</tr>\n");
            foreach (var latent in top)
            {
                var label = labels ? $"<td class=\"text\">{Encode(latent.Label)}</td><td>{Fixed(latent.Purity, 3)}</td>" : string.Empty;
                html.Append($"<tr><td>{latent.Index}</td><td>{Fixed(latent.Score, 4)}</td>")
                    .Append($"<td>{TrainingText.Format(latent.Count)}</td>{label}</tr>\n");
            }

            html.Append("</table></div>\n");
        }

        html.Append("</div>\n");
    }

    private static void AppendSettings(StringBuilder html, List<Run> runs)
    {
        string Heading(Run run) => runs.Count > 1 ? $"<h3>{Encode(run.Name)}</h3>" : string.Empty;
        html.Append("<h2>Settings</h2><div class=\"grid2\">\n");
        foreach (var run in runs)
        {
            html.Append($"<div class=\"card\">{Heading(run)}<table class=\"settings\">\n");
            foreach (var (name, value) in run.Folder.ReadSettings())
            {
                html.Append($"<tr><td>{Encode(name.Replace('_', ' '))}</td><td>{Encode(value)}</td></tr>\n");
            }

            html.Append("</table></div>\n");
        }

        html.Append("</div>\n");
    }

    private static void AppendChart(StringBuilder html, string title, string chart)
    {
        if (chart.Length > 0)
        {
            html.Append($"<div class=\"card\"><h3>{Encode(title)}</h3>{chart}</div>\n");
        }
    }

    private static string Legend(List<Run> runs) => runs.Count == 1 ? string.Empty : "<p class=\"legend\">"
        + string.Concat(runs.Select(run => $"<span><i class=\"fill{run.Color}\"></i>{Encode(run.Name)}</span>")) + "</p>";

    private static string Fixed(double? value, int digits) => value?.ToString($"F{digits}", CultureInfo.InvariantCulture) ?? "–";

    private static string Encode(string text) => WebUtility.HtmlEncode(text);

    /// <summary>A row of latents.parquet.</summary>
    private readonly record struct Latent(int Index, double Score, long Count, string Label, double? Purity);

    private sealed record Run(
        string Name,
        int Color,
        RunFolder Folder,
        TrainingResults Results,
        IReadOnlyList<StepMetrics> Steps,
        IReadOnlyList<EvaluationRow> Evaluations,
        IReadOnlyList<Latent> Latents)
    {
        public static Run Read(RunFolder folder, int color) => new(
            Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder.Path))),
            color,
            folder,
            folder.ReadResults(),
            MetricsFiles.ReadSteps(folder.Metrics),
            File.Exists(folder.Evaluations) ? MetricsFiles.ReadEvaluations(folder.Evaluations) : [],
            File.Exists(folder.Latents) ? ReadLatents(folder.Latents) : []);

        private static List<Latent> ReadLatents(string path)
        {
            var table = ParquetTable.Read(path);
            var index = table.Read<int>("latent");
            var score = table.Read<double>("mono_score");
            var count = table.Read<long>("activation_count");
            var purity = table.ReadNullable<double>("purity_binary");
            var labels = table.IsText("dominant_label")
                ? table.ReadTexts("dominant_label")
                : table.ReadNullable<long>("dominant_label").Select(label => label is { } id ? FormattableString.Invariant($"{id}") : null);
            return [.. index.Zip(labels).Select((row, i) => new Latent(row.First, score[i], count[i], row.Second ?? "–", purity[i]))];
        }
    }
}
