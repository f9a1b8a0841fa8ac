using MonoLoss.Data;
using MonoLoss.Tests.Data.Arrays;

namespace MonoLoss.Tests.Data.Sources;

/// <summary>Which array of a file is the features, which the labels.</summary>
public sealed class ArraySourceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Preferred_array_is_taken_beside_labels_and_ids()
    {
        Write("a.safetensors", SafeTensor.Create("x", [2, 2], [1f, 2, 3, 4]), SafeTensor.Create("label", [2, 1], [5L, 6]),
            SafeTensor.Create("id", [2, 3], new long[6]));
        var set = SourceFiles.Open(_folder["a.safetensors"]);
        Assert.Equal([1, 2, 3, 4], SourceFiles.Read(set));
        Assert.Equal(["5", "6"], SourceFiles.Labels(set));
    }

    [Fact]
    public void Several_arrays_are_named_and_one_is_chosen()
    {
        Write("a.safetensors", SafeTensor.Create("x", [2, 1], [1f, 2]), SafeTensor.Create("other", [2, 1], [3f, 4]));
        Throws.Line(() => SourceFiles.Open(_folder["a.safetensors"]), "x (float32, 2×1)", "other (float32, 2×1)", "FeaturesColumn");
        Assert.Equal([3, 4], SourceFiles.Read(SourceFiles.Open(_folder["a.safetensors"], "other")));
        Throws.Line(() => SourceFiles.Open(_folder["a.safetensors"], "z"), "no array 'z'", "x, other");
    }

    [Fact]
    public void Folder_in_a_path_is_the_class()
    {
        var dictionary = TorchItem.Dictionary(
            SafeTensor.Create("train/b/1.jpg", [2], [1f, 2]), SafeTensor.Create("train/a/2.jpg", [2], [3f, 4]));
        TorchWriter.Write(_folder["d.pt"], dictionary);
        var set = SourceFiles.Open(_folder["d.pt"]);
        Assert.Equal([1, 2, 3, 4], SourceFiles.Read(set));
        Assert.Equal(["b", "a"], SourceFiles.Labels(set));
        var paths = TorchItem.List(TorchItem.Of("b/1.jpg"), TorchItem.Of("2.jpg"));
        TorchWriter.Write(_folder["f.pt"], TorchItem.Dictionary(
            KeyValuePair.Create("features", TorchItem.Of(SafeTensor.Create("f", [2, 1], [1f, 2]))), KeyValuePair.Create("paths", paths)));
        Assert.Equal(["b", ""], SourceFiles.Labels(SourceFiles.Open(_folder["f.pt"])));
    }

    [Fact]
    public void Row_that_is_not_finite_is_named()
    {
        Write("a.safetensors", SafeTensor.Create("x", [2, 2], [1f, 2, 3, float.NaN]));
        Throws.Line(() => SourceFiles.Read(SourceFiles.Open(_folder["a.safetensors"])), "a.safetensors", "array 'x', row 1", "element 1 is "
            + "NaN");
    }

    [Fact]
    public void Many_files_are_read_in_any_order()
    {
        for (var i = 0; i < 40; i++)
        {
            File.WriteAllBytes(_folder[$"{i}.npy"], TestNpy.File("'<f4'", "(1, 1)", BitConverter.GetBytes(i + 0.5f)));
        }

        var set = SourceFiles.Open(_folder.Path);
        using var reader = set.OpenReader([.. Enumerable.Range(0, 40).Reverse()]);
        var values = new float[40];
        Assert.Equal(40, reader.Read(values));
        Assert.Equal(Enumerable.Range(0, 40).Reverse().Select(i => i + 0.5f), values);
    }

    [Fact]
    public void Labels_in_a_file_may_be_lines_of_text()
    {
        Write("a.safetensors", SafeTensor.Create("x", [3, 2], [1f, 2, 3, 4, 5, 6]));
        File.WriteAllLines(_folder["l.txt"], ["cat", "", "dog"]);
        Assert.Equal(["cat", "", "dog"], SourceFiles.Labels(SourceFiles.Open(_folder["a.safetensors"], labels: _folder["l.txt"])));
        File.WriteAllLines(_folder["l.txt"], ["1", "2"]);
        Throws.Line(() => SourceFiles.Open(_folder["a.safetensors"], labels: _folder["l.txt"]), "l.txt", "2 labels", "expected 3");
        Throws.Line(() => SourceFiles.Open(_folder["a.safetensors"], labels: _folder["m.txt"]), "m.txt", "no such file");
        Throws.Line(() => SourceFiles.Open(_folder["a.safetensors"], labels: _folder["a.safetensors"]), "a.safetensors", "0 arrays");
    }

    private void Write(string name, params SafeTensor[] tensors) => SafetensorsWriter.Write(_folder[name], tensors);
}
