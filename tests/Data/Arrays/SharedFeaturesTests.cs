using System.Text.Json;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Arrays;

/// <summary>The array files of ../shared/interop/features, written by numpy, torch and safetensors: the same rows in all of them.</summary>
public sealed class SharedFeaturesTests
{
    private const int Rows = 200;
    private const int Dims = 24;

    public static TheoryData<string, string, string> Files
    {
        get
        {
            var files = new TheoryData<string, string, string>();
            if (SharedData.Folder is not null)
            {
                using var manifest = JsonDocument.Parse(File.ReadAllBytes(SharedData.File("interop", "features", "manifest.json")));
                foreach (var row in manifest.RootElement.GetProperty("files").EnumerateArray())
                {
                    var file = row.GetProperty("file").GetString()!;
                    if (row.GetProperty("right").GetString() == "read" && ArrayFile.IsKnown(file))
                    {
                        files.Add(file, row.GetProperty("values").GetString()!, row.GetProperty("labels").GetString()!);
                    }
                }
            }

            return files;
        }
    }

    [SharedDataTheory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void Rows_are_those_expected(string name, string values, string labels)
    {
        using var file = ArrayFile.Open(Path(name));
        if (values == "-")
        {
            AssertLabels(Assert.Single(file.Arrays));
            return;
        }

        var features = FindFeatures(file);
        Assert.Equal(Rows, features.Rows);
        Assert.Equal(Dims, features.RowLength);
        AssertRows(values, features);
        if (!labels.StartsWith("none", StringComparison.Ordinal))
        {
            AssertLabels(file.Find(labels == "second" ? "1" : labels.Split(' ')[0]));
        }
    }

    [SharedDataTheory]
    [InlineData("numpy/object.npy", "pickle")]
    [InlineData("numpy/structured.npy", "('features', '<f4', (24,))")]
    [InlineData("numpy/bfloat16_v2.npy", "<V2", "bfloat16")]
    [InlineData("numpy/complex.npy", "<c8")]
    [InlineData("numpy/f4_truncated.npy", "100 bytes are missing")]
    [InlineData("numpy/raw.bin", ".bin")]
    [InlineData("torch/legacy.pt", "legacy")]
    [InlineData("torch/with_numpy.pt", "numpy._core.multiarray._reconstruct")]
    [InlineData("torch/runs_code.pt", "os.getenv")]
    public void Others_are_refused_by_name(string name, params string[] words) =>
        Throws.Line(() => ArrayFile.Open(Path(name)).Dispose(), [Path(name), .. words]);

    [SharedDataFact]
    public void Raw_numbers_are_not_taken_for_npy()
    {
        var bytes = File.ReadAllBytes(Path("numpy/raw.bin"));
        Throws.Line(() => ArrayFile.Open("raw.npy", bytes), "no header");
    }

    [SharedDataFact]
    public void Unreadable_arrays_do_not_hide_others()
    {
        using var objects = ArrayFile.Open(Path("numpy/object_labels.npz"));
        AssertRows("float32", objects.Find("features"));
        Throws.Line(() => objects.Find("labels").ReadTexts(), "'labels'", "pickle");
        using var f8 = ArrayFile.Open(Path("safetensors/f8.safetensors"));
        Throws.Line(() => Assert.Single(f8.Arrays).ReadFloats(), "F8_E4M3");
    }

    [SharedDataFact]
    public void What_a_caller_refuses_shows_its_shape()
    {
        foreach (var name in (string[])["numpy/f4_3d.npy", "torch/tensor_4x6.pt", "safetensors/f32_4x6.safetensors"])
        {
            using var file = ArrayFile.Open(Path(name));
            Assert.Equal("200×4×6", Assert.Single(file.Arrays).ShapeText);
        }

        using var flat = ArrayFile.Open(Path("numpy/f4_1d.npy"));
        Assert.Equal([4800L], Assert.Single(flat.Arrays).Shape);
        using var empty = ArrayFile.Open(Path("numpy/f4_no_rows.npy"));
        Assert.Equal([0L, 24], Assert.Single(empty.Arrays).Shape);
        using var none = ArrayFile.Open(Path("torch/no_tensor.pt"));
        Assert.Empty(none.Arrays);
    }

    [SharedDataFact]
    public void Paths_come_with_the_features()
    {
        using var finetuning = TorchFile.Open(Path("torch/official_finetuning.pt"));
        var paths = Assert.Single(finetuning.Lists);
        Assert.Equal("paths", paths.Name);
        Assert.Equal(Rows, paths.ReadTexts().Distinct().Count());
        foreach (var name in (string[])["torch/path_to_tensor.pt", "torch/path_to_view.pt"])
        {
            using var file = TorchFile.Open(Path(name));
            Assert.All(file.Stack()!.Names, path => Assert.Matches(@"\.(jpg|JPEG)$", path));
        }
    }

    [SharedDataTheory]
    [InlineData("npy")]
    [InlineData("pt")]
    [InlineData("safetensors")]
    public void Shards_are_parts_of_the_rows(string kind)
    {
        var expected = Expected("float32");
        var rows = 0;
        var paths = Directory.GetFiles(Path("shards/" + kind)).ToList();
        paths.Sort(NaturalOrder.Compare);
        foreach (var path in paths)
        {
            using var file = ArrayFile.Open(path);
            var array = Assert.Single(file.Arrays);
            var part = array.ReadFloats();
            AssertBits(expected.AsSpan(rows * Dims, part.Length), part);
            rows += (int)array.Rows;
        }

        Assert.Equal(Rows, rows);
    }

    private static string Path(string name) => SharedData.File(["interop", "features", .. name.Split('/')]);

    private static StoredArray FindFeatures(ArrayFile file) => file.Stack() is { } stacked && stacked.Rows == Rows
        ? stacked
        : file.Arrays.Single(array => array.Shape.Count >= 2 || array.Name == "features");

    private static void AssertRows(string values, StoredArray features)
    {
        var expected = Expected(values);
        AssertBits(expected, features.ReadFloats());
        var part = new float[7 * Dims];
        for (long row = 0; row + 7 <= Rows; row += 31)
        {
            features.ReadRows(row, part);
            AssertBits(expected.AsSpan((int)row * Dims, part.Length), part);
        }
    }

    private static float[] Expected(string values)
    {
        var rounded = values is "float16" or "bfloat16" or "int8" || values.StartsWith("uint8", StringComparison.Ordinal);
        using var file = SafetensorsFile.Open(Path(rounded ? "expected-rounded.safetensors" : "expected.safetensors"));
        var unsigned = values.StartsWith("uint8", StringComparison.Ordinal);
        var name = !rounded ? "features" : unsigned ? "features_int8" : "features_" + values;
        var floats = file.ReadFloats(name);
        return unsigned ? Array.ConvertAll(floats, value => value + 127) : floats;
    }

    private static void AssertBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual) => Assert.Equal(
        expected.ToArray().Select(BitConverter.SingleToInt32Bits), actual.ToArray().Select(BitConverter.SingleToInt32Bits));

    private static void AssertLabels(StoredArray labels)
    {
        string[] texts = ["cat", "dog", "Käfer", "tree frog", "猫"];
        using var file = SafetensorsFile.Open(Path("expected.safetensors"));
        var expected = file.ReadInts("labels");
        if (labels.Type == ElementType.Text)
        {
            Assert.Equal(expected.Select(label => texts[label]), labels.ReadTexts());
        }
        else
        {
            Assert.Equal(expected, labels.ReadIntegers().Select(label => (int)label));
        }
    }
}
