namespace MonoLoss.Data;

/// <summary>
/// Reads the rows of a <see cref="FeatureSet"/> one after another. However large the row groups are, it holds one page in memory (of each
/// column of features), as it is in the file and decompressed; of compressed Arrow files 64 KiB of each buffer. Not thread-safe, but
/// several readers may read one set.
/// </summary>
public sealed class FeatureReader : IDisposable
{
    private readonly FeatureSet _set;
    private readonly IReadOnlyList<int> _order;
    private FeatureSource? _source;
    private FeatureCursor? _cursor;
    private int _next;
    private FeatureRowGroup? _group;
    private readonly FeatureReader? _similarity;
    private long _row;

    internal FeatureReader(FeatureSet set, IReadOnlyList<int>? order)
    {
        _set = set;
        _order = order ?? [.. Enumerable.Range(0, set.RowGroups.Count)];
        _similarity = set.Similarity?.OpenReader(_order);
    }

    /// <summary>Reads the next rows.</summary>
    /// <param name="features">Room for rows × dimension floats.</param>
    /// <param name="labels">Room for as many class indexes, −1 for a row without a label; or empty.</param>
    /// <param name="similarity">
    /// Room for as many rows of <see cref="FeatureSet.Similarity"/>; empty if they are not wanted, and then in no call of this reader.
    /// </param>
    /// <returns>The number of rows read: fewer than there is room for only at the end, then 0.</returns>
    /// <exception cref="DataException">The data are damaged, null, ragged, or not finite.</exception>
    public int Read(Span<float> features, Span<int> labels = default, Span<float> similarity = default)
    {
        var dimension = _set.Dimension;
        var room = features.Length / dimension;
        if (!labels.IsEmpty && (labels.Length < room || !_set.HasLabels || _set.HasSeveralLabels))
        {
            throw new ArgumentException(
                "the set does not have one label per row, or there is room for fewer labels than rows", nameof(labels));
        }

        var read = 0;
        while (read < room && (_group is not null || NextGroup()))
        {
            var count = (int)Math.Min(room - read, _group!.Rows - _row);
            var rows = features.Slice(read * dimension, count * dimension);
            _cursor!.Read(rows);
            Prepare(rows);
            if (!labels.IsEmpty)
            {
                _set.CopyLabels(_order[_next - 1], (int)_row, labels.Slice(read, count));
            }

            read += count;
            _row += count;
            if (_row == _group.Rows)
            {
                _group = null;
            }
        }

        if (!similarity.IsEmpty)
        {
            _similarity!.Read(similarity[..(read * _set.Similarity!.Dimension)]);
        }

        return read;
    }

    /// <summary>Closes the file being read and frees the buffers.</summary>
    public void Dispose()
    {
        _cursor?.Dispose();
        _similarity?.Dispose();
    }

    private bool NextGroup()
    {
        if (_next == _order.Count)
        {
            return false;
        }

        var index = _order[_next++];
        _group = _set.RowGroups[index];
        _row = 0;
        var source = _set.Source(index);
        if (!ReferenceEquals(source, _source))
        {
            _cursor = source.OpenCursor(_cursor);
            _source = source;
        }

        _cursor!.Open(_group.Index);
        return true;
    }

    private void Prepare(Span<float> rows)
    {
        var dimension = _set.Dimension;
        for (var at = 0; at < rows.Length; at += dimension)
        {
            var row = rows.Slice(at, dimension);
            if (!(_set.Options.Normalize ? UnitLength.TryScale(row) : UnitLength.IsFinite(row)))
            {
                var i = 0;
                while (float.IsFinite(row[i]))
                {
                    i++;
                }

                var element = _source!.IsWide ? "found" : $"element {i} is";
                throw new DataException($"{_group!.File}: {_source.Describe(i)}, row {_group.FirstRow + _row + (at / dimension)}: "
                    + $"{element} "
                    + $"{(float.IsNaN(row[i]) ? "NaN" : "infinite")}, expected a finite float");
            }
        }
    }
}
