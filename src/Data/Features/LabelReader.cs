using System.Globalization;

namespace MonoLoss.Data;

/// <summary>Reads the labels of all rows of a set. How much memory is taken grows with the labels that there are.</summary>
internal static class LabelReader
{
    // Fewer classes are worth counting, however few rows they have.
    private const int ManyClasses = 100;

    /// <summary>Reads the labels that the options ask for, or those of a column that looks like labels.</summary>
    /// <param name="sources">The files.</param>
    /// <param name="places">The file and the index of every row group, in order.</param>
    /// <param name="options">Which column.</param>
    /// <param name="notices">Receives why a column that looks like labels is not used, and how many rows have no label.</param>
    /// <returns>Null if there are none.</returns>
    /// <exception cref="DataException">The column that was asked for cannot be used, or a column is damaged.</exception>
    public static RowLabels? Read(
        IReadOnlyList<FeatureSource> sources,
        IReadOnlyList<(FeatureSource Source, int RowGroup)> places,
        FeatureSetOptions options,
        ICollection<string> notices)
    {
        if (!options.ReadLabels)
        {
            return null;
        }

        var rows = sources.Sum(source => source.Rows);
        var asked = options.LabelsFile is { } path ? new LabelSource(FeatureFile.LabelsName, LabelsFile.Open(path, options, sources))
            : options.LabelColumn is { } column ? new LabelSource(column)
            : null;
        foreach (var source in asked is not null ? [asked] : LabelColumns.Guess(sources).Select(name => new LabelSource(name)))
        {
            var title = source.Title(sources);
            try
            {
                var labels = Read(sources, places, source);
                var pointless = labels.Classes.Count >= ManyClasses && 2L * labels.Classes.Count > labels.LabelledRows;
                if (pointless)
                {
                    notices.Add($"{title} has {labels.Classes.Count} classes for {labels.LabelledRows} rows, "
                        + $"for which class purity says nothing{(asked is null ? ": not used" : string.Empty)}");
                    if (asked is null)
                    {
                        continue;
                    }
                }

                if (labels.LabelledRows < rows)
                {
                    notices.Add($"{title}: {rows - labels.LabelledRows} of {rows} rows have no label (null, NaN or -1) and are "
                        + "left out of class purity");
                }

                return labels;
            }
            catch (UnusableLabelsException exception)
            {
                if (asked is not null)
                {
                    throw new DataException(exception.Message, exception);
                }

                notices.Add($"{exception.Message}: not used for class purity");
            }
        }

        return null;
    }

    private static RowLabels Read(
        IReadOnlyList<FeatureSource> sources, IReadOnlyList<(FeatureSource Source, int RowGroup)> places, LabelSource labels)
    {
        var (name, title) = (labels.Name, labels.Title(sources));
        var (kind, areLists) = LabelColumns.Check(sources, labels);
        if (kind == LabelKind.Text)
        {
            var texts = new LabelCollector<string>(labels, StringComparer.Ordinal, new TextLabels()).Read(places);
            return Finish(title, new(name, kind, areLists, texts.Sorted, null, false, texts.Groups, 0));
        }

        var names = kind == LabelKind.Number ? ClassNames(sources, labels) : null;
        var (sorted, groups) = new LabelCollector<Int128>(labels, Comparer<Int128>.Default, new NumberLabels()).Read(places);
        if (kind == LabelKind.Number && sorted.Length > 0 && sorted[0] == -1)
        {
            // The usual number for no label; only among other negative numbers it is one as they are.
            sorted = sorted[1..];
            groups = Array.ConvertAll(groups, WithoutFirstClass);
        }

        var fit = kind == LabelKind.Number && sorted.All(number => long.MinValue <= number && number <= long.MaxValue);
        return Finish(title, new(
            name,
            kind,
            areLists,
            [.. sorted.Select(number => Show(number, kind, names))],
            fit ? [.. sorted.Select(number => (long)number)] : null,
            names is not null,
            groups,
            0));
    }

    private static RowLabels Finish(string title, RowLabels labels)
    {
        var labelled = labels.Groups.Sum(group => group.LabelledRows());
        return labelled > 0
            ? labels with { LabelledRows = labelled }
            : throw new UnusableLabelsException($"{title} has no label in any row");
    }

    private static GroupLabels WithoutFirstClass(GroupLabels group)
    {
        if (group.Offsets is not { } offsets)
        {
            return group with
            {
                Ids = group.Ids is null ? null : Array.ConvertAll(group.Ids, id => Math.Max(RowLabels.None, id - 1)),
                Same = Math.Max(RowLabels.None, group.Same - 1),
            };
        }

        var ids = new List<int>();
        var starts = new int[offsets.Length];
        for (var row = 0; row + 1 < offsets.Length; row++)
        {
            ids.AddRange(group.Ids![offsets[row]..offsets[row + 1]].Where(id => id > 0).Select(id => id - 1));
            starts[row + 1] = ids.Count;
        }

        return group with { Ids = [.. ids], Offsets = starts };
    }

    private static string Show(Int128 number, LabelKind kind, IReadOnlyList<string>? names) =>
        kind == LabelKind.Boolean ? (number == 0 ? "false" : "true")
        : names is not null && number >= 0 && number < names.Count ? names[(int)number]
        : number.ToString(CultureInfo.InvariantCulture);

    private static IReadOnlyList<string>? ClassNames(IReadOnlyList<FeatureSource> sources, LabelSource labels)
    {
        IReadOnlyList<string>? names = null;
        string? first = null;
        object? seen = null;
        foreach (var source in sources.Where(source => !ReferenceEquals(source.Metadata, seen)))
        {
            seen = source.Metadata;
            var found = ClassNames(source, labels);
            if (names is not null && found is not null && !names.SequenceEqual(found))
            {
                throw new UnusableLabelsException($"{labels.Where(source)} has other names of classes than in {first}");
            }

            (names, first) = names is null ? (found, source.Path) : (names, first);
        }

        return names;
    }

    private static IReadOnlyList<string>? ClassNames(FeatureSource source, LabelSource labels)
    {
        using var column = labels.Find(source);
        return column?.ClassNames;
    }
}
