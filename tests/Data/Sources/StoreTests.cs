using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Sources;

/// <summary>Stores of LMDB, saev's shards, folders of Hugging Face's save_to_disk, and folders of shards.</summary>
public sealed class StoreTests : IDisposable
{
    private static readonly float[][] Rows = [.. SourceFiles.Values.Chunk(SourceFiles.Dimension)];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, "(8,)")]
    [InlineData(true, "(8,)")]
    [InlineData(false, "(1, 8)")]
    public void Lmdb_rows_go_by_number(bool overflow, string shape)
    {
        Write("s.lmdb/data.mdb", SourceFiles.Lmdb(Rows, shape, overflow));
        Assert.Equal(SourceFiles.Values, SourceFiles.Read(SourceFiles.Open(_folder["s.lmdb"])));
        Assert.Equal(SourceFiles.Values, SourceFiles.Read(SourceFiles.Open(_folder["s.lmdb/data.mdb"])));
        Assert.Equal(["data.mdb"], Directory.GetFiles(_folder["s.lmdb"]).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("(8,)", 3, null, "row 3 is missing")]
    [InlineData("(8,)", 19, null, "row 19 is missing")]
    [InlineData("(2, 4)", null, null, "(2, 4)")]
    [InlineData("(9,)", null, null, "(9,)")]
    [InlineData("(8,)", null, "21", "expected 21")]
    public void Lmdb_store_that_is_not_whole_is_refused(string shape, int? without, string? length, string word)
    {
        Write("s.lmdb/data.mdb", SourceFiles.Lmdb(Rows, shape, false, without, length));
        Throws.Line(() => SourceFiles.Open(_folder["s.lmdb"]), "s.lmdb", word);
    }

    [Fact]
    public void Cut_lmdb_store_is_refused()
    {
        var bytes = SourceFiles.Lmdb(Rows, "(8,)", true);
        for (var length = 0; length < bytes.Length; length += 1000)
        {
            Throws.Line(() => FeatureSet.Open("data.mdb", bytes.AsMemory(0, length)), "data.mdb");
        }
    }

    [Theory]
    [InlineData("layer 5, cls", 50, 0)]
    [InlineData("layer 3, patch 1", 30, 2)]
    public void Saev_rows_are_of_a_layer_and_a_token(string choice, int layer, int token)
    {
        WriteShards();
        Assert.Equal(
            Enumerable.Range(0, 5).SelectMany(image => new[] { Value(image, layer, token, 0), Value(image, layer, token, 1) }),
            SourceFiles.Read(SourceFiles.Open(_folder["saev"], choice)));
    }

    [Fact]
    public void Saev_patches_are_rows_or_their_mean_is()
    {
        WriteShards();
        var patches = SourceFiles.Read(SourceFiles.Open(_folder["saev"], "layer 5, patches"));
        Assert.Equal(
            Enumerable.Range(0, 5).SelectMany(image => new[] { 1, 2 }.SelectMany(token =>
                new[] { Value(image, 50, token, 0), Value(image, 50, token, 1) })), patches);
        var mean = SourceFiles.Read(SourceFiles.Open(_folder["saev"], "layer 5, mean"));
        Assert.Equal(patches.Chunk(4).SelectMany(image => new[] { (image[0] + image[2]) / 2, (image[1] + image[3]) / 2 }), mean);
    }

    [Fact]
    public void Saev_shard_of_another_size_is_named()
    {
        WriteShards();
        File.WriteAllBytes(_folder["saev/acts000001.bin"], new byte[40]);
        Throws.Line(() => SourceFiles.Read(SourceFiles.Open(_folder["saev"], "layer 3, cls")), "acts000001.bin", "found 40 bytes");
    }

    [Fact]
    public void Saved_data_set_has_its_files_in_the_order_of_its_state()
    {
        Directory.CreateDirectory(_folder["hf"]);
        SourceFiles.WriteArrow(_folder["hf/b.arrow"], false, null, 20);
        SourceFiles.WriteArrow(_folder["hf/a.arrow"], false, null, 5);
        File.WriteAllText(_folder["hf/dataset_info.json"], "{}");
        File.WriteAllText(_folder["hf/state.json"], """{"_data_files": [{"filename": "b.arrow"}, {"filename": "a.arrow"}]}""");
        Assert.Equal(["b.arrow", "a.arrow"], SourceFiles.Open(_folder["hf"]).Files.Select(Path.GetFileName));
        File.WriteAllText(_folder["hf/state.json"], """{"_data_files": [{"filename": "../b.arrow"}]}""");
        Throws.Line(() => SourceFiles.Open(_folder["hf"]), "state.json", "'../b.arrow'");
        File.WriteAllText(_folder["hf/state.json"], "[]");
        Throws.Line(() => SourceFiles.Open(_folder["hf"]), "state.json");
    }

    [Fact]
    public void Folder_of_shards_goes_by_number_with_labels_beside()
    {
        foreach (var shard in new[] { 0, 1, 2, 10 })
        {
            WriteNpy($"d/features_{shard}.npy", [2, 1], [shard, shard + 0.5f]);
            WriteNpy($"d/labels_{shard}.npy", [2], [shard, 7]);
        }

        var set = SourceFiles.Open(_folder["d"]);
        Assert.Equal([0, 0.5f, 1, 1.5f, 2, 2.5f, 10, 10.5f], SourceFiles.Read(set));
        Assert.Equal(["0", "7", "1", "7", "2", "7", "10", "7"], SourceFiles.Labels(set));
        WriteNpy("d/labels_2.npy", [3], [1, 2, 3]);
        Throws.Line(() => SourceFiles.Open(_folder["d"]), "labels_2.npy", "3 labels", "expected 2");
        File.Delete(_folder["d/features_2.npy"]);
        Throws.Line(() => SourceFiles.Open(_folder["d"]), "labels_2.npy", "features_2.npy");
        File.WriteAllText(_folder["d/a.csv"], "1,2\n");
        Throws.Line(() => SourceFiles.Open(_folder["d"]), "2 formats", ".npy", "CSV");
    }

    private static float Value(int image, int layer, int token, int d) => (image * 1000) + layer + (token * 4) + d;

    // Two images a shard: the last shard has one and zeros.
    private void WriteShards()
    {
        Directory.CreateDirectory(_folder["saev"]);
        File.WriteAllText(_folder["saev/metadata.json"], """
            {"layers": [3, 5], "n_patches_per_img": 2, "cls_token": true, "d_vit": 2, "n_imgs": 5, "n_patches_per_shard": 12}
            """);
        for (var shard = 0; shard < 3; shard++)
        {
            var values = from image in new[] { 2 * shard, (2 * shard) + 1 }
                         from layer in new[] { 30, 50 }
                         from token in new[] { 0, 1, 2 }
                         from d in new[] { 0, 1 }
                         select image < 5 ? Value(image, layer, token, d) : 0;
            File.WriteAllBytes(_folder[$"saev/acts00000{shard}.bin"], [.. values.SelectMany(BitConverter.GetBytes)]);
        }
    }

    private void WriteNpy(string name, int[] shape, float[] values) => Write(name, Arrays.TestNpy.File(
        "'<f4'", $"({string.Join(", ", shape)},)", [.. values.SelectMany(BitConverter.GetBytes)]));

    private void Write(string name, byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        File.WriteAllBytes(_folder[name], bytes);
    }
}
