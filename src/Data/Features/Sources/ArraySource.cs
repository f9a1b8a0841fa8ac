using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A file of arrays, of numpy, torch or safetensors: rows of one array, with other arrays beside it.</summary>
internal sealed class ArraySource : FeatureSource
{
    private const string Folder = "folder";
    private const string PathName = "path";

    private readonly ArrayFile? _kept;
    private readonly Dictionary<string, LoadedValues> _values = new(StringComparer.Ordinal);
    private readonly FeatureSetOptions _options;
    private readonly long _rows;

    private ArraySource(FeatureFile place, ArrayFile file, StoredArray features, FeatureSetOptions options, ulong hash, bool keepOpen)
        : base(place)
    {
        _kept = keepOpen ? file : null;
        (_options, _rows, Hash) = (options, features.Rows, hash);
        (Name, TypeText, Dimension) = (features.Name, $"{features.TypeText}, {features.ShapeText}", (int)features.RowLength);
        RowGroups = Blocks(features.Rows, Dimension);
        IReadOnlyList<StoredArray> all = [.. file.Arrays, .. (file as TorchFile)?.Lists ?? []];
        ValueNames = features is StackedArray ? [] : [.. Values(all).Select(array => array.Name)];
        Contents = string.Join(", ", all.Take(20).Select(array => $"{array.Name} ({array.TypeText}, {array.ShapeText})"));
        OtherLabelNames = [.. FindOtherLabels(file, features, all)];
    }

    /// <inheritdoc/>
    public override int Dimension { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<long> RowGroups { get; }

    /// <inheritdoc/>
    public override ulong Hash { get; }

    /// <inheritdoc/>
    public override string Noun => "array";

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override string TypeText { get; }

    /// <inheritdoc/>
    public override IEnumerable<string> ValueNames { get; }

    /// <inheritdoc/>
    public override IEnumerable<string> OtherLabelNames { get; }

    /// <inheritdoc/>
    public override string Contents { get; }

    /// <summary>Opens a file.</summary>
    /// <param name="place">The file.</param>
    /// <param name="content">Its bytes if they are in memory.</param>
    /// <param name="options">Which array.</param>
    /// <param name="keepOpen">Whether it stays open.</param>
    /// <returns>Null if it has no rows.</returns>
    /// <exception cref="DataException">It is damaged, or has no array that fits or several.</exception>
    public static ArraySource? Open(FeatureFile place, FileBytes? content, FeatureSetOptions options, bool keepOpen)
    {
        using var bytes = content ?? FileBytes.Open(place.Path);
        var file = content is null ? ArrayFile.Open(place.Path) : ArrayFile.Open(place.Path, content.Memory);
        var kept = false;
        try
        {
            var features = ArrayChoice.Find(file, options);
            if (features.Rows == 0)
            {
                return null;
            }

            var source = new ArraySource(place, file, features, options, FileFingerprint.HashOf(bytes), keepOpen || content is not null);
            kept = source._kept is not null;
            return source;
        }
        catch (Exception exception) when (exception is CorruptException or IOException)
        {
            throw new DataException($"{place.Path}: cannot be read: {exception.Message}", exception);
        }
        finally
        {
            if (!kept)
            {
                file.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public override ValueColumn? FindValues(string name)
    {
        if (!_values.TryGetValue(name, out var values))
        {
            var file = _kept ?? ArrayFile.Open(Path);
            try
            {
                values = Load(file, name);
            }
            finally
            {
                Release(file);
            }

            // One column is used; the others were only tried.
            _values.Clear();
            if (values is not null)
            {
                _values[name] = values;
            }
        }

        return values?.For(this);
    }

    /// <inheritdoc/>
    public override FeatureCursor OpenCursor(FeatureCursor? previous)
    {
        previous?.Dispose();
        return new Cursor(this);
    }

    private void Release(ArrayFile file)
    {
        if (file != _kept)
        {
            file.Dispose();
        }
    }

    private IEnumerable<StoredArray> Values(IEnumerable<StoredArray> arrays) =>
        arrays.Where(array => array.Name != Name && array.Shape.Count > 0 && array.RowLength == 1 && array.Rows == _rows);

    // savez without names counts arrays, and a tuple of tensors has positions for names: labels follow features.
    private IEnumerable<string> FindOtherLabels(ArrayFile file, StoredArray features, IReadOnlyList<StoredArray> all)
    {
        var second = features.Name == "arr_0" ? "arr_1" : features.Name == "0" ? "1" : null;
        if (second is not null && ValueNames.Contains(second) && all.Single(array => array.Name == second) is { Problem: null } labels
            && !labels.Type.IsFloat())
        {
            yield return second;
        }

        if (PathTexts(file, all)?.Any(path => ArrayChoice.FolderOf(path) is not null) == true)
        {
            yield return Folder;
        }
    }

    private IEnumerable<string>? PathTexts(ArrayFile file, IReadOnlyList<StoredArray> all) =>
        Name == StackedArray.NameOfRows && file.Stack() is { } stacked && !int.TryParse(stacked.Names.First(), out _) ? stacked.Names
        : ArrayChoice.Paths(all, _rows)?.ReadTexts();

    private LoadedValues? Load(ArrayFile file, string name)
    {
        IReadOnlyList<StoredArray> all = [.. file.Arrays, .. (file as TorchFile)?.Lists ?? []];
        if (ValueNames.Contains(name) && Values(all).FirstOrDefault(array => array.Name == name) is { } found)
        {
            return ArrayValues.Load(found);
        }

        if (name is Folder or PathName && PathTexts(file, all) is { } paths)
        {
            return new LoadedValues(
                LabelKind.Text, "text", null, [.. name == Folder ? paths.Select(ArrayChoice.FolderOf) : paths]);
        }

        return all.FirstOrDefault(array => array.Name == name && array.Name != Name) is { } other && Name != StackedArray.NameOfRows
            ? throw new UnusableLabelsException($"{Path}: array '{name}' has the shape {other.ShapeText}, expected {_rows} labels")
            : null;
    }

    private sealed class Cursor(ArraySource source) : FeatureCursor
    {
        private ArrayFile? _file;
        private StoredArray? _features;
        private long _row;

        public override void Open(int rowGroup)
        {
            if (_features is null)
            {
                _file = source._kept ?? ArrayFile.Open(source.Path);
                _features = ArrayChoice.Find(_file, source._options);
                if (_features.Rows != source._rows || _features.RowLength != source.Dimension)
                {
                    throw new DataException($"{source.Path}: the file has changed since it was opened");
                }
            }

            _row = source.FirstRow(rowGroup);
        }

        public override void Read(Span<float> rows)
        {
            _features!.ReadRows(_row, rows);
            _row += rows.Length / source.Dimension;
        }

        public override void Dispose()
        {
            if (_file is not null)
            {
                source.Release(_file);
            }
        }
    }
}
