using System.Globalization;
using System.Text;
using System.Text.Json;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>
/// What the page's script shows, as scripts that assign it: a page that is opened from disk may read scripts, but no other files. report.js
/// says what each field means by how it is used.
/// </summary>
internal sealed class ReportData
{
    /// <summary>Latents in a file of details.</summary>
    public const int ChunkSize = 64;

    // The samples of a latent that a list shows.
    private const int CoverSamples = 9;

    /// <summary>Latents that fire on fewer rows are left out of lists at first: their score says nothing about a concept.</summary>
    public const int MinRows = 10;

    private readonly IReadOnlyList<ReportedRun> _runs;
    private readonly IReadOnlyList<int>[] _shown;
    private readonly IReadOnlyDictionary<long, int> _images;
    private readonly Dictionary<string, int> _texts = [];
    private readonly bool _isSingle;

    /// <summary>Prepares the data of runs.</summary>
    /// <param name="runs">The runs.</param>
    /// <param name="images">The number of the thumbnail of each row that has one.</param>
    /// <param name="best">The number of latents per run to show, those of the highest MonoScore; null for all.</param>
    public ReportData(IReadOnlyList<ReportedRun> runs, IReadOnlyDictionary<long, int> images, int? best)
    {
        (_runs, _images) = (runs, images);
        _isSingle = best is not null;
        _shown = [.. runs.Select(run => Shown(run, best))];
    }

    /// <summary>The latents of a run that are shown, in order.</summary>
    /// <param name="run">The run.</param>
    /// <param name="best">The number of them; null for all.</param>
    public static IReadOnlyList<int> Shown(ReportedRun run, int? best) => best is { } count
        ? [.. Ranked(run).Take(count).Order()]
        : [.. Enumerable.Range(0, run.Latents.Count)];

    /// <summary>The latents of a run that fire on enough rows, by falling MonoScore.</summary>
    public static IEnumerable<int> Frequent(ReportedRun run) =>
        Ranked(run).TakeWhile(latent => run.Latents[latent].ActivationCount >= MinRows);

    /// <summary>The latents of a run by falling MonoScore, those first that fire on enough rows.</summary>
    private static IEnumerable<int> Ranked(ReportedRun run) => Enumerable.Range(0, run.Latents.Count)
        .OrderByDescending(latent => run.Latents[latent].ActivationCount >= MinRows)
        .ThenByDescending(latent => run.Latents[latent].MonoScore)
        .ThenBy(latent => latent);

    /// <summary>The number of files of details of a run.</summary>
    public int Chunks(int run) => (_shown[run].Count + ChunkSize - 1) / ChunkSize;

    /// <summary>A file of details.</summary>
    public string Chunk(int run, int chunk)
    {
        var latents = _shown[run].Skip(chunk * ChunkSize).Take(ChunkSize);
        var script = new StringBuilder($"(window.monolossChunks??={{}})[\"{run}/{chunk}\"]=[\n");
        return script.AppendJoin(",\n", latents.Select(latent => Details(_runs[run], latent))).Append("];\n").ToString();
    }

    /// <summary>
    /// The file of figures of all latents that are shown. All details must have been formed before: their texts are in it.
    /// </summary>
    /// <param name="title">The title of the page.</param>
    /// <param name="thumbnails">The pictures by number, where they are in the file too; else null.</param>
    public string Index(string title, IReadOnlyDictionary<int, byte[]>? thumbnails)
    {
        var runs = _runs.Select((run, number) => Figures(run, number)).ToList();
        List<string> fields =
        [
            Field("title", Text(title)),
            Field("chunk", Number(ChunkSize)),
            Field("rows", Number(MinRows)),
            Field("single", _isSingle ? "true" : "false"),
            Field("patches", Number(Patches())),
            Field("texts", List(_texts.Keys.Select(Text))),
        ];
        if (thumbnails is not null)
        {
            fields.Add(Field("thumbs", "{" + string.Join(",", thumbnails.OrderBy(thumbnail => thumbnail.Key).Select(thumbnail =>
                $"\n{thumbnail.Key}:\"data:image/webp;base64,{Convert.ToBase64String(thumbnail.Value)}\"")) + "}"));
        }

        fields.Add(Field("runs", List(runs)));
        return "window.monolossReport={" + string.Join(",\n", fields) + "};\n";
    }

    private string Figures(ReportedRun run, int number)
    {
        var latents = _shown[number];
        List<string> fields =
        [
            Field("title", Text(run.Name)),
            Field("set", Text(run.Set)),
            Field("rows", Number(run.Rows)),
            Field("latents", Number(run.Latents.Count)),
            Field("id", List(latents.Select(latent => Number(latent)))),
            Field("mono", Values(latent => run.Latents[latent].MonoScore)),
            Field("fired", List(latents.Select(latent => Number(run.Latents[latent].ActivationCount)))),
            Field("mean", Values(latent => run.Latents[latent].ActivationMean)),
            Field("max", Values(latent => run.Latents[latent].ActivationMax)),
        ];
        if (latents.Any(latent => run.Latents[latent].Purity is not null))
        {
            fields.Add(Field("purity", Values(latent => run.Latents[latent].Purity?.Binary)));
            fields.Add(Field("weighted", Values(latent => run.Latents[latent].Purity?.Weighted)));
            fields.Add(Field("label", List(latents.Select(latent => run.Latents[latent].Purity is { DominantClass: >= 0 } purity
                ? Number(Intern(run.Classes[purity.DominantClass]))
                : "-1"))));
        }

        if (latents.Any(latent => run.Latents[latent].Names is not null))
        {
            fields.Add(Field("name", List(latents.Select(latent => run.Latents[latent].Names is { } names
                ? Number(Intern(names.Plain[0].Text))
                : "-1"))));
        }

        if (_images.Count > 0 && run.Samples.Count > 0)
        {
            fields.Add(Field("cover", List(latents.Select(latent => List(
                run.Samples[latent].Where(sample => sample.Rank == SampleRank.Top && _images.ContainsKey(sample.Row)).Take(CoverSamples)
                    .Select(sample => $"[{_images[sample.Row]},{Number(sample.Position ?? -1)}]"))))));
        }

        if (run.Decoder is { } decoder)
        {
            fields.Add(Field("duplicates", List(latents.Select(latent => Number(decoder.Duplicates.Counts[latent])))));
            fields.Add(Field("match", "{" + string.Join(",", decoder.Matches.Select(match =>
                $"\"{match.Run}\":{{latent:{List(latents.Select(latent => Number(match.Nearest[latent].Row)))},"
                    + $"cosine:{Values(latent => match.Nearest[latent].Cosine)}}}")) + "}"));
        }

        return "{" + string.Join(",\n", fields) + "}";

        string Values(Func<int, double?> value) => List(latents.Select(latent => Rounded(value(latent))));
    }

    private string Details(ReportedRun run, int latent)
    {
        List<string> fields = [Field("samples", List((run.Samples.Count > 0 ? run.Samples[latent] : []).Select(Sample)))];
        if (run.Details is { } details)
        {
            var (width, counts) = details.Activations.Of(latent);
            var bins = List(counts.Select(count => Number(count)));
            fields.Add(Field("histogram", $"[{width.ToString("R", CultureInfo.InvariantCulture)},{bins}]"));
            if (details.Classes is { } classes)
            {
                fields.Add(Field("labels", List(classes[latent].Select(label => $"[{Intern(run.Classes[label.Class])},{label.Rows}]"))));
            }

            fields.Add(Field("together", List(details.CoActive[latent].Select(other => $"[{other.Latent},{Rounded(other.Jaccard)}]"))));
        }

        if (run.Decoder is { } decoder)
        {
            fields.Add(Field("near", List(decoder.Near[latent].Select(other => $"[{other.Row},{Rounded(other.Cosine)}]"))));
        }

        if (run.Latents[latent].Names is { } names)
        {
            fields.Add(Field("names", Names(names.Plain)));
            fields.Add(Field("centered", Names(names.Centered)));
        }

        return "{" + string.Join(",", fields) + "}";

        string Names(IReadOnlyList<NearText> texts) => List(texts.Select(text => $"[{Intern(text.Text)},{Rounded(text.Cosine)}]"));
    }

    private string Sample(StoredSample sample) => "["
        + string.Join(",", Number((int)sample.Rank), Number(sample.Row), Rounded(sample.Activation),
            Number(_images.GetValueOrDefault(sample.Row, -1)), sample.Label is null ? "-1" : Number(Intern(sample.Label)),
            sample.Id is null ? "null" : Text(sample.Id), Number(sample.Position ?? -1))
        + "]";

    /// <summary>Patches per side of an image; 0 if rows are not patches.</summary>
    private int Patches() => (int)Math.Ceiling(Math.Sqrt(_runs.SelectMany(run => run.Samples).SelectMany(samples => samples)
        .Max(sample => sample.Position + 1) ?? 0));

    private int Intern(string text)
    {
        _texts.TryAdd(text, _texts.Count);
        return _texts[text];
    }

    private static string Field(string name, string value) => $"{name}:{value}";

    private static string List(IEnumerable<string> values) => "[" + string.Join(",", values) + "]";

    // The serializer escapes everything that could end a script or a line.
    private static string Text(string text) => JsonSerializer.Serialize(text);

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Rounded(double? value) =>
        value is { } number && double.IsFinite(number) ? number.ToString("G5", CultureInfo.InvariantCulture) : "null";
}
