using System.Text.RegularExpressions;
using MonoLoss.Bench;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data;

/// <summary>Every Parquet file of ../shared/interop/features: read to the bit, or refused by a line that names what is wrong.</summary>
public sealed class InteropFeaturesTests
{
    // What the refusal of a file names beyond the file; the rest follows from the table's notes.
    private static readonly Dictionary<string, string[]> Refusals = new()
    {
        ["parquet/pa_nested_4x6_f32.parquet"] = ["'features'", "4 lists of 6 values", "flatten"],
        ["parquet/pa_tensor_4x6_f32.parquet"] = ["'features'", "4×6"],
        ["parquet/pa_binary_f32.parquet"] = ["features (binary(96))"],
        ["parquet/pa_list_of_struct.parquet"] = ["toks.emb (list<list<float32>>, a field of a list of structs)"],
        ["parquet/pa_short_row.parquet"] = ["row 123", "found 23", "expected 24"],
        ["parquet/pa_no_rows.parquet"] = ["no rows"],
        ["parquet/pa_checksum_wrong.parquet"] = ["'features'", "row group 0", "checksum"],
        ["parquet/fp_json.parquet"] = ["features (json)"],
        ["parquet/hf_repo/"] = ["train", "test", "train-*'"],
        ["parquet/spark_ml_vector_sparse/"] = ["'features'", "sparse"],
        ["parquet/spark_ml_vector_sparse_10/"] = ["'features', row 0", "sparse"],
    };

    private static readonly Lazy<InteropTable> Table = new(() => new InteropTable(SharedData.File("interop", "features")));

    private static readonly IReadOnlyList<InteropFile> Files =
        SharedData.Folder is null ? [] : InteropTable.ReadParquet(SharedData.File("interop", "features"));

    public static TheoryData<string> Names => [.. Files.Select(file => file.File).DefaultIfEmpty("")];

    [SharedDataTheory]
    [MemberData(nameof(Names))]
    public void File_is_read_right_or_refused(string name)
    {
        var file = Files.Single(file => file.File == name);
        var path = Table.Value.PathOf(file);
        FeatureSet set;
        float[] values;
        try
        {
            set = FeatureSet.Open(path, new FeatureSetOptions { FeaturesColumn = file.FeaturesColumn, Normalize = false });
            values = new float[set.Rows * set.Dimension];
            using var reader = set.OpenReader();
            Assert.Equal(set.Rows, reader.Read(values));
        }
        catch (DataException exception)
        {
            Assert.NotEqual("read", file.Right);
            Assert.DoesNotContain('\n', exception.Message);
            string[] words = [Path.GetFileName(path), .. Refusal(file)];
            Assert.All(words, word => Assert.Contains(word, exception.Message, StringComparison.Ordinal));
            return;
        }

        Assert.NotEqual("refuse", file.Right);
        Assert.Equal((InteropTable.Rows, InteropTable.Dimension), (set.Rows, set.Dimension));
        Assert.Equal(Table.Value.Values(file).Select(BitConverter.SingleToInt32Bits), values.Select(BitConverter.SingleToInt32Bits));
        AssertLabels(file, set);
    }

    [SharedDataTheory]
    [InlineData("pa_struct_two", "vit.cls, vit.mean")]
    [InlineData("pa_two_lists", "features")]
    public void Several_columns_of_lists_are_named(string name, string columns) => Throws.Line(
        () => FeatureSet.Open(SharedData.File("interop", "features", "parquet", $"{name}.parquet")), columns, "FeaturesColumn");

    [SharedDataTheory]
    [InlineData("arrow/file_list_f32.arrow", "Arrow")]
    [InlineData("arrow/stream_list_f32.arrows", "Arrow")]
    [InlineData("numpy/f4.npy", "npy")]
    [InlineData("numpy/two.npz", "npz")]
    [InlineData("torch/tensor_f32.pt", "PyTorch")]
    [InlineData("torch/legacy.pt", "pickle")]
    [InlineData("safetensors/f32.safetensors", "safetensors")]
    [InlineData("csv/header.csv", "text")]
    [InlineData("hdf5/features_labels.h5", "HDF5")]
    [InlineData("lmdb/dino_features_val.lmdb", "LMDB")]
    [InlineData("lmdb/dino_features_val.lmdb/data.mdb", "LMDB")]
    [InlineData("lance/features.lance", "Lance")]
    [InlineData("hf/save_to_disk", "save_to_disk")]
    [InlineData("hf/dataset_dict", "save_to_disk")]
    [InlineData("webdataset", "tar")]
    [InlineData("shards/npy", "NumPy")]
    public void File_or_folder_of_another_format_is_named(string name, string format) =>
        Throws.Line(() => FeatureSet.Open(SharedData.File(["interop", "features", .. name.Split('/')])), name.Split('/')[^1], format);

    private static string[] Refusal(InteropFile file) => Refusals.TryGetValue(file.File, out var words) ? words
        : file.Note.Contains("encrypted", StringComparison.Ordinal) ? ["encrypted"]
        : Regex.Match(file.Note, "name (?<row>row [0-9]+)") is { Success: true } match ? [match.Groups["row"].Value]
        : throw new ArgumentException($"{file.File}: {file.Note}");

    private static void AssertLabels(InteropFile file, FeatureSet set)
    {
        var expected = Table.Value.Labels(file);
        Assert.Equal(expected is not null, set.HasLabels);
        if (expected is null)
        {
            return;
        }

        var labels = new LabelBatch();
        set.GetLabels(0, (int)set.Rows, labels);
        for (var row = 0; row < expected.Length; row++)
        {
            Assert.Equal(expected[row], labels[row].ToArray().Select(label => set.Classes[label]));
        }
    }
}
