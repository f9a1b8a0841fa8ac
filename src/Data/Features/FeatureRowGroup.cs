namespace MonoLoss.Data;

/// <summary>A row group of a <see cref="FeatureSet"/>.</summary>
/// <param name="File">The file.</param>
/// <param name="Index">Its index in the file.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="FirstRow">The number of its first row within the file.</param>
/// <param name="Start">The number of its first row within the set.</param>
public sealed record FeatureRowGroup(string File, int Index, long Rows, long FirstRow, long Start);
