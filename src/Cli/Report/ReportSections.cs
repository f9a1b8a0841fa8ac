using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>The parts of the overview of a report: figures, tables and charts, which need no script.</summary>
internal static class ReportSections
{
    private const int TopLatents = 20;
    private const int Bins = 25;

    // The pictures of a latent at each rank.
    private const int RankSamples = 8;
    // Runs beyond it share a color and a pattern with an earlier one; grids of more do not fit side by side.
    public const int Colors = 4;

    private const int MostListed = 20;

    // Characters of a label; about three lines of its column.
    private const int MaxLabel = 60;

    // Where latents that fire often enough are shown, as shares of them by falling MonoScore.
    private static readonly double[] Ranks = [0, 0.05, 0.1, 0.25, 0.5, 0.75];

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new ArchitectureConverter(), new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>The overview of completed runs.</summary>
    /// <param name="runs">One run, or several to compare.</param>
    /// <returns>HTML.</returns>
    public static string Overview(IReadOnlyList<ReportedRun> runs)
    {
        var html = new StringBuilder();
        foreach (var run in runs)
        {
            var name = runs.Count > 1 ? $"{Swatch(run)} {Isolate(run.Name)}: " : string.Empty;
            html.Append($"<p class=\"soft\">{name}{Encode(Describe(run.Results))}</p>\n");
        }

        AppendFigures(html, runs);
        AppendRanks(html, runs);
        AppendSplits(html, runs);
        AppendCurves(html, runs);
        AppendScores(html, runs);
        AppendDecoder(html, runs);
        AppendTopLatents(html, runs);
        AppendSettings(html, runs);
        return html.ToString();
    }

    /// <summary>Text for HTML. Control characters, which HTML forbids, are shown as the replacement character.</summary>
    public static string Encode(string text) => WebUtility.HtmlEncode(
        string.Concat(text.Select(c => char.IsWhiteSpace(c) ? ' ' : char.IsControl(c) ? '\ufffd' : c)));

    /// <summary>Text of any direction, which must not turn what follows it.</summary>
    public static string Isolate(string text) => $"<bdi>{Encode(text)}</bdi>";

    private static string Describe(TrainingResults results)
    {
        var model = results.Model;
        var k = model.Architecture.SelectsK() ? $", k {model.K}" : string.Empty;
        var mono = model.MonoCoefficient > 0 ? FormattableString.Invariant($"MonoLoss {model.MonoCoefficient}") : "no MonoLoss";
        return $"{ProgressFormat.Name(model)}, {ProgressFormat.Format(model.Dimension)} features, "
            + $"{ProgressFormat.Format(model.Latents)} latents{k}, {mono}, "
            + $"{ProgressFormat.Format(results.Steps)} steps of {ProgressFormat.Format(results.Training.BatchSize)} rows";
    }

    private static void AppendFigures(StringBuilder html, IReadOnlyList<ReportedRun> runs)
    {
        void Card(string name, Func<ReportedRun, string> value)
        {
            var values = runs.Select(run => runs.Count > 1
                ? $"<b title=\"{Encode(run.Name)}\">{Swatch(run)}{value(run)}</b>"
                : $"<b>{value(run)}</b>");
            html.Append($"<div class=\"card\">{string.Concat(values)}<span class=\"soft\">{Encode(name)}</span></div>");
        }

        html.Append("<div class=\"figures\">");
        if (runs.All(run => run.Results.Splits.Count > 0))
        {
            EvaluationSummary Last(ReportedRun run) => run.Results.Splits.Last().Value;
            Card($"R² ({runs[0].Results.Splits.Last().Key})", run => Fixed(Last(run).R2, 3));
            Card("MonoScore", run => Fixed(Last(run).MonoMean, 3));
            if (runs.Any(run => Last(run).PurityBinary is not null))
            {
                Card("class purity", run => Fixed(Last(run).PurityBinary, 3));
            }

            Card("active per row (L0)", run => Fixed(Last(run).L0, 1));
            Card("silent latents", run => ProgressFormat.Format(Last(run).SilentLatents));
        }

        Card("reconstruction loss", run => run.Results.FinalStep.ReconstructionLoss.ToString("0.##e0", CultureInfo.InvariantCulture));
        html.Append("</div>\n");
    }

    private static void AppendSplits(StringBuilder html, IReadOnlyList<ReportedRun> runs)
    {
        if (runs.All(run => run.Results.Splits.Count == 0))
        {
            return;
        }

        string[] columns = ["R²", "FVU", "NMSE", "MSE", "L0", "silent", "MonoScore", "median", "p90", "purity", "weighted"];
        html.Append("<h2>Evaluation</h2><div class=\"card\"><table><tr><th>split</th>");
        html.Append(runs.Count > 1 ? "<th class=\"text\">run</th>" : string.Empty);
        html.Append(string.Concat(columns.Select(column => $"<th>{column}</th>"))).Append("</tr>\n");
        foreach (var split in runs.SelectMany(run => run.Results.Rows, (_, row) => row.Name).Distinct())
        {
            foreach (var (run, result) in runs.SelectMany(run => run.Results.Rows, (run, row) => (run, row))
                .Where(entry => entry.row.Name == split).Select(entry => (entry.run, entry.row.Result)))
            {
                string[] cells =
                [
                    Fixed(result.R2, 4), Fixed(result.Fvu, 4), Fixed(result.Nmse, 4),
                    result.Mse.ToString("0.000e0", CultureInfo.InvariantCulture),
                    Fixed(result.L0, 2), ProgressFormat.Format(result.SilentLatents), Fixed(result.MonoMean, 4),
                    Fixed(result.MonoMedian, 4), Fixed(result.MonoP90, 4), Fixed(result.PurityBinary, 4), Fixed(result.PurityWeighted, 4),
                ];
                html.Append($"<tr><td>{Encode(split)}</td>")
                    .Append(runs.Count > 1 ? $"<td class=\"text\">{Isolate(run.Name)}</td>" : string.Empty)
                    .Append(string.Concat(cells.Select(cell => $"<td>{cell}</td>"))).Append("</tr>\n");
            }
        }

        html.Append("</table></div>\n");
    }

    private static void AppendCurves(StringBuilder html, IReadOnlyList<ReportedRun> runs)
    {
        html.Append("<h2>Training</h2>").Append(Legend(runs)).Append("<div class=\"grid2\">\n");
        var steps = runs.Select(run => new SvgSeries(
            run.Name, run.Color, [.. run.Completed.Steps.Select(step => ((double)step.Step, step.ReconstructionLoss))])).ToList();
        AppendChart(html, "Reconstruction loss", SvgChart.Lines(steps, "step", logY: true));
        var scores = runs.Where(run => run.Results.Model.MonoCoefficient > 0 && run.Results.Training.MonoPeriod == 1)
            .Select(run => new SvgSeries(run.Name, run.Color, [.. run.Completed.Steps.Select(step => ((double)step.Step, step.MonoScore))]))
            .ToList();
        AppendChart(html, "Batch MonoScore, mean over active latents", SvgChart.Lines(scores, "step"));
        AppendScheduled("Learning rate", step => step.LearningRate);
        AppendScheduled("Coefficient of the sparsity penalty", step => step.L1Coefficient);
        AppendScheduled("Coefficient of MonoLoss", step => step.MonoCoefficient);
        AppendScheduled("k", step => step.K);
        foreach (var split in new[] { "val", "test" })
        {
            var evaluations = runs.Select(run => run.Completed.Evaluations.Where(row => row.Split == split).ToList()).ToList();
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

        // What is the same at every step is among the settings.
        void AppendScheduled(string title, Func<StepMetrics, double?> value)
        {
            if (runs.Any(run => run.Completed.Steps.Select(value).Distinct().Skip(1).Any()))
            {
                AppendChart(html, title, SvgChart.Lines(
                    [.. runs.Select(run => new SvgSeries(
                        run.Name, run.Color, [.. run.Completed.Steps.Select(step => ((double)step.Step, value(step) ?? double.NaN))]))],
                    "step"));
            }
        }
    }

    /// <summary>The latents at the ranks that the overview shows; none if too few fire often enough.</summary>
    public static IReadOnlyList<int> Exemplars(ReportedRun run)
    {
        var ranked = ReportData.Frequent(run).ToList();
        return ranked.Count == 0 ? [] : [.. Ranks.Select(share => ranked[Math.Min((int)(share * ranked.Count), ranked.Count - 1)])];
    }

    /// <summary>Latents at the same ranks of each run: what MonoLoss changes is seen from one column to the next.</summary>
    private static void AppendRanks(StringBuilder html, IReadOnlyList<ReportedRun> runs)
    {
        var exemplars = runs.Select(Exemplars).ToList();
        if (runs.All(run => run.Samples.Count == 0) || exemplars.Exists(latents => latents.Count == 0))
        {
            return;
        }

        var columns = Math.Min(runs.Count, Colors);
        html.Append("<h2>What latents stand for</h2>")
            .Append("<p class=\"soft\">The samples that activate a latent most, for latents at the same ranks by MonoScore among those "
                + $"that fire on at least {ReportData.MinRows} rows of {Encode(runs[0].Set)}.</p><div class=\"card ranks\">\n");
        html.Append($"<div class=\"runs{columns} heads\"><span></span>")
            .Append(string.Concat(runs.Take(columns).Select(run =>
                $"<span class=\"head\">{(runs.Count > 1 ? $"{Swatch(run)} {Isolate(run.Name)}" : string.Empty)}</span>")))
            .Append("</div>\n");
        foreach (var (rank, share) in Ranks.Index())
        {
            var place = share == 0 ? "best" : FormattableString.Invariant($"at {share:0 %}");
            html.Append($"<div class=\"runs{columns}\"><span class=\"at\">{place}</span>");
            for (var i = 0; i < columns; i++)
            {
                var run = runs[i];
                var latent = exemplars[i][rank];
                var name = runs.Count > 1 ? $"<span class=\"name\">{Isolate(run.Name)}: </span>" : string.Empty;
                html.Append($"<div>{name}<a href=\"#/latent/{i}/{latent}\">latent {latent}</a> <span class=\"soft\">MonoScore "
                    + $"{Fixed(run.Latents[latent].MonoScore, 3)}</span>")
                    .Append($"<div class=\"thumbs\" data-run=\"{i}\" data-latent=\"{latent}\" data-count=\"{RankSamples}\">")
                    .Append($"<span class=\"none\">{InWords(run, latent)}").Append("</span></div></div>");
            }

            html.Append("</div>\n");
        }

        html.Append("</div>\n");
    }

    /// <summary>The labels of a latent's top samples, or their ids; for pages without pictures.</summary>
    private static string InWords(ReportedRun run, int latent)
    {
        var top = (run.Samples.Count > 0 ? run.Samples[latent] : [])
            .Where(sample => sample.Rank == SampleRank.Top).Take(RankSamples).ToList();
        return top.Exists(sample => sample.Label is not null)
            ? string.Join(", ", top.GroupBy(sample => sample.Label).OrderByDescending(label => label.Count())
                .Select(label => $"{Label(label.Key ?? "–")}{(label.Count() > 1 ? $" ×\u2009{label.Count()}" : string.Empty)}"))
            : string.Join(", ", top.Select(sample => Label(sample.Id ?? $"row {sample.Row}")));
    }

    private static void AppendScores(StringBuilder html, IReadOnlyList<ReportedRun> runs)
    {
        var evaluated = runs.Where(run => run.Latents.Count > 0).ToList();
        if (evaluated.Count == 0)
        {
            return;
        }

        IReadOnlyList<double> Of(ReportedRun run, Func<LatentResult, double> value) =>
            [.. run.Latents.Where(latent => latent.ActivationCount > 0).Select(value)];
        html.Append($"<h2>All latents that fire on {Encode(evaluated[0].Set)}</h2>").Append(Legend(runs)).Append("<div class=\"grid2\">\n");
        AppendChart(html, "MonoScore", SvgChart.Histogram(
            [.. evaluated.Select(run => (run.Name, run.Color, Of(run, latent => latent.MonoScore)))], "MonoScore", Bins, (0, 1)));
        AppendChart(html, "Density: the share of rows a latent fires on", SvgChart.Histogram(
            [.. evaluated.Where(run => run.Rows > 0).Select(run =>
                (run.Name, run.Color, Of(run, latent => Math.Log10((double)latent.ActivationCount / run.Rows))))],
            "log10 of the share",
            Bins));
        AppendChart(html, "R² against MonoScore", SvgChart.Points(
            [.. runs.Where(run => run.Results.Splits.Count > 0).Select(run => (run.Name, run.Color, run.Results.Splits.Last().Value))
                .Select(run => (run.Name, run.Color, run.Value.R2, run.Value.MonoMean))], "R²", "MonoScore"));
        html.Append("</div>\n");
    }

    private static void AppendDecoder(StringBuilder html, IReadOnlyList<ReportedRun> runs)
    {
        if (runs.All(run => run.Decoder is null))
        {
            return;
        }

        html.Append("<h2>Near-duplicates</h2><p class=\"soft\">Latents whose decoder directions have a cosine above 0.9.</p>"
            + "<div class=\"card\"><table><tr><th class=\"text\">run</th><th>pairs</th><th>latents with one</th></tr>\n");
        foreach (var (number, run) in runs.Index().Where(entry => entry.Item.Decoder is not null))
        {
            var address = $"#/latents?run={number}&amp;sort=duplicates&amp;rows=0&amp;duplicates=1";
            html.Append($"<tr><td class=\"text\"><a href=\"{address}\">{Isolate(run.Name)}</a></td>"
                + $"<td>{ProgressFormat.Format(run.Decoder!.Duplicates.Pairs)}</td>"
                + $"<td>{ProgressFormat.Format(run.Decoder.Duplicates.Counts.Count(count => count > 0))}</td></tr>\n");
        }

        html.Append("</table></div>\n");
        if (runs.All(run => run.Decoder is not { Duplicates.Largest.Count: > 0 }))
        {
            return;
        }

        html.Append("<div class=\"grid2\" style=\"margin-top:18px\">\n");
        foreach (var (number, run) in runs.Index().Where(entry => entry.Item.Decoder is { Duplicates.Largest.Count: > 0 }))
        {
            string Latent(int latent) => $"<a href=\"#/latent/{number}/{latent}\">{latent}</a>";
            html.Append($"<div class=\"card\"><h3>{Isolate(run.Name)}</h3><table><tr><th>latents</th><th>cosine</th></tr>\n")
                .Append(string.Concat(run.Decoder!.Duplicates.Largest.Select(pair =>
                    $"<tr><td>{Latent(pair.First)}, {Latent(pair.Second)}</td><td>{Fixed(pair.Cosine, 4)}</td></tr>\n")))
                .Append("</table></div>\n");
        }

        html.Append("</div>\n");
    }

    private static void AppendTopLatents(StringBuilder html, IReadOnlyList<ReportedRun> runs)
    {
        if (runs.All(run => run.Latents.Count == 0))
        {
            return;
        }

        html.Append("<h2>Most monosemantic latents</h2>")
            .Append($"<p class=\"soft\">Among latents that fire on at least {ReportData.MinRows} rows.</p><div class=\"grid2\">\n");
        foreach (var (number, run) in runs.Index())
        {
            var top = ReportData.Frequent(run).Take(TopLatents).Select(index => (Index: index, Item: run.Latents[index])).ToList();
            var labels = top.Exists(latent => latent.Item.Purity is not null);
            var names = top.Exists(latent => latent.Item.Names is not null);
            html.Append($"<div class=\"card\">{Heading(run, runs)}<table><tr><th>latent</th>"
                + $"{(names ? "<th class=\"text\">name</th>" : string.Empty)}<th>MonoScore</th><th>rows</th>"
                + $"{(labels ? "<th class=\"text\">label</th><th>purity</th>" : string.Empty)}</tr>\n");
            foreach (var (index, latent) in top)
            {
                var label = labels
                    ? $"<td class=\"text\">{Label(run.Label(latent.Purity))}</td><td>{Fixed(latent.Purity?.Binary, 3)}</td>"
                    : string.Empty;
                var name = names
                    ? $"<td class=\"text\">{(latent.Names is { } near ? Label(near.Plain[0].Text) : "–")}</td>"
                    : string.Empty;
                html.Append($"<tr><td><a href=\"#/latent/{number}/{index}\">{index}</a></td>{name}<td>{Fixed(latent.MonoScore, 4)}</td>")
                    .Append($"<td>{ProgressFormat.Format(latent.ActivationCount)}</td>{label}</tr>\n");
            }

            html.Append("</table></div>\n");
        }

        html.Append("</div>\n");
    }

    private static void AppendSettings(StringBuilder html, IReadOnlyList<ReportedRun> runs)
    {
        html.Append("<h2>Settings</h2><div class=\"grid2\">\n");
        foreach (var run in runs)
        {
            html.Append($"<div class=\"card\">{Heading(run, runs)}<table class=\"settings\">\n");
            foreach (var (name, value) in Settings(run.Results))
            {
                html.Append($"<tr><td>{Encode(name)}</td><td>{Isolate(value)}</td></tr>\n");
            }

            html.Append("</table></div>\n");
        }

        html.Append("</div>\n");
    }

    private static string Heading(ReportedRun run, IReadOnlyList<ReportedRun> runs) =>
        runs.Count > 1 ? $"<h3>{Isolate(run.Name)}</h3>" : string.Empty;

    private static void AppendChart(StringBuilder html, string title, string chart)
    {
        if (chart.Length > 0)
        {
            html.Append($"<div class=\"card\"><h3>{Encode(title)}</h3>{chart}</div>\n");
        }
    }

    private static string Legend(IReadOnlyList<ReportedRun> runs) => runs.Count == 1 ? string.Empty : "<p class=\"legend\">"
        + string.Concat(runs.Select(run => $"<span>{Swatch(run)}{Isolate(run.Name)}</span>")) + "</p>";

    /// <summary>The line and the pattern of a run.</summary>
    private static string Swatch(ReportedRun run) => "<svg class=\"swatch\" viewBox=\"0 0 22 12\" aria-hidden=\"true\">"
        + $"<rect width=\"12\" height=\"12\" rx=\"2\" class=\"fill{run.Color}\"/>"
        + $"<line x1=\"14\" x2=\"22\" y1=\"6\" y2=\"6\" class=\"line line{run.Color}\"/></svg>";

    private static string Fixed(double? value, int digits) => value?.ToString($"F{digits}", CultureInfo.InvariantCulture) ?? "–";

    /// <summary>A label, cut where it is long; the page shows all of it at the pointer.</summary>
    private static string Label(string text)
    {
        var shown = SvgChart.Shorten(text, MaxLabel);
        return shown == text ? Isolate(text) : $"<span title=\"{Encode(text)}\">{Isolate(shown)}</span>";
    }

    /// <summary>The settings of a run by name, as results.json has them.</summary>
    private static IEnumerable<(string Name, string Value)> Settings(TrainingResults results) =>
        new object[] { results.Model, results.Training }
            .SelectMany(settings => JsonSerializer.SerializeToNode(settings, Json)!.AsObject())
            .Select(entry => (entry.Key.Replace('_', ' '), entry.Value switch
            {
                null => "default",
                // The columns of a run with one per dimension.
                JsonArray { Count: > MostListed } list => $"{list[0]} … {list[^1]} ({list.Count})",
                JsonArray list => string.Join(", ", list),
                var value => value.ToString(),
            }));
}
