using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using PhysicalType = Parquet.Meta.Type;

namespace MonoLoss.Vision;

/// <summary>
/// Images in a column of a Parquet file: binary, or Hugging Face's struct of <c>bytes</c> and <c>path</c>. The id of an image is the
/// file's id column's, else its path, else the file's name and the row.
/// </summary>
internal sealed class ParquetImages : ImageSource
{
    private const string BytesField = ".bytes";
    private const string PathField = ".path";
    private const int MaxBytes = 1 << 30;

    private readonly ParquetFile _file;
    private readonly ParquetColumn _images;
    private readonly ParquetColumn? _paths;
    private readonly string? _ids;
    private readonly ParquetColumn? _labels;
    private readonly IReadOnlyList<string>? _classNames;

    private ParquetImages(ParquetFile file, string? imageColumn, string? labelColumn)
        : base(file.Path)
    {
        _file = file;
        _images = FindImages(file, imageColumn);
        var name = _images.Path.EndsWith(BytesField, StringComparison.Ordinal) ? _images.Path[..^BytesField.Length] : null;
        _paths = name is null ? null : file.Columns.FirstOrDefault(column => column.Path == name + PathField && column.IsString);
        _ids = ImageIds.Find(file) is { } ids && file.FindColumn(ids)!.IsTopLevel ? ids : null;
        _labels = FindLabels(file, labelColumn);
        _classNames = _labels is null ? null : FooterMetadata.ClassNames(file.Metadata, _labels.Name);
    }

    /// <inheritdoc/>
    public override long? Count => _file.Rows;

    /// <inheritdoc/>
    internal override string Fingerprint => $"{FileFingerprint(Path)} {_file.Hash:x16} {_images.Path} {_labels?.Path}";

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="imageColumn">The column of images; null to find it.</param>
    /// <param name="labelColumn">The column of labels; null to look for a usual one.</param>
    /// <exception cref="DataException">The file cannot be read, or has no such column.</exception>
    public static ParquetImages Open(string path, string? imageColumn, string? labelColumn)
    {
        // There may be more files than a process may have open.
        using var file = ParquetFile.Open(path);
        return new ParquetImages(file, imageColumn, labelColumn);
    }

    /// <inheritdoc/>
    public override long Read(long skip, Action<ImageEntry> take)
    {
        using var file = _file.Reopen();
        long first = 0;
        for (var group = 0; group < file.RowGroups.Count; group++)
        {
            if (skip >= file.RowGroups[group])
            {
                skip -= file.RowGroups[group];
            }
            else
            {
                ReadGroup(file, group, first, skip, take);
                skip = 0;
            }

            first += file.RowGroups[group];
        }

        return skip;
    }

    private void ReadGroup(ParquetFile file, int group, long firstRow, long skip, Action<ImageEntry> take)
    {
        var ids = Ids(file, group);
        var labels = Labels(file, group);
        var row = 0;
        FlatColumn.Read(file, _images, group, new BytesReader<byte[]>(0, Copy), (bytes, isNull) =>
        {
            var index = row++;
            if (index >= skip)
            {
                var id = ids?[index] ?? $"{System.IO.Path.GetFileName(Path)}:{firstRow + index}";
                take(new ImageEntry(
                    id, labels?[index], () => isNull ? throw new DamagedImageException("the row has no image") : bytes));
            }
        });
    }

    private string?[]? Ids(ParquetFile file, int group)
    {
        if (_ids is not null)
        {
            var (integers, texts) = ImageIds.Read(file, _ids, group);
            return texts ?? Array.ConvertAll(integers!, Text);
        }

        return _paths is null ? null : Texts(file, _paths, group);
    }

    private string?[]? Labels(ParquetFile file, int group)
    {
        if (_labels is null)
        {
            return null;
        }

        if (_labels.IsString)
        {
            return Texts(file, _labels, group);
        }

        var labels = new List<string?>();
        FlatColumn.ReadIntegers(file, _labels, group, (value, isNull) =>
            labels.Add(isNull ? null : _classNames is not null && value >= 0 && value < _classNames.Count
                ? _classNames[(int)value]
                : Text(value)));
        return [.. labels];
    }

    private static string?[] Texts(ParquetFile file, ParquetColumn column, int group)
    {
        var texts = new List<string?>();
        FlatColumn.ReadTexts(file, column, group, (value, isNull) => texts.Add(isNull ? null : value));
        return [.. texts];
    }

    private static string? Text(long? value) => value?.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static byte[] Copy(ReadOnlySpan<byte> bytes) => bytes.Length <= MaxBytes
        ? bytes.ToArray()
        : throw new CorruptException($"an image of {bytes.Length} bytes, expected at most {MaxBytes}");

    private static ParquetColumn FindImages(ParquetFile file, string? name)
    {
        // Old writers do not mark text as such: a binary column named as labels or ids are is not taken for images.
        List<ParquetColumn> binary =
        [
            .. file.Columns.Where(column => column is { IsFlat: true, Type: PhysicalType.BYTE_ARRAY, Logical.Kind: LogicalKind.None }),
        ];
        var structs = binary.FindAll(column => column.Path.EndsWith(BytesField, StringComparison.Ordinal));
        var candidates = structs.Count > 0 && name is null
            ? structs
            : binary.FindAll(column => structs.Contains(column)
                || (column.IsTopLevel && !LabelColumns.IsUsualName(column.Name) && column.Name != ImageIds.Find(file)));
        if (name is not null)
        {
            return candidates.Find(column => column.Path == name || column.Path == name + BytesField)
                ?? throw new DataException($"{file.Path}: no column '{name}' of images; {Describe(candidates)}");
        }

        return candidates.Count == 1
            ? candidates[0]
            : throw new DataException($"{file.Path}: {Describe(candidates)}", property: candidates.Count > 1 ? "ImageColumn" : null);
    }

    private static string Describe(List<ParquetColumn> candidates) => candidates.Count == 0
        ? "it has no binary column, nor one of Hugging Face's images"
        : $"columns that may be images: {string.Join(", ", candidates.Select(column => column.Path))}; name one with --image-column";

    private static ParquetColumn? FindLabels(ParquetFile file, string? name)
    {
        if (name is null)
        {
            return file.Columns.FirstOrDefault(column => IsLabel(column) && column.IsTopLevel && LabelColumns.IsUsualName(column.Name));
        }

        var labels = file.FindColumn(name) ?? throw new DataException($"{file.Path}: no column '{name}'");
        return IsLabel(labels)
            ? labels
            : throw new DataException($"{file.Path}: column '{name}' holds {labels}, expected integers or text");
    }

    private static bool IsLabel(ParquetColumn column) => column.IsFlat && (column.IsInteger || column.IsString);
}
