using System.Text.RegularExpressions;
using MonoLoss.Bench;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data;

/// <summary>Every file of ../shared/interop/features: read to the bit, or refused by a line that names what is wrong.</summary>
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
        ["hf/dataset_dict/"] = ["test, train"],
        ["numpy/f4_3d.npy"] = ["200×4×6", "4 tokens of 6", "reshape"],
        ["numpy/f4_1d.npy"] = ["one dimension", "no rows"],
        ["numpy/f4_no_rows.npy"] = ["no rows"],
        ["numpy/object.npy"] = ["pickle"],
        ["numpy/structured.npy"] = ["features", "<f4"],
        ["numpy/bfloat16_v2.npy"] = ["V2"],
        ["numpy/complex.npy"] = ["<c8"],
        ["numpy/f4_truncated.npy"] = ["100 bytes are missing"],
        ["numpy/raw.bin"] = ["header", "reshape"],
        ["numpy/two.npz"] = ["FeaturesColumn"],
        ["torch/tensor_4x6.pt"] = ["4 tokens of 6", "reshape"],
        ["torch/legacy.pt"] = ["1.6"],
        ["torch/with_numpy.pt"] = ["numpy"],
        ["torch/no_tensor.pt"] = ["no array"],
        ["torch/runs_code.pt"] = ["os.getenv"],
        ["safetensors/two.safetensors"] = ["FeaturesColumn"],
        ["safetensors/rows.safetensors"] = ["order", "names"],
        ["safetensors/f8.safetensors"] = ["F8_E4M3"],
        ["safetensors/f32_4x6.safetensors"] = ["4 tokens of 6", "reshape"],
        ["csv/german.csv"] = ["semicolon", "decimal comma"],
        ["csv/list_in_a_cell.csv"] = ["'features'", "list"],
        ["csv/missing.csv"] = ["row 12", "'f3'"],
        ["lmdb/hole.lmdb/"] = ["row 123"],
        ["saev/two_layers/"] = ["layers 10, 11", "cls", "patch", "FeaturesColumn"],
        ["saev/one_layer/"] = ["layers -2", "cls", "FeaturesColumn"],
        ["hdf5/features_labels.h5"] = ["HDF5", "h5py"],
        ["webdataset/"] = ["tar", "webdataset"],
        ["lance/features.lance/"] = ["Lance", "pyarrow"],
        ["shards/npy_dims_differ/"] = ["features_2.npy", "23", "24"],
        ["shards/mixed_kinds/"] = [".npy", "safetensors"],
    };

    private static readonly Lazy<InteropTable> Table = new(() => new InteropTable(SharedData.File("interop", "features")));

    private static readonly IReadOnlyList<InteropFile> Files =
        SharedData.Folder is null ? [] : InteropTable.Read(SharedData.File("interop", "features")).Where(file => file.Values != "-"
            || file.Right != "read").ToList();

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
        var expected = Table.Value.Values(file);
        Assert.Equal((expected.Length / InteropTable.Dimension, InteropTable.Dimension), (set.Rows, set.Dimension));
        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), values.Select(BitConverter.SingleToInt32Bits));
        AssertLabels(file, set);
    }

    [SharedDataTheory]
    [InlineData("pa_struct_two", "vit.cls, vit.mean")]
    [InlineData("pa_two_lists", "features")]
    public void Several_columns_of_lists_are_named(string name, string columns) => Throws.Line(
        () => FeatureSet.Open(SharedData.File("interop", "features", "parquet", $"{name}.parquet")), columns, "FeaturesColumn");

    [SharedDataTheory]
    [InlineData("two_layers", "layer 11, patch 0", 0)]
    [InlineData("two_layers", "layer 11, patches", 0)]
    [InlineData("two_layers", "layer 11, mean", 0)]
    [InlineData("two_layers", "layer 11, cls", -1)]
    [InlineData("two_layers", "layer 10, cls", 7)]
    [InlineData("two_layers", "layer 10, patches", -7)]
    [InlineData("one_layer", "layer -2, cls", 0)]
    public void Layer_and_token_of_shards_of_saev_are_chosen(string name, string choice, int constant)
    {
        var expected = Table.Value.Values(new InteropFile("", "", "float32", "", "", ""));
        expected = constant switch
        {
            0 => expected,
            -1 => [.. expected.Chunk(InteropTable.Dimension).Reverse().SelectMany(row => row)],
            _ => [.. expected.Select(_ => (float)constant)],
        };
        Assert.Equal(expected, Read(Folder("saev", name), choice));
    }

    [SharedDataTheory]
    [InlineData("layer 12, cls")]
    [InlineData("layer 11, patch 1")]
    [InlineData("cls")]
    public void Layer_or_token_that_saev_does_not_have_is_refused(string choice) => Throws.Line(
        () => Read(Folder("saev", "two_layers"), choice), "two_layers", choice, "layers 10, 11");

    [SharedDataTheory]
    [InlineData("numpy/two.npz", "safetensors/two.safetensors")]
    public void Array_is_chosen_by_name(params string[] names)
    {
        foreach (var name in names)
        {
            using var file = ArrayFile.Open(Folder(name.Split('/')));
            foreach (var array in file.Arrays)
            {
                Assert.Equal(array.ReadFloats(), Read(Folder(name.Split('/')), array.Name));
            }
        }
    }

    [SharedDataTheory]
    [InlineData("numpy/labels_i64.npy", "label")]
    [InlineData("numpy/labels_text.npy", "label (text)")]
    [InlineData("numpy/features_labels.npz", "label")]
    [InlineData("torch/features_labels.pt", "label")]
    [InlineData("parquet/pa_list_f32.parquet", "label")]
    [InlineData("parquet/pa_label_dict_text.parquet", "label (text)")]
    [InlineData("csv/header_label.csv", "label (text)")]
    public void Labels_are_taken_from_a_second_file(string name, string labels)
    {
        var set = FeatureSet.Open(Folder("shards", "npy"), new FeatureSetOptions { LabelsFile = Folder(name.Split('/')) });
        AssertLabels(new InteropFile("", "", "float32", labels, "", ""), set);
    }

    [SharedDataFact]
    public void Labels_of_another_number_are_refused() => Throws.Line(
        () => FeatureSet.Open(Folder("csv", "tabs.tsv"), new FeatureSetOptions
        {
            FeaturesColumn = "f*", LabelsFile = Folder("numpy", "labels_i64.npy"),
        }),
        "labels_i64.npy",
        "200 labels",
        "expected 20");

    private static string Folder(params string[] names) => SharedData.File(["interop", "features", .. names]);

    private static float[] Read(string path, string column)
    {
        var set = FeatureSet.Open(path, new FeatureSetOptions { FeaturesColumn = column, Normalize = false });
        var values = new float[set.Rows * set.Dimension];
        using var reader = set.OpenReader();
        Assert.Equal(set.Rows, reader.Read(values));
        return values;
    }

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
