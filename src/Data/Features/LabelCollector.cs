using System.Globalization;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>How labels of a type are read.</summary>
internal interface ILabelFormat<T>
{
    /// <summary>Reads the values of a row group.</summary>
    void Read(ValueColumn column, int rowGroup, ElementReader<T> take);

    /// <summary>The label that the name of a folder gives.</summary>
    T Parse(string text);

    /// <summary>Whether a value stands for no label.</summary>
    bool IsMissing(T value);

    /// <summary>Why a value is not a label; null if it is one.</summary>
    string? Problem(T value);
}

/// <summary>Labels that are text.</summary>
internal sealed class TextLabels : ILabelFormat<string>
{
    /// <inheritdoc/>
    public void Read(ValueColumn column, int rowGroup, ElementReader<string> take) => column.Read(rowGroup, take);

    /// <inheritdoc/>
    public string Parse(string text) => text;

    /// <inheritdoc/>
    public bool IsMissing(string value) => false;

    /// <inheritdoc/>
    public string? Problem(string value) => null;
}

/// <summary>Labels that are whole numbers, or booleans.</summary>
internal sealed class NumberLabels : ILabelFormat<Int128>
{
    /// <inheritdoc/>
    public void Read(ValueColumn column, int rowGroup, ElementReader<Int128> take) => column.Read(rowGroup, take);

    /// <inheritdoc/>
    public Int128 Parse(string text) => Int128.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public bool IsMissing(Int128 value) => value == WholeNumber.Missing;

    /// <inheritdoc/>
    public string? Problem(Int128 value) => value == WholeNumber.NotWhole ? "a number that is not whole, or too large" : null;
}

/// <summary>Reads labels and numbers their classes.</summary>
/// <param name="labels">The columns.</param>
/// <param name="order">The order of the classes.</param>
/// <param name="format">How labels are read.</param>
internal sealed class LabelCollector<T>(LabelSource labels, IComparer<T> order, ILabelFormat<T> format)
    where T : notnull
{
    private readonly Dictionary<T, int> _ids = [];

    /// <summary>Reads the labels of row groups.</summary>
    /// <param name="places">The file and the index of every row group.</param>
    /// <returns>The classes in order, and the rows' indexes into them.</returns>
    /// <exception cref="UnusableLabelsException">A value is not a label.</exception>
    /// <exception cref="DataException">A column is damaged.</exception>
    public (T[] Sorted, GroupLabels[] Groups) Read(IReadOnlyList<(FeatureSource Source, int RowGroup)> places)
    {
        var groups = new GroupLabels[places.Count];
        for (var g = 0; g < groups.Length;)
        {
            var source = places[g].Source;
            using var column = labels.Find(source);
            for (; g < groups.Length && ReferenceEquals(places[g].Source, source); g++)
            {
                groups[g] = ReadGroup(source, column, places[g].RowGroup);
            }
        }

        var sorted = _ids.Keys.Order(order).ToArray();
        var renamed = new int[sorted.Length];
        for (var i = 0; i < sorted.Length; i++)
        {
            renamed[_ids[sorted[i]]] = i;
        }

        for (var g = 0; g < groups.Length; g++)
        {
            foreach (ref var id in groups[g].Ids.AsSpan())
            {
                id = id == RowLabels.None ? id : renamed[id];
            }

            groups[g] = groups[g] with { Same = groups[g].Same == RowLabels.None ? RowLabels.None : renamed[groups[g].Same] };
        }

        return (sorted, groups);
    }

    private GroupLabels ReadGroup(FeatureSource source, ValueColumn? column, int rowGroup)
    {
        if (column is null)
        {
            source.File.TryGetFolderValue(labels.Name, out var text);
            return new GroupLabels(null, null, text is null ? RowLabels.None : IdOf(format.Parse(text)), source.RowGroups[rowGroup]);
        }

        return column.AreLists ? ReadLists(source, column, rowGroup) : ReadFlat(source, column, rowGroup);
    }

    private GroupLabels ReadFlat(FeatureSource source, ValueColumn column, int rowGroup)
    {
        var ids = new List<int>();
        format.Read(column, rowGroup, (value, isNull, _) => ids.Add(
            isNull || format.IsMissing(value) ? RowLabels.None : IdOf(Checked(source, source.FirstRow(rowGroup) + ids.Count, value))));
        return new GroupLabels([.. ids], null, RowLabels.None, ids.Count);
    }

    private GroupLabels ReadLists(FeatureSource source, ValueColumn column, int rowGroup)
    {
        var ids = new List<int>();
        var offsets = new List<int>();
        format.Read(column, rowGroup, (value, isNull, startsRow) =>
        {
            if (startsRow)
            {
                offsets.Add(ids.Count);
            }

            if (!isNull && !format.IsMissing(value))
            {
                ids.Add(IdOf(Checked(source, source.FirstRow(rowGroup) + offsets.Count - 1, value)));
            }
        });
        var rows = offsets.Count;
        offsets.Add(ids.Count);
        return new GroupLabels([.. ids], [.. offsets], RowLabels.None, rows);
    }

    private T Checked(FeatureSource source, long row, T value) => format.Problem(value) is { } problem
        ? throw new UnusableLabelsException($"{labels.Where(source)}, row {row}: found {problem}")
        : value;

    private int IdOf(T label)
    {
        if (!_ids.TryGetValue(label, out var id))
        {
            id = _ids.Count;
            _ids.Add(label, id);
        }

        return id;
    }
}
