using System.Globalization;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Models;

/// <summary>samples.parquet: the rows that show what each latent stands for, with their ids and labels.</summary>
public static class SamplesFile
{
    /// <summary>Writes the file: a row per sample, by latent, rank and falling activation.</summary>
    /// <param name="path">The file.</param>
    /// <param name="samples">The samples, formed over all rows of the set.</param>
    /// <param name="set">The set, whose ids and labels come along.</param>
    /// <returns>What the user should know about ids that could not be read; null if all is well.</returns>
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
        string? notice = null;
        try
        {
            columns.AddRange(Ids(all, set));
        }
        catch (DataException exception)
        {
            // The column was found by its name, not asked for.
            notice = $"samples are without ids: {exception.Message}";
        }

        columns.Add(ParquetData.Create("activation", Array.ConvertAll(all, sample => (double)sample.Activation)));
        columns.AddRange(Labels(all, set));
        ParquetWriter.Write(path, columns);
        return notice;
    }

    private static string Name(SampleRank rank) => rank switch
    {
        SampleRank.Top => "top",
        SampleRank.Middle => "middle",
        _ => "bottom",
    };

    /// <summary>The ids, read one row group at a time; integers, or texts if any of them is one.</summary>
    private static IEnumerable<ParquetData> Ids(LatentSample[] samples, FeatureSet set)
    {
        if (set.IdColumn is null)
        {
            yield break;
        }

        var (integers, texts) = (new Dictionary<long, long?>(), new Dictionary<long, string?>());
        var rows = samples.Select(sample => sample.Row).Distinct().Order().ToArray();
        var next = 0;
        foreach (var group in set.RowGroups)
        {
            var first = next;
            for (; next < rows.Length && rows[next] < group.Start + group.Rows; next++)
            {
            }

            if (next == first)
            {
                continue;
            }

            var ids = set.ReadIds(group.Start, (int)group.Rows);
            foreach (var row in rows[first..next])
            {
                if (ids.Integers is not null)
                {
                    integers[row] = ids.Integers[row - group.Start];
                }
                else
                {
                    texts[row] = ids.Texts![row - group.Start];
                }
            }
        }

        string? Text(long row) =>
            texts.TryGetValue(row, out var text) ? text : integers[row]?.ToString(CultureInfo.InvariantCulture);
        yield return texts.Count == 0
            ? ParquetData.Create("id", Array.ConvertAll(samples, sample => integers[sample.Row]))
            : ParquetData.Create("id", Array.ConvertAll(samples, sample => Text(sample.Row)), nullable: true);
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
