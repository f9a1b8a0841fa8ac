using System.Globalization;
using MonoLoss.Models;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>Prints the results of evaluations as a table.</summary>
internal static class ResultTable
{
    // The width of all columns but the first.
    private const int RowWidth = 109;

    /// <summary>Writes the final results of a run; without an evaluation, the metrics of its last step.</summary>
    public static void Write(CliContext context, TrainingResults results)
    {
        if (results.Splits.Count > 0)
        {
            Write(context, "split", results.Rows);
            return;
        }

        context.WriteLine($"step {results.Steps}: {ProgressFormat.Figures(results.FinalStep, results.Model.MonoCoefficient > 0)}");
    }

    /// <summary>Writes the results of evaluations, one per row, or one per column if the rows do not fit the terminal.</summary>
    public static void Write(CliContext context, string title, IEnumerable<(string Name, EvaluationSummary Result)> evaluations)
    {
        var all = evaluations.ToList();
        List<string[]> lines = [[title, "R²", "FVU", "NMSE", "MSE", "L0", "silent", "MonoScore", "median", "p90", "purity", "weighted"]];
        lines.AddRange(all.Select(evaluation => Cells(evaluation.Name, evaluation.Result)));
        if (!all.Exists(evaluation => evaluation.Result.PurityBinary is not null))
        {
            lines = lines.ConvertAll(line => line[..^2]);
        }

        if (context.IsTerminal && context.Output.Profile.Width < RowWidth + all.Max(evaluation => evaluation.Name.Length))
        {
            lines = [.. Enumerable.Range(0, lines[0].Length).Select(i => lines.Select(line => line[i]).ToArray())];
        }

        var table = new Table().AddColumn(Markup.Escape(lines[0][0]));
        foreach (var name in lines[0][1..])
        {
            table.AddColumn(new TableColumn(Markup.Escape(name)).RightAligned());
        }

        foreach (var line in lines[1..])
        {
            table.AddRow(Array.ConvertAll(line, Markup.Escape));
        }

        context.Write(table);
    }

    private static string[] Cells(string name, EvaluationSummary result) =>
    [
        name,
        Number(result.R2),
        Number(result.Fvu),
        Number(result.Nmse),
        result.Mse.ToString("0.000e0", CultureInfo.InvariantCulture),
        result.L0.ToString("0.00", CultureInfo.InvariantCulture),
        ProgressFormat.Format(result.SilentLatents),
        Number(result.MonoMean),
        Number(result.MonoMedian),
        Number(result.MonoP90),
        Number(result.PurityBinary),
        Number(result.PurityWeighted),
    ];

    /// <summary>A number with four decimals; a dash if there is none.</summary>
    public static string Number(double? value) => value?.ToString("0.0000", CultureInfo.InvariantCulture) ?? "–";
}
