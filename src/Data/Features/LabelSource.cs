namespace MonoLoss.Data;

/// <summary>Where the labels of a set are: a column or array of its files, files beside them, or one file for all.</summary>
/// <param name="name">The column.</param>
/// <param name="file">The file with the labels of all rows; null for those in or beside the files of the set.</param>
internal sealed class LabelSource(string name, LabelsFile? file = null)
{
    /// <summary>The column.</summary>
    public string Name => name;

    /// <summary>What the labels are called in a message about the whole set.</summary>
    /// <param name="sources">The files of the set.</param>
    public string Title(IReadOnlyList<FeatureSource> sources) =>
        file is null ? $"label {sources[0].Noun} '{name}'" : $"{file.Path}: labels";

    /// <summary>Finds the labels of a file's rows.</summary>
    /// <returns>Null if there are none, except perhaps in the names of folders.</returns>
    /// <exception cref="UnusableLabelsException">They cannot be used.</exception>
    /// <exception cref="DataException">They cannot be read.</exception>
    public ValueColumn? Find(FeatureSource source) =>
        file is not null ? file.For(source)
        : source.FindValues(name) ?? (name == FeatureFile.LabelsName ? LabelsFile.Beside(source) : null);

    /// <summary>The labels of a file, as a message begins.</summary>
    public string Where(FeatureSource source) => file is null ? $"{source.Path}: label {source.Noun} '{name}'" : $"{file.Path}: labels";
}
