using System.Collections.Concurrent;
using System.Text;
using System.Text.RegularExpressions;
using MonoLoss.Data;
using MonoLoss.Models;
using MonoLoss.Vision;

namespace MonoLoss.Cli;

/// <summary>Makes the thumbnails of rows: takes the rows, and what to do with the number and the WebP file of each.</summary>
internal delegate ThumbnailSet MakeThumbnails(IEnumerable<WantedImage> wanted, Action<int, byte[]> write);

/// <summary>
/// A run, or several side by side, as HTML: figures, curves, the scores of all latents, and each latent with its samples. One file, or a
/// folder with a file of each part that is read when it is looked at.
/// </summary>
internal static partial class Report
{
    /// <summary>Latents per run in a report of one file.</summary>
    public const int DefaultBest = 100;

    private const string Index = "index.html";
    private const string Marker = "<meta name=\"generator\" content=\"monoloss\">";

    /// <summary>Writes the report of completed runs as they are in their folders, in one file.</summary>
    /// <param name="path">The HTML file.</param>
    /// <param name="completed">One run with its folder, or several to compare. Runs are called as their folders are.</param>
    /// <exception cref="DataException">The file cannot be written, or samples.parquet of a run is damaged.</exception>
    public static void Write(string path, IReadOnlyList<(string Folder, CompletedRun Run)> completed) =>
        WriteFile(
            path, [.. Runs(completed).Select(run => run.WithStoredSamples(DefaultBest))], DefaultBest, thumbnails: null);

    /// <summary>Runs as they are in their folders, without samples. They are called as their folders are.</summary>
    /// <param name="completed">The runs with their folders.</param>
    public static IReadOnlyList<ReportedRun> Runs(IReadOnlyList<(string Folder, CompletedRun Run)> completed)
    {
        var names = RunNames.Of([.. completed.Select(run => run.Folder)]);
        return [.. completed.Select((run, number) =>
            ReportedRun.FromFolder(run.Folder, names[number], number % ReportSections.Colors, run.Run))];
    }

    /// <summary>Writes one file that needs no other.</summary>
    /// <param name="path">The HTML file.</param>
    /// <param name="runs">The runs.</param>
    /// <param name="best">The latents of each run that have a page, those of the highest MonoScore.</param>
    /// <param name="thumbnails">Makes the pictures of samples; null for none.</param>
    /// <returns>What the user should know about pictures.</returns>
    /// <exception cref="DataException">The file cannot be written, or images cannot be read.</exception>
    public static IReadOnlyList<string> WriteFile(
        string path, IReadOnlyList<ReportedRun> runs, int best, MakeThumbnails? thumbnails)
    {
        var pictures = new ConcurrentDictionary<int, byte[]>();
        var made = thumbnails?.Invoke(
            Wanted(runs, run => ReportData.Shown(run, best).Concat(ReportSections.Exemplars(run))),
            (number, webp) => pictures[number] = webp);
        var data = new ReportData(runs, made?.Index ?? new Dictionary<long, int>(), best);
        var chunks = string.Concat(Chunks(runs, data).Select(chunk => chunk.Script));
        var title = Title(runs);
        var scripts = Script(chunks) + Script(data.Index(title, pictures.IsEmpty ? null : pictures)) + Script(Resource("report.js"));
        AtomicFile.WriteAllText(path, Page(runs, $"<style>\n{Resource("report.css")}</style>\n", scripts));
        return made?.Problems ?? [];
    }

    /// <summary>Checks that a folder may become a report: it does not exist, is empty, or is an earlier report.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="UsageException">It has other files.</exception>
    public static void CheckFolder(string folder)
    {
        if (File.Exists(folder))
        {
            throw new UsageException($"--out: {folder} is a file, expected a folder or a file name ending in .html");
        }

        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any() && !IsReport(folder))
        {
            throw new UsageException($"--out: {folder} has files that are not of a report; choose another folder");
        }
    }

    /// <summary>Writes a report as a folder, which replaces an earlier report there once it is complete.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="collect">
    /// Gives the runs; files that belong to the report it writes to the folder it is given, which has the name of a run's number below it.
    /// </param>
    /// <param name="thumbnails">Makes the pictures of samples; null for none.</param>
    /// <returns>What the user should know about pictures.</returns>
    /// <exception cref="DataException">A file cannot be written, or images cannot be read.</exception>
    public static IReadOnlyList<string> WriteFolder(
        string folder, Func<string, IReadOnlyList<ReportedRun>> collect, MakeThumbnails? thumbnails)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        var partial = $"{full}.partial-{Environment.ProcessId}";
        try
        {
            var data = Directory.CreateDirectory(Path.Combine(partial, "data")).FullName;
            var runs = collect(data);
            var problems = WriteParts(partial, data, runs, thumbnails);
            if (Directory.Exists(full))
            {
                Directory.Delete(full, recursive: true);
            }

            Directory.Move(partial, full);
            return problems;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{folder}: cannot be written: {exception.Message}", exception);
        }
        finally
        {
            if (Directory.Exists(partial))
            {
                Directory.Delete(partial, recursive: true);
            }
        }
    }

    private static IReadOnlyList<string> WriteParts(
        string folder, string dataFolder, IReadOnlyList<ReportedRun> runs, MakeThumbnails? thumbnails)
    {
        var pictures = Path.Combine(folder, "thumbs");
        var made = thumbnails?.Invoke(Wanted(runs, run => Enumerable.Range(0, run.Latents.Count)), (number, webp) =>
        {
            var path = Path.Combine(pictures, FormattableString.Invariant($"{number / 1000:000}"));
            Directory.CreateDirectory(path);
            File.WriteAllBytes(Path.Combine(path, FormattableString.Invariant($"{number}.webp")), webp);
        });
        var data = new ReportData(runs, made?.Index ?? new Dictionary<long, int>(), best: null);
        foreach (var (run, chunk, script) in Chunks(runs, data))
        {
            var path = Path.Combine(dataFolder, FormattableString.Invariant($"{run}"));
            Directory.CreateDirectory(path);
            File.WriteAllText(Path.Combine(path, FormattableString.Invariant($"{chunk:0000}.js")), script);
        }

        File.WriteAllText(Path.Combine(dataFolder, "index.js"), data.Index(Title(runs), thumbnails: null));
        File.WriteAllText(Path.Combine(folder, "report.css"), Resource("report.css"));
        File.WriteAllText(Path.Combine(folder, "report.js"), Resource("report.js"));
        File.WriteAllText(Path.Combine(folder, Index), Page(
            runs,
            "<link rel=\"stylesheet\" href=\"report.css\">\n",
            "<script src=\"data/index.js\"></script>\n<script src=\"report.js\"></script>\n"));
        return made?.Problems ?? [];
    }

    private static bool IsReport(string folder)
    {
        var index = Path.Combine(folder, Index);
        return File.Exists(index) && File.ReadLines(index).Take(20).Contains(Marker);
    }

    private static IEnumerable<WantedImage> Wanted(IReadOnlyList<ReportedRun> runs, Func<ReportedRun, IEnumerable<int>> latents) =>
        runs.Where(run => run.Samples.Count > 0).SelectMany(run => latents(run).SelectMany(latent => run.Samples[latent]))
            .Select(sample => new WantedImage(sample.Row, sample.Id));

    private static IEnumerable<(int Run, int Chunk, string Script)> Chunks(IReadOnlyList<ReportedRun> runs, ReportData data) =>
        from run in Enumerable.Range(0, runs.Count)
        from chunk in Enumerable.Range(0, data.Chunks(run))
        select (run, chunk, data.Chunk(run, chunk));

    private static string Page(IReadOnlyList<ReportedRun> runs, string style, string scripts)
    {
        var body = ReportSections.Overview(runs);
        // In one pass: a name or a label may look like a placeholder.
        return Placeholder().Replace(Resource("report.html"), match => match.Groups[1].Value switch
        {
            "title" => ReportSections.Encode(Title(runs)),
            "heading" => string.Join(", ", runs.Select(run => ReportSections.Isolate(run.Name))),
            "style" => style,
            "scripts" => scripts,
            _ => body,
        });
    }

    private static string Title(IReadOnlyList<ReportedRun> runs) => string.Join(", ", runs.Select(run => run.Name));

    private static string Script(string text) => new StringBuilder("<script>\n").Append(text).Append("</script>\n").ToString();

    [GeneratedRegex("{{(title|heading|style|body|scripts)}}")]
    private static partial Regex Placeholder();

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(Report).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
