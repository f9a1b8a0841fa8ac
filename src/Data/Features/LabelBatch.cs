namespace MonoLoss.Data;

/// <summary>The labels of some rows: none, one or several each, as indexes into <see cref="FeatureSet.Classes"/>.</summary>
public sealed class LabelBatch
{
    private readonly List<int> _ids = [];
    private readonly List<int> _ends = [];

    /// <summary>Number of rows.</summary>
    public int Rows => _ends.Count;

    /// <summary>The classes of a row.</summary>
    public ReadOnlySpan<int> this[int row] =>
        System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids)[(row == 0 ? 0 : _ends[row - 1]).._ends[row]];

    /// <summary>Removes all rows.</summary>
    public void Clear()
    {
        _ids.Clear();
        _ends.Clear();
    }

    /// <summary>Adds a row.</summary>
    /// <param name="classes">Its classes; empty for a row without a label.</param>
    public void Add(ReadOnlySpan<int> classes)
    {
        _ids.AddRange(classes);
        _ends.Add(_ids.Count);
    }
}
