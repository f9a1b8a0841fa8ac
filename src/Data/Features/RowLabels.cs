namespace MonoLoss.Data;

/// <summary>The labels of a row group, as class indexes: one per row, −1 for none; or several.</summary>
/// <param name="Ids">The class of each row, or of each label; null if all rows have the same.</param>
/// <param name="Offsets">For several labels per row: where those of each row start, and the end; null otherwise.</param>
/// <param name="Same">The class of all rows, if there are no <paramref name="Ids"/>.</param>
/// <param name="Rows">Number of rows.</param>
internal readonly record struct GroupLabels(int[]? Ids, int[]? Offsets, int Same, long Rows)
{
    /// <summary>The number of rows that have a label.</summary>
    public long LabelledRows()
    {
        if (Offsets is { } offsets)
        {
            return Enumerable.Range(0, offsets.Length - 1).Count(row => offsets[row] < offsets[row + 1]);
        }

        return Ids is null ? (Same == RowLabels.None ? 0 : Rows) : Ids.Length - (long)Ids.AsSpan().Count(RowLabels.None);
    }
}

/// <summary>The labels of all rows of a set.</summary>
/// <param name="Column">The column.</param>
/// <param name="Kind">What they are.</param>
/// <param name="AreLists">Whether a row has a list of them.</param>
/// <param name="Classes">The distinct labels as they are shown, in the order of the labels.</param>
/// <param name="Numbers">The numbers that they are in the files; null if they are not numbers of 64 bits.</param>
/// <param name="HasNames">Whether classes are shown by names that the files have for the numbers.</param>
/// <param name="Groups">The labels of each row group.</param>
/// <param name="LabelledRows">Number of rows that have a label.</param>
internal sealed record RowLabels(
    string Column,
    LabelKind Kind,
    bool AreLists,
    IReadOnlyList<string> Classes,
    IReadOnlyList<long>? Numbers,
    bool HasNames,
    GroupLabels[] Groups,
    long LabelledRows)
{
    /// <summary>The class index of a row without a label.</summary>
    public const int None = -1;

    /// <summary>Copies the class indexes of rows of a row group, one each.</summary>
    public void CopyTo(int group, int start, Span<int> target)
    {
        var (ids, _, same, _) = Groups[group];
        if (ids is null)
        {
            target.Fill(same);
        }
        else
        {
            ids.AsSpan(start, target.Length).CopyTo(target);
        }
    }

    /// <summary>Adds rows of a row group to a batch.</summary>
    public void AddTo(int group, int start, int count, LabelBatch batch)
    {
        var (ids, offsets, same, _) = Groups[group];
        for (var row = start; row < start + count; row++)
        {
            if (offsets is not null)
            {
                batch.Add(ids.AsSpan(offsets[row]..offsets[row + 1]));
            }
            else
            {
                var id = ids?[row] ?? same;
                batch.Add(id == None ? [] : new ReadOnlySpan<int>(in id));
            }
        }
    }
}
