using System.Globalization;
using MonoLoss.Models;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>A cell of a table.</summary>
/// <param name="Text">Its text.</param>
/// <param name="IsBest">Whether it is the best of its kind, which is marked.</param>
internal readonly record struct TableCell(string Text, bool IsBest = false);

/// <summary>Prints the results of evaluations as a table.</summary>
internal static class ResultTable
{
    // What the frame and the space around a cell add to each column.
    private const int Frame = 3;

    private const string Mark = "*";

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
        var columns = FigureColumn.Of(all.Select(evaluation => evaluation.Result));
        Write(context, texts: 1,
        [
            [new(title), .. columns.Select(column => new TableCell(column.Title))],
            .. all.Select(evaluation => (TableCell[])
                [new(evaluation.Name), .. columns.Select(column => new TableCell(column.Text(evaluation.Result)))]),
        ]);
    }

    /// <summary>
    /// Writes lines of cells, or columns if the lines do not fit the terminal. The best are bold on a terminal and have a star elsewhere.
    /// </summary>
    /// <param name="context">The console.</param>
    /// <param name="texts">How many columns, from the left, are texts; the others are numbers.</param>
    /// <param name="lines">The head and the other lines.</param>
    public static void Write(CliContext context, int texts, IReadOnlyList<TableCell[]> lines)
    {
        var widths = Enumerable.Range(0, lines[0].Length).Select(i => lines.Max(line => line[i].Text.Length) + Frame);
        if (context.IsTerminal && context.Output.Profile.Width <= widths.Sum())
        {
            lines = [.. Enumerable.Range(0, lines[0].Length).Select(i => lines.Select(line => line[i]).ToArray())];
            texts = 1;
        }

        var table = new Table();
        for (var i = 0; i < lines[0].Length; i++)
        {
            var starred = !context.IsTerminal && lines.Any(line => line[i].IsBest);
            var column = new TableColumn(Markup.Escape(lines[0][i].Text + (starred ? " " : string.Empty)));
            table.AddColumn(i < texts ? column : column.RightAligned());
        }

        foreach (var line in lines.Skip(1))
        {
            table.AddRow(line.Select((cell, i) => Content(context, cell, lines.Any(other => other[i].IsBest))).ToArray());
        }

        context.Write(table);
    }

    /// <summary>A number with four decimals; a dash if there is none.</summary>
    public static string Number(double? value) => value?.ToString("0.0000", CultureInfo.InvariantCulture) ?? "–";

    /// <summary>A cell as markup. In a column with stars, cells without one have a space, so that digits are below digits.</summary>
    private static string Content(CliContext context, TableCell cell, bool marked)
    {
        var text = Markup.Escape(cell.Text);
        return context.IsTerminal ? cell.IsBest ? $"[bold green]{text}[/]" : text
            : marked ? text + (cell.IsBest ? Mark : " ")
            : text;
    }
}
