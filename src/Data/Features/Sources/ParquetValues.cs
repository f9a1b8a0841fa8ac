using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A column of a Parquet file that holds whole numbers, text, or lists of them.</summary>
/// <param name="file">The file, closed.</param>
/// <param name="column">The column.</param>
/// <param name="kind">What it holds.</param>
internal sealed class ParquetValues(ParquetFile file, ParquetColumn column, LabelKind kind) : ValueColumn
{
    private ParquetFile? _open;

    /// <inheritdoc/>
    public override LabelKind Kind => kind;

    /// <inheritdoc/>
    public override bool AreLists => column.IsList;

    /// <inheritdoc/>
    public override string TypeText => column.ToString();

    /// <inheritdoc/>
    public override IReadOnlyList<string>? ClassNames => FooterMetadata.ClassNames(file.Metadata, column.Name);

    /// <inheritdoc/>
    public override void Read(int rowGroup, ElementReader<Int128> take) => Read(rowGroup, Numbers.WholeNumbers(column), take);

    /// <inheritdoc/>
    public override void Read(int rowGroup, ElementReader<string> take) => Read(rowGroup, FlatColumn.Texts(), take);

    /// <inheritdoc/>
    public override void Dispose() => _open?.Dispose();

    private void Read<T>(int rowGroup, ValueReader<T> values, ElementReader<T> take)
    {
        _open ??= file.Reopen();
        long rows = 0;
        FlatColumn.ReadElements(_open, column, rowGroup, values, (value, isNull, startsRow) =>
        {
            rows += startsRow ? 1 : 0;
            take(value, isNull, startsRow);
        });
        if (rows != file.RowGroups[rowGroup])
        {
            throw file.Failure(column, rowGroup, new CorruptException($"it holds {rows} lists, expected {file.RowGroups[rowGroup]}"));
        }
    }
}
