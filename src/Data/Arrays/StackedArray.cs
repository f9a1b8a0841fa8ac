namespace MonoLoss.Data;

/// <summary>Arrays of one dimension, of the same length and type, as the rows of one array.</summary>
/// <remarks>
/// This is how features by path are kept: each sample is an array of its own, and its name the path. Rows are in the file's order.
/// </remarks>
public sealed class StackedArray : StoredArray
{
    internal const string NameOfRows = "rows";

    private readonly IReadOnlyList<StoredArray> _rows;

    private StackedArray(IReadOnlyList<StoredArray> rows)
        : base(rows[0].Path, NameOfRows, rows[0].Type, [rows.Count, rows[0].Count]) => _rows = rows;

    /// <summary>The arrays' names, one for each row.</summary>
    public IEnumerable<string> Names => _rows.Select(row => row.Name);

    /// <inheritdoc/>
    public override string TypeText => _rows[0].TypeText;

    /// <inheritdoc/>
    public override string? Problem => _rows[0].Problem;

    /// <summary>Stacks arrays if they are two or more and all have the shape D (or 1×D), the same for all, and the same type.</summary>
    /// <returns>Null if they are not.</returns>
    public static StackedArray? Of(IReadOnlyList<StoredArray> arrays) =>
        arrays.Count >= 2 && arrays.All(array => array.Type == arrays[0].Type && array.Problem == arrays[0].Problem
            && array.Count == arrays[0].Count && (array.Shape.Count == 1 || (array.Shape.Count == 2 && array.Rows == 1)))
            ? new StackedArray(arrays)
            : null;

    private protected override void ReadNumbersCore<T>(long firstRow, Span<T> target)
    {
        for (var row = (int)firstRow; !target.IsEmpty; row++)
        {
            _rows[row].ReadAll(target[..(int)RowLength]);
            target = target[(int)RowLength..];
        }
    }

    private protected override void ReadTextsCore(long firstRow, Span<string> target)
    {
        for (var row = (int)firstRow; !target.IsEmpty; row++)
        {
            _rows[row].ReadRows(0, target[..(int)RowLength]);
            target = target[(int)RowLength..];
        }
    }
}
