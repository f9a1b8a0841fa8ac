namespace MonoLoss.Data;

/// <summary>What to read from feature files, and how.</summary>
public sealed record FeatureSetOptions
{
    /// <summary>
    /// The column of features, which holds lists of numbers; or a pattern such as <c>f*</c>, <c>f[0-767]</c> or <c>0..23</c> for columns of
    /// numbers, one per dimension, taken in the order of the numbers in their names. Parts are separated by commas; those after <c>!</c>
    /// are left out. A wildcard never takes labels, ids or an index of pandas. Null: the only column that holds lists of numbers.
    /// In files of arrays it names the array; where there is only one without a name it is not used. Of saev's shards it names the layer
    /// and the token: <c>layer 11, cls</c>, or <c>patches</c>, <c>mean</c> or <c>patch 3</c> in place of <c>cls</c>.
    /// </summary>
    public string? FeaturesColumn { get; init; }

    /// <summary>The names of the columns that a pattern must find, as a model was trained on them; null for any.</summary>
    public IReadOnlyList<string>? FeatureNames { get; init; }

    /// <summary>
    /// The column of labels, or the folders that name it (<c>label=3</c>): numbers, text or booleans, or lists of them. Null: the one named
    /// label, labels, class, target or y, if it can be used.
    /// </summary>
    public string? LabelColumn { get; init; }

    /// <summary>
    /// A file with the labels of all rows of the set, in their order: .npy, .npz, .pt, .safetensors, .csv, .tsv, .parquet, or .txt with
    /// one a line. <see cref="LabelColumn"/> names the column or array in it. Null: labels are in the files of the set.
    /// </summary>
    public string? LabelsFile { get; init; }

    /// <summary>Whether labels are read.</summary>
    public bool ReadLabels { get; init; } = true;

    /// <summary>
    /// A second column of features in the same files, another model's embeddings of the same samples, whose directions MonoScore compares
    /// (<see cref="FeatureSet.Similarity"/>); written as <see cref="FeaturesColumn"/>. Null for none.
    /// </summary>
    public string? SimilarityColumn { get; init; }

    /// <summary>Whether rows are scaled to unit length (see <see cref="UnitLength"/>).</summary>
    public bool Normalize { get; init; } = true;
}
