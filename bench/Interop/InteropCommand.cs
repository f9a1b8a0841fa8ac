using System.Diagnostics;
using System.Text.Json;
using CommandLine;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Bench;

/// <summary>
/// Trains with the built command on every file of a table of files that other tools wrote, and compares the weights, to the bit, with
/// those trained on a file of our own with the same values.
/// </summary>
[Verb("interop", HelpText = "Trains on feature files that other tools wrote: each must give the same weights or be refused in one line.")]
internal sealed class InteropCommand : ICommand
{
    private const int Refused = 2;

    private readonly Dictionary<string, string> _references = [];

    [Option("features", Default = "../shared/interop/features", MetaValue = "DIR", HelpText = "Folder of manifest.json and its files")]
    public string Features { get; set; } = string.Empty;

    [Option("command", MetaValue = "FILE", HelpText = "monoloss.dll [that of this checkout, src/Cli/bin/Release/net10.0/monoloss.dll]")]
    public string? Command { get; set; }

    private string Work { get; } = Directory.CreateTempSubdirectory("monoloss-interop-").FullName;

    /// <inheritdoc/>
    public void Run()
    {
        Command ??= Path.Combine(Checkout(), "src", "Cli", "bin", "Release", "net10.0", "monoloss.dll");
        if (!File.Exists(Command) || !File.Exists(Path.Combine(Features, "manifest.json")))
        {
            throw new BenchException($"{(File.Exists(Command) ? Path.Combine(Features, "manifest.json") : Command)}: no such file");
        }

        try
        {
            RunAll();
        }
        finally
        {
            Directory.Delete(Work, recursive: true);
        }
    }

    private void RunAll()
    {
        var table = new InteropTable(Features);
        var output = new Table("file", "right", "outcome");
        var lines = new List<string>();
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var file in InteropTable.Read(Features))
        {
            var (outcome, line) = Try(table, file);
            counts[outcome] = counts.GetValueOrDefault(outcome) + 1;
            output.Add(file.File, file.Right, outcome);
            if (line.Length > 0)
            {
                lines.Add($"{file.File}: {line.Replace(Features, string.Empty, StringComparison.Ordinal)}");
            }
        }

        output.Print();
        lines.ForEach(Console.WriteLine);
        Console.WriteLine(string.Join(", ", counts.Select(count => $"{count.Value} {count.Key}")));
        Environment.ExitCode = counts.Keys.Any(outcome => outcome is "wrong" or "unexpected") ? 1 : 0;
    }

    private string Plain => Path.Combine(Features, "parquet", "pa_list_f32.parquet");

    private (string Outcome, string Line) Try(InteropTable table, InteropFile file)
    {
        var run = Path.Combine(Work, "run");
        // What has labels alone is for --labels.
        var (exit, error) = IsLabels(file)
            ? Train(Plain, run, null, labels: table.PathOf(file))
            : Train(table.PathOf(file), run, file.FeaturesColumn);
        try
        {
            var line = error.Trim();
            if (exit == Refused)
            {
                var isLine = error.Length > 0 && error.IndexOf('\n', StringComparison.Ordinal) == error.Length - 1;
                return (!isLine ? "unexpected" : file.Right == "read" ? "wrong" : "refused", line.ReplaceLineEndings(" "));
            }

            if (exit != 0)
            {
                return ("unexpected", $"exit code {exit}: {line.ReplaceLineEndings(" ")}");
            }

            return file.Right == "refuse" ? ("wrong", "was read")
                : Difference(table, file, run) is { } difference ? ("wrong", difference) : ("read right", line.ReplaceLineEndings(" "));
        }
        finally
        {
            if (Directory.Exists(run))
            {
                Directory.Delete(run, recursive: true);
            }
        }
    }

    private string? Difference(InteropTable table, InteropFile file, string run)
    {
        var reference = Reference(table, file);
        if (!File.ReadAllBytes(Weights(run)).AsSpan().SequenceEqual(File.ReadAllBytes(Weights(reference))))
        {
            return "other weights";
        }

        // Purity does not depend on what classes are called; without a label in every row, or with several, it is another.
        var labels = table.Labels(file);
        var purity = Purity(run);
        if ((purity is not null) != (labels is not null))
        {
            return purity is null ? "no purity" : "purity without labels";
        }

        var isComparable = labels is not null && Array.TrueForAll(labels, row => row.Length == 1)
            && labels.Select(row => row[0]).Distinct().Count() == table.Classes.Distinct().Count();
        return isComparable && purity != Purity(reference) ? "another purity" : null;
    }

    // A run on the same values: those of the plain file of the table where it has them.
    private string Reference(InteropTable table, InteropFile file)
    {
        var values = file.Values == "float64" || IsLabels(file) ? "float32" : file.Values;
        if (_references.TryGetValue(values, out var run))
        {
            return run;
        }

        var path = Plain;
        if (values != "float32")
        {
            path = Path.Combine(Work, $"reference-{_references.Count}.parquet");
            var features = table.Values(file);
            var classes = (values == "float32, by label" ? table.Classes.Order() : table.Classes.AsEnumerable())
                .Take(features.Length / InteropTable.Dimension);
            ParquetWriter.Write(
                path,
                [ParquetData.FloatLists("features", features, InteropTable.Dimension), ParquetData.Create("label", [.. classes])]);
        }

        run = Path.Combine(Work, $"reference-{_references.Count}");
        var (exit, error) = Train(path, run, null);
        return exit == 0 ? _references[values] = run : throw new BenchException($"the reference for {values} cannot be trained: {error}");
    }

    private static bool IsLabels(InteropFile file) => file is { Right: "read", Values: "-" };

    private (int Exit, string Error) Train(string path, string run, string? column, string? labels = null)
    {
        string[] columns =
            [.. column is null ? [] : new[] { "--features-column", column }, .. labels is null ? [] : new[] { "--labels", labels }];
        using var process = Process.Start(new ProcessStartInfo("dotnet",
        [
            Command!, "train", "--train", path, .. columns, "--out", run, "--latents", "16", "-k", "4", "--epochs", "1",
            "--batch-size", "20", "--no-shuffle", "--quiet",
        ])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, error.Result);
    }

    private static string Weights(string run) => Path.Combine(run, "sae_weights.safetensors");

    private static double? Purity(string run)
    {
        using var results = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(run, "results.json")));
        var purity = results.RootElement.GetProperty("splits").GetProperty("train").GetProperty("purity_binary");
        return purity.ValueKind == JsonValueKind.Null ? null : purity.GetDouble();
    }

    private static string Checkout()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MonoLoss.sln")))
            {
                return folder.FullName;
            }
        }

        throw new BenchException("not in a checkout: name the command with --command");
    }
}
