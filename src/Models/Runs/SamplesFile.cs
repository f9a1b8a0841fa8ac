using System.Globalization;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Models;

/// <summary>A row of samples.parquet.</summary>
/// <param name="Latent">The latent.</param>
/// <param name="Rank">What the row shows of it.</param>
/// <param name="Row">The row, by its number within the set.</param>
/// <param name="Activation">z.</param>
/// <param name="Id">The row's id as text; null if the set has none.</param>
/// <param name="Label">The row's label as it is shown; null if it has none.</param>
/// <param name="Position">The patch of the image; null if rows are not patches.</param>
public sealed record StoredSample(
    int Latent, SampleRank Rank, long Row, double Activation, string? Id, string? Label, int? Position);

/// <summary>samples.parquet: the rows that show what each latent stands for, with their ids, positions (of patches) and labels.</summary>
public static class SamplesFile
{
    private const string Position = "position";

    // Rows whose values are read at a time.
    private const int Block = 1 << 16;

    /// <summary>Writes the file: a row per sample, by latent, rank and falling activation.</summary>
    /// <param name="path">The file.</param>
    /// <param name="samples">The samples, formed over all rows of the set.</param>
    /// <param name="set">The set, whose ids, positions and labels come along.</param>
    /// <returns>What the user should know about ids or positions that could not be read; null if all is well.</returns>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public static string? Write(string path, LatentSamples samples, FeatureSet set)
    {
        var all = samples.All().ToArray();
        List<ParquetData> columns =
        [
            ParquetData.Create("latent", Array.ConvertAll(all, sample => sample.Latent)),
            ParquetData.Create("rank", Array.ConvertAll(all, sample => Name(sample.Rank))),
            ParquetData.Create("row", Array.ConvertAll(all, sample => sample.Row)),
        ];
        List<string> notices = [];
        void Add(string name, string what, Func<RowValues?> find)
        {
            try
            {
                using var values = find();
                if (values is not null)
                {
                    columns.Add(Values(name, all, set, values));
                }
            }
            catch (DataException exception)
            {
                // The column was found by its name, not asked for.
                notices.Add($"samples are without {what}: {exception.Message}");
            }
        }

        Add("id", "ids", () => Found(RowIds.Find(set, out var problem), problem));
        Add(Position, "positions", () => Found(Positions(set, out var problem), problem));
        columns.Add(ParquetData.Create("activation", Array.ConvertAll(all, sample => (double)sample.Activation)));
        columns.AddRange(Labels(all, set));
        ParquetWriter.Write(path, columns);
        return notices.Count == 0 ? null : string.Join("; ", notices);
    }

    /// <summary>Reads the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="wanted">The latents whose samples to keep; null for all.</param>
    /// <exception cref="DataException">The file is missing or damaged.</exception>
    public static IReadOnlyList<StoredSample> Read(string path, IReadOnlySet<int>? wanted = null)
    {
        var table = ParquetTable.Read(path);
        var latents = table.ReadIntegers("latent");
        int[] places = [.. Enumerable.Range(0, latents.Length).Where(i => wanted is null || wanted.Contains((int)latents[i]))];
        T[] Of<T>(T[] values) => Array.ConvertAll(places, i => values[i]);
        var ranks = Of(table.ReadTexts("rank"));
        var rows = Of(table.ReadIntegers("row"));
        var activations = Of(table.ReadDoubles("activation"));
        var (ids, labels) = (Texts("id"), Texts("label"));
        var positions = table.Columns.Contains(Position) ? Of(table.ReadNullableIntegers(Position)) : null;
        return [.. places.Select((place, i) => new StoredSample(
            (int)latents[place], Rank(ranks[i]), rows[i], activations[i], ids?[i], labels?[i], (int?)positions?[i]))];

        string?[]? Texts(string name) => !table.Columns.Contains(name) ? null
            : table.IsText(name) ? Of(table.ReadTexts(name))
            : Array.ConvertAll(Of(table.ReadNullableIntegers(name)), number => number?.ToString(CultureInfo.InvariantCulture));

        SampleRank Rank(string? name) => Enum.GetValues<SampleRank>().Where(rank => Name(rank) == name).Cast<SampleRank?>().FirstOrDefault()
            ?? throw new DataException($"{path}: column 'rank': found '{name}', expected top, middle or bottom");
    }

    private static string Name(SampleRank rank) => rank switch
    {
        SampleRank.Top => "top",
        SampleRank.Middle => "middle",
        _ => "bottom",
    };

    /// <summary>The positions of patches within their images, as extract writes them; null if the set has none.</summary>
    private static RowValues? Positions(FeatureSet set, out string? problem)
    {
        var found = RowValues.Find(set, Position, out problem);
        if (found is not { IsText: true })
        {
            return found;
        }

        found.Dispose();
        return null;
    }

    private static RowValues? Found(RowValues? values, string? problem) =>
        problem is null ? values : throw new DataException(problem);

    /// <summary>The values of the samples' rows: all are read in order, and those are kept.</summary>
    private static ParquetData Values(string name, LatentSample[] samples, FeatureSet set, RowValues values)
    {
        var (integers, texts) = (new Dictionary<long, long?>(), new Dictionary<long, string?>());
        var rows = samples.Select(sample => sample.Row).Distinct().Order().ToArray();
        var next = 0;
        for (long first = 0; next < rows.Length; first += Block)
        {
            var (numbers, words) = values.Read((int)Math.Min(Block, set.Rows - first));
            for (; next < rows.Length && rows[next] < first + Block; next++)
            {
                if (numbers is not null)
                {
                    integers[rows[next]] = numbers[rows[next] - first];
                }
                else
                {
                    texts[rows[next]] = words![rows[next] - first];
                }
            }
        }

        return values.IsText
            ? ParquetData.Create(name, Array.ConvertAll(samples, sample => texts[sample.Row]), nullable: true)
            : ParquetData.Create(name, Array.ConvertAll(samples, sample => integers[sample.Row]));
    }

    /// <summary>The labels: integers, or what is shown for them; several are one text with commas.</summary>
    private static IEnumerable<ParquetData> Labels(LatentSample[] samples, FeatureSet set)
    {
        if (!set.HasLabels)
        {
            yield break;
        }

        var batch = new LabelBatch();
        int[] Of(long row)
        {
            set.GetLabels(row, 1, batch);
            return batch[0].ToArray();
        }

        if (set is { LabelsAreIntegers: true, HasSeveralLabels: false })
        {
            yield return ParquetData.Create(
                "label", Array.ConvertAll(samples, sample => Of(sample.Row) is [var label] ? set.ClassNumbers![label] : (long?)null));
            yield break;
        }

        yield return ParquetData.Create(
            "label",
            Array.ConvertAll(samples, sample => Of(sample.Row) is { Length: > 0 } labels
                ? string.Join(", ", labels.Select(label => set.Classes[label]))
                : null),
            nullable: true);
    }
}
