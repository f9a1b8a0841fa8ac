using System.Globalization;
using MonoLoss.Models;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>The figures of evaluations as a table.</summary>
internal static class ResultTable
{
    /// <summary>Writes the final figures of a run; without an evaluation, those of its last step.</summary>
    public static void Write(Context context, TrainingResults results)
    {
        if (results.Splits.Count > 0)
        {
            Write(context, "split", results.Splits.Select(split => (split.Key, split.Value)));
            return;
        }

        context.WriteLine($"step {results.Steps}: {TrainingText.Figures(results.FinalStep, results.Model.MonoCoefficient > 0)}");
    }

    /// <summary>Writes one row of figures for each evaluation.</summary>
    public static void Write(Context context, string title, IEnumerable<(string Name, EvaluationSummary Result)> rows)
    {
        var all = rows.ToList();
        var purity = all.Exists(row => row.Result.PurityBinary is not null);
        var table = new Table().AddColumn(title);
        string[] names = ["R²", "NMSE", "MSE", "L0", "dead", "MonoScore", "median", "p90"];
        foreach (var name in purity ? [.. names, "purity", "weighted"] : names)
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        foreach (var (name, result) in all)
        {
            string[] cells =
            [
                name, Number(result.R2), Number(result.Nmse), result.Mse.ToString("0.000e0", CultureInfo.InvariantCulture),
                result.L0.ToString("0.00", CultureInfo.InvariantCulture), TrainingText.Format(result.DeadLatents),
                Number(result.MonoMean), Number(result.MonoMedian), Number(result.MonoP90),
            ];
            string[] purities = [Number(result.PurityBinary), Number(result.PurityWeighted)];
            table.AddRow((purity ? [.. cells, .. purities] : cells).Select(Markup.Escape).ToArray());
        }

        context.Write(table);
    }

    /// <summary>Four decimals; a dash for what is not known.</summary>
    public static string Number(double? value) => value?.ToString("0.0000", CultureInfo.InvariantCulture) ?? "–";
}
