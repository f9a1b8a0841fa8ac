using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Writes a comparison of runs: for people as a table or Markdown, for programs as CSV or JSON with all digits.</summary>
internal static partial class ComparisonFormat
{
    /// <summary>The formats, the default first.</summary>
    public static readonly string[] Names = ["table", "markdown", "csv", "json"];

    // Run, model.
    private const int Texts = 2;

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static readonly (string Name, Func<ComparedRun, IFormattable?> Value)[] CsvNumbers =
    [
        ("mse", run => run.Figures?.Mse), ("nmse", run => run.Figures?.Nmse), ("r2", run => run.Figures?.R2),
        ("fvu", run => run.Figures?.Fvu), ("l0", run => run.Figures?.L0), ("silent_latents", run => run.Figures?.SilentLatents),
        ("mono_mean", run => run.Figures?.MonoMean), ("mono_median", run => run.Figures?.MonoMedian),
        ("mono_p90", run => run.Figures?.MonoP90), ("purity_binary", run => run.Figures?.PurityBinary),
        ("purity_weighted", run => run.Figures?.PurityWeighted),
    ];

    /// <summary>Writes a comparison.</summary>
    /// <param name="context">The console.</param>
    /// <param name="format">One of <see cref="Names"/>.</param>
    /// <param name="runs">The runs, in the order of the table.</param>
    /// <param name="stability">The stability of two runs; null if it was not computed.</param>
    public static void Write(CliContext context, string format, IReadOnlyList<ComparedRun> runs, Stability? stability)
    {
        switch (format)
        {
            case "json":
                context.WriteLine(ToJson(runs, stability));
                break;
            case "csv":
                WriteCsv(context, runs, stability);
                break;
            case "markdown":
                WriteMarkdown(context, Cells(runs));
                WriteStability(context, stability);
                break;
            default:
                ResultTable.Write(context, Texts, Cells(runs));
                WriteStability(context, stability);
                break;
        }
    }

    /// <summary>The head and a line per run. Figures of different splits are not ranked.</summary>
    private static List<TableCell[]> Cells(IReadOnlyList<ComparedRun> runs)
    {
        var figures = runs.Select(run => run.Figures).ToList();
        var columns = FigureColumn.Of(figures);
        var ranked = runs.Select(run => run.Split).Where(split => split is not null).Distinct().Count() == 1;
        var best = columns.Select(column => ranked ? column.Best(figures) : new bool[runs.Count]).ToList();
        string[] head = ["run", "model", "latents", "k", "MonoLoss", "split", .. columns.Select(column => column.Title)];
        List<TableCell[]> lines = [Array.ConvertAll(head, title => new TableCell(title))];
        foreach (var (i, run) in runs.Index())
        {
            var model = run.Results.Model;
            lines.Add(
            [
                new(Printable(run.Name)), new(ProgressFormat.Name(model)), new(ProgressFormat.Format(model.Latents)),
                new(run.K is { } k ? ProgressFormat.Format(k) : "–"), new(Number(model.MonoCoefficient)), new(run.Split ?? "–"),
                .. columns.Select((column, c) => new TableCell(column.Text(run.Figures), best[c][i])),
            ]);
        }

        return lines;
    }

    private static void WriteMarkdown(CliContext context, List<TableCell[]> lines)
    {
        void Line(IEnumerable<string> cells) => context.WriteLine($"| {string.Join(" | ", cells)} |");
        Line(lines[0].Select(cell => cell.Text));
        Line(lines[0].Select((_, i) => i < Texts ? "---" : "---:"));
        foreach (var line in lines.Skip(1))
        {
            Line(line.Select(cell => cell.IsBest ? $"**{cell.Text}**" : Syntax().Replace(cell.Text, @"\$0")));
        }
    }

    private static void WriteStability(CliContext context, Stability? stability)
    {
        if (stability is not null)
        {
            context.WriteLine();
            context.WriteLine($"Stability {ResultTable.Number(stability.MeanCosine)}: mean cosine of "
                + $"{ProgressFormat.Format(stability.Pairs.Count)} decoder rows and their best partners in the other run");
        }
    }

    private static void WriteCsv(CliContext context, IReadOnlyList<ComparedRun> runs, Stability? stability)
    {
        string[] head =
        [
            "run", "folder", "model", "untied", "dimension", "latents", "k", "mono_coefficient", "split",
            .. CsvNumbers.Select(number => number.Name), "stability",
        ];
        context.WriteLine(string.Join(',', head));
        foreach (var run in runs)
        {
            var model = run.Results.Model;
            string[] line =
            [
                Quote(run.Name), Quote(run.Folder), model.Architecture.Name(), model.Untied ? "true" : "false", Number(model.Dimension),
                Number(model.Latents), Number(run.K), Number(model.MonoCoefficient), run.Split ?? string.Empty,
                .. CsvNumbers.Select(number => Number(number.Value(run))), Number(stability?.MeanCosine),
            ];
            context.WriteLine(string.Join(',', line));
        }
    }

    private static string ToJson(IReadOnlyList<ComparedRun> runs, Stability? stability) => JsonSerializer.Serialize(
        new
        {
            Runs = runs.Select(run => new
            {
                run.Name,
                run.Folder,
                Model = run.Results.Model.Architecture.Name(),
                run.Results.Model.Untied,
                run.Results.Model.Dimension,
                run.Results.Model.Latents,
                run.K,
                run.Results.Model.MonoCoefficient,
                run.Split,
                run.Figures,
            }),
            Stability = stability is null ? null : new { stability.MeanCosine, Pairs = stability.Pairs.Count },
        },
        Json);

    private static string Number(IFormattable? value) => value?.ToString(null, CultureInfo.InvariantCulture) ?? string.Empty;

    /// <summary>A terminal obeys control characters in the name of a folder.</summary>
    private static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));

    /// <summary>A field of RFC 4180.</summary>
    public static string Quote(string text) =>
        text.AsSpan().IndexOfAny(",\"\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    // Within a word an underscore is only an underscore.
    [GeneratedRegex(@"[\\`*|<>\[\]~]|(?<!\w)_|_(?!\w)")]
    private static partial Regex Syntax();
}
