namespace MonoLoss.Bench;

/// <summary>A Markdown table with aligned columns, readable in a terminal too.</summary>
/// <param name="header">The names of the columns; the first is text, the rest are figures.</param>
internal sealed class Table(params string[] header)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Adds a row, one cell per column.</summary>
    public void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>Writes the table to the console.</summary>
    public void Print()
    {
        var widths = header.Select((name, column) => _rows.Select(row => row[column].Length).Append(name.Length).Max()).ToArray();
        PrintRow(header, widths);
        PrintRow([.. widths.Select((width, column) => column == 0 ? new string('-', width) : new string('-', width - 1) + ":")], widths);
        foreach (var row in _rows)
        {
            PrintRow(row, widths);
        }
    }

    private static void PrintRow(string[] cells, int[] widths)
    {
        var padded = cells.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
        Console.WriteLine($"| {string.Join(" | ", padded)} |");
    }
}
