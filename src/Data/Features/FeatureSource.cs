using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A file of a set, closed: what its footer says, and where its features are.</summary>
/// <param name="File">The file.</param>
/// <param name="Columns">One column of lists, or one column per dimension.</param>
/// <param name="Dimension">Floats in a row.</param>
internal sealed record FeatureSource(ParquetFile File, IReadOnlyList<ParquetColumn> Columns, int Dimension)
{
    /// <summary>Whether there is a column per dimension.</summary>
    public bool IsWide => Columns[0].IsFlat;

    /// <summary>What the names of folders say about the rows.</summary>
    public FeatureFile Place { get; } = new(File.Path);
}
