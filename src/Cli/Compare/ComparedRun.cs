using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>A run among others.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Folder">Its folder.</param>
/// <param name="Results">Its settings and final figures.</param>
/// <param name="Split">The split that is compared; null if the run was not evaluated.</param>
/// <param name="Figures">The figures of that split.</param>
internal sealed record ComparedRun(string Name, string Folder, TrainingResults Results, string? Split, EvaluationSummary? Figures)
{
    /// <summary>k; null for a model that does not select by it.</summary>
    public int? K => Results.Model.Architecture.SelectsK() ? Results.Model.K : null;

    /// <summary>Reads complete runs.</summary>
    /// <param name="folders">Their folders.</param>
    /// <param name="split">The split to compare; null for the last that each run was evaluated on.</param>
    /// <exception cref="MonoLoss.Data.DataException">A run is not complete, or damaged.</exception>
    /// <exception cref="UsageException">A run was not evaluated on the split.</exception>
    public static IReadOnlyList<ComparedRun> Read(IReadOnlyList<string> folders, string? split)
    {
        var names = RunNames.Of(folders);
        return [.. folders.Select((folder, i) => Of(names[i], folder, new RunFolder(folder).ReadCompleted().Results, split))];
    }

    private static ComparedRun Of(string name, string folder, TrainingResults results, string? split)
    {
        if (split is null)
        {
            var last = results.Splits.LastOrDefault();
            return new ComparedRun(name, folder, results, last.Key, last.Value);
        }

        var rows = results.Rows.ToList();
        var (found, figures) = rows.Find(row => row.Name == split);
        return figures is not null
            ? new ComparedRun(name, folder, results, found, figures)
            : throw new UsageException($"--split: {folder} was not evaluated on '{split}', "
                + (rows.Count > 0 ? $"but on {string.Join(", ", rows.Select(row => row.Name))}" : "nor on any other split"));
    }
}
