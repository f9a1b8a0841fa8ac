using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using MonoLoss.Data;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>
/// A run, or several side by side, as one self-contained HTML file: figures, curves, the scores of all latents, the most monosemantic
/// latents, settings.
/// </summary>
internal static partial class Report
{
    private const int TopLatents = 20;
    private const int Bins = 25;

    // The score of a latent that fires once or twice says nothing about a concept.
    private const long MinActivations = 10;

    private const int Colors = 4;
    private const int MostListed = 20;

    // Characters of a label; about three lines of its column.
    private const int MaxLabel = 60;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new ArchitectureConverter(), new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>Writes the report of completed runs.</summary>
    /// <param name="path">The HTML file.</param>
    /// <param name="completed">One run with its folder, or several to compare. Runs are called as their folders are.</param>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<(string Folder, CompletedRun Run)> completed)
    {
        var names = RunNames.Of([.. completed.Select(run => run.Folder)]);
        var runs = completed.Select((run, index) => new Run(run.Run, names[index], index % Colors)).ToList();
        var html = new StringBuilder();
        foreach (var run in runs)
        {
            var name = runs.Count > 1 ? $"{Isolate(run.Name)}: " : string.Empty;
            html.Append($"<p class=\"soft\">{name}{Encode(Describe(run.Results))}</p>\n");
        }

        html.Append(Legend(runs));
        AppendFigures(html, runs);
        AppendSplits(html, runs);
        AppendCurves(html, runs);
        AppendScores(html, runs);
        AppendTopLatents(html, runs);
        AppendSettings(html, runs);
        // In one pass: a name or a label may look like a placeholder.
        AtomicFile.WriteAllText(path, Placeholder().Replace(Resource("report.html"), match => match.Groups[1].Value switch
        {
            "title" => string.Join(", ", runs.Select(run => Encode(run.Name))),
            "heading" => string.Join(", ", runs.Select(run => Isolate(run.Name))),
            "style" => Resource("report.css"),
            _ => html.ToString(),
        }));
    }

    [GeneratedRegex("{{(title|heading|style|body)}}")]
    private static partial Regex Placeholder();

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(Report).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    private static string Describe(TrainingResults results)
    {
        var model = results.Model;
        var k = model.Architecture.SelectsK() ? $", k {model.K}" : string.Empty;
        var mono = model.MonoCoefficient > 0 ? FormattableString.Invariant($"MonoLoss {model.MonoCoefficient}") : "no MonoLoss";
        return $"{ProgressFormat.Name(model)}, {ProgressFormat.Format(model.Dimension)} features, "
            + $"{ProgressFormat.Format(model.Latents)} latents{k}, {mono}, "
            + $"{ProgressFormat.Format(results.Steps)} steps of {ProgressFormat.Format(results.Training.BatchSize)} rows";
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

            Card("active per row (L0)", run => Fixed(Last(run).L0, 1));
            Card("silent latents", run => ProgressFormat.Format(Last(run).SilentLatents));
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

    private static void AppendCurves(StringBuilder html, List<Run> runs)
    {
        html.Append("<h2>Training</h2>").Append(Legend(runs)).Append("<div class=\"grid2\">\n");
        var steps = runs.ConvertAll(run => new SvgSeries(
            run.Name, run.Color, [.. run.Completed.Steps.Select(step => ((double)step.Step, step.ReconstructionLoss))]));
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
            var evaluations = runs.ConvertAll(run => run.Completed.Evaluations.Where(row => row.Split == split).ToList());
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
            if (runs.Exists(run => run.Completed.Steps.Select(value).Distinct().Skip(1).Any()))
            {
                AppendChart(html, title, SvgChart.Lines(
                    [.. runs.Select(run => new SvgSeries(
                        run.Name, run.Color, [.. run.Completed.Steps.Select(step => ((double)step.Step, value(step) ?? double.NaN))]))],
                    "step"));
            }
        }
    }

    private static void AppendScores(StringBuilder html, List<Run> runs)
    {
        var sets = runs.Where(run => run.Completed.Latents.Count > 0)
            .Select(run => (run.Name, run.Color, Scores: (IReadOnlyList<double>)
                [.. run.Completed.Latents.Where(latent => latent.ActivationCount > 0).Select(latent => latent.MonoScore)]))
            .ToList();
        var chart = SvgChart.Histogram(sets, "MonoScore", Bins);
        if (chart.Length > 0)
        {
            html.Append($"<h2>MonoScore of all latents that fire on {Encode(runs[0].Results.Splits.Last().Key)}</h2>")
                .Append(Legend(runs)).Append($"<div class=\"card wide\">{chart}</div>\n");
        }
    }

    private static void AppendTopLatents(StringBuilder html, List<Run> runs)
    {
        if (runs.TrueForAll(run => run.Completed.Latents.Count == 0))
        {
            return;
        }

        string Heading(Run run) => runs.Count > 1 ? $"<h3>{Isolate(run.Name)}</h3>" : string.Empty;
        html.Append("<h2>Most monosemantic latents</h2>")
            .Append($"<p class=\"soft\">Among latents that fire on at least {MinActivations} rows.</p><div class=\"grid2\">\n");
        foreach (var run in runs)
        {
            var top = run.Completed.Latents.Index().Where(latent => latent.Item.ActivationCount >= MinActivations)
                .OrderByDescending(latent => latent.Item.MonoScore).Take(TopLatents).ToList();
            var labels = top.Exists(latent => latent.Item.Purity is not null);
            html.Append($"<div class=\"card\">{Heading(run)}<table><tr><th>latent</th>"
                + $"<th>MonoScore</th><th>rows</th>{(labels ? "<th class=\"text\">label</th><th>purity</th>" : string.Empty)}</tr>\n");
            foreach (var (index, latent) in top)
            {
                var label = labels
                    ? $"<td class=\"text\">{Label(run.Label(latent.Purity))}</td><td>{Fixed(latent.Purity?.Binary, 3)}</td>"
                    : string.Empty;
                html.Append($"<tr><td>{index}</td><td>{Fixed(latent.MonoScore, 4)}</td>")
                    .Append($"<td>{ProgressFormat.Format(latent.ActivationCount)}</td>{label}</tr>\n");
            }

            html.Append("</table></div>\n");
        }

        html.Append("</div>\n");
    }

    private static void AppendSettings(StringBuilder html, List<Run> runs)
    {
        string Heading(Run run) => runs.Count > 1 ? $"<h3>{Isolate(run.Name)}</h3>" : string.Empty;
        html.Append("<h2>Settings</h2><div class=\"grid2\">\n");
        foreach (var run in runs)
        {
            html.Append($"<div class=\"card\">{Heading(run)}<table class=\"settings\">\n");
            foreach (var (name, value) in Settings(run.Results))
            {
                html.Append($"<tr><td>{Encode(name)}</td><td>{Isolate(value)}</td></tr>\n");
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
        + string.Concat(runs.Select(run => $"<span><i class=\"fill{run.Color}\"></i>{Isolate(run.Name)}</span>")) + "</p>";

    private static string Fixed(double? value, int digits) => value?.ToString($"F{digits}", CultureInfo.InvariantCulture) ?? "–";

    /// <summary>Text for HTML. Control characters, which HTML forbids, are shown as the replacement character.</summary>
    private static string Encode(string text) => WebUtility.HtmlEncode(
        string.Concat(text.Select(c => char.IsWhiteSpace(c) ? ' ' : char.IsControl(c) ? '\ufffd' : c)));

    /// <summary>Text of any direction, which must not turn what follows it.</summary>
    private static string Isolate(string text) => $"<bdi>{Encode(text)}</bdi>";

    /// <summary>A label, cut where it is long; the page shows all of it at the pointer.</summary>
    private static string Label(string text)
    {
        var elements = StringInfo.ParseCombiningCharacters(text);
        return elements.Length <= MaxLabel
            ? Isolate(text)
            : $"<span title=\"{Encode(text)}\">{Isolate(text[..elements[MaxLabel]] + "…")}</span>";
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

    private sealed record Run(CompletedRun Completed, string Name, int Color)
    {
        public TrainingResults Results => Completed.Results;

        public string Label(LatentPurity? purity) => purity is { DominantClass: >= 0 and var label } ? Completed.Classes[label] : "–";
    }
}
