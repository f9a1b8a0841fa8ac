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

        foreach (var name in options.LabelColumn is { } asked ? [asked] : LabelColumns.Guess(sources))
        {
            try
            {
                var labels = Read(sources, places, name);
                var rows = sources.Sum(source => source.File.Rows);
                var pointless = labels.Classes.Count >= ManyClasses && 2L * labels.Classes.Count > labels.LabelledRows;
                if (pointless)
                {
                    notices.Add($"label column '{name}' has {labels.Classes.Count} classes for {labels.LabelledRows} rows, "
                        + $"for which class purity says nothing{(options.LabelColumn is null ? ": not used" : string.Empty)}");
                    if (options.LabelColumn is null)
                    {
                        continue;
                    }
                }

                if (labels.LabelledRows < rows)
                {
                    notices.Add($"label column '{name}': {rows - labels.LabelledRows} of {rows} rows have no label (null, NaN or -1) "
                        + "and are left out of class purity");
                }

                return labels;
            }
            catch (UnusableLabelsException exception)
            {
                if (options.LabelColumn is not null)
                {
                    throw new DataException(exception.Message, exception);
                }

                notices.Add($"{exception.Message}: not used for class purity");
            }
        }

        return null;
    }

    private static RowLabels Read(
        IReadOnlyList<FeatureSource> sources, IReadOnlyList<(FeatureSource Source, int RowGroup)> places, string name)
    {
        var (kind, areLists) = LabelColumns.Check(sources, name);
        if (kind == LabelKind.Text)
        {
            var texts = new LabelCollector<string>(name, StringComparer.Ordinal, new TextLabels()).Read(places);
            return Finish(name, kind, areLists, texts.Sorted, null, false, texts.Groups);
        }

        var names = kind == LabelKind.Number ? ClassNames(sources, name) : null;
        var (sorted, groups) = new LabelCollector<Int128>(name, Comparer<Int128>.Default, new NumberLabels()).Read(places);
        if (kind == LabelKind.Number && sorted.Length > 0 && sorted[0] == -1)
        {
            // The usual number for no label; only among other negative numbers it is one as they are.
            sorted = sorted[1..];
            groups = Array.ConvertAll(groups, WithoutFirstClass);
        }

        var fit = kind == LabelKind.Number && sorted.All(number => long.MinValue <= number && number <= long.MaxValue);
        return Finish(
            name,
            kind,
            areLists,
            [.. sorted.Select(number => Show(number, kind, names))],
            fit ? [.. sorted.Select(number => (long)number)] : null,
            names is not null,
            groups);
    }

    private static RowLabels Finish(
        string name, LabelKind kind, bool areLists, string[] classes, long[]? numbers, bool hasNames, GroupLabels[] groups)
    {
        var labelled = groups.Sum(group => group.LabelledRows());
        return labelled > 0
            ? new RowLabels(name, kind, areLists, classes, numbers, hasNames, groups, labelled)
            : throw new UnusableLabelsException($"label column '{name}' has no label in any row");
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

    private static IReadOnlyList<string>? ClassNames(IReadOnlyList<FeatureSource> sources, string name)
    {
        IReadOnlyList<string>? names = null;
        string? first = null;
        IReadOnlyDictionary<string, string>? seen = null;
        foreach (var file in sources.Select(source => source.File).Where(file => !ReferenceEquals(file.Metadata, seen)))
        {
            seen = file.Metadata;
            var found = FooterMetadata.ClassNames(file.Metadata, name);
            if (names is not null && found is not null && !names.SequenceEqual(found))
            {
                throw new UnusableLabelsException($"{file.Path}: label column '{name}' has other names of classes than in {first}");
            }

            (names, first) = names is null ? (found, file.Path) : (names, first);
        }

        return names;
    }
}
