using Apache.Arrow;
using Apache.Arrow.Ipc;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Sources;

/// <summary>Arrow files and streams that Apache.Arrow writes.</summary>
public sealed class ArrowSourceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true, null)]
    [InlineData(false, null)]
    [InlineData(true, CompressionCodecType.Lz4Frame)]
    [InlineData(false, CompressionCodecType.Zstd)]
    public void Batches_are_row_groups_in_any_order(bool isFile, CompressionCodecType? codec)
    {
        SourceFiles.WriteArrow(_folder["a.arrow"], isFile, codec, 7, 12, 1);
        var set = SourceFiles.Open(_folder["a.arrow"]);
        Assert.Equal([7L, 12, 1], set.RowGroups.Select(group => group.Rows));
        Assert.Equal(SourceFiles.Values, SourceFiles.Read(set));
        var last = new float[SourceFiles.Dimension];
        set.ReadRowGroup(2, last);
        Assert.Equal(SourceFiles.Values[^SourceFiles.Dimension..], last);
        Assert.Equal(
            Enumerable.Range(0, SourceFiles.Rows).Select(row => row % 5 == 0 ? "" : $"{Fixtures.Label(row)}"), SourceFiles.Labels(set));
        Assert.Equal(
            Enumerable.Range(0, SourceFiles.Rows).Select(row => $"class {Fixtures.Label(row)}"),
            SourceFiles.Labels(SourceFiles.Open(_folder["a.arrow"], label: "name")));
    }

    [Fact]
    public void Columns_of_numbers_are_selected_by_a_pattern()
    {
        IArrowArray Column(float value) => new FloatArray.Builder().Append(value).Append(-value).Build();
        SourceFiles.WriteArrow(_folder["w.arrow"], ("f10", Column(10)), ("f2", Column(2)), ("row_id", Column(3)), ("f1", Column(1)));
        Assert.Equal([1, 2, 10, -1, -2, -10], SourceFiles.Read(SourceFiles.Open(_folder["w.arrow"], "f*")));
        Throws.Line(() => SourceFiles.Open(_folder["w.arrow"]), "no column holds lists", "f10 (float32)", "FeaturesColumn");
        Throws.Line(() => SourceFiles.Open(_folder["w.arrow"], "g*"), "'g*'", "f10 (float32)");
    }

    [Theory]
    [InlineData("null row", "row 1", "null")]
    [InlineData("null element", "row 1: element 1 is null", "null")]
    [InlineData("short row", "row 1: found 1 values", "expected 2")]
    [InlineData("not finite", "row 1: element 0 is NaN", "finite")]
    public void Rows_that_cannot_be_features_are_named(string kind, params string[] words)
    {
        SourceFiles.WriteArrow(_folder["r.arrow"], ("features", SourceFiles.Lists([1, 2], kind switch
        {
            "null row" => null,
            "null element" => [1, null],
            "short row" => [1],
            _ => [float.NaN, 1],
        })));
        Throws.Line(() => SourceFiles.Read(SourceFiles.Open(_folder["r.arrow"])), ["r.arrow", "'features'", .. words]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Cut_file_is_refused(bool isFile)
    {
        SourceFiles.WriteArrow(_folder["a.arrow"], isFile, CompressionCodecType.Lz4Frame, 10, 10);
        var bytes = File.ReadAllBytes(_folder["a.arrow"]);
        for (var length = 0; length < bytes.Length; length += length < bytes.Length - 16 ? 13 : 1)
        {
            Throws.Line(() => FeatureSet.Open("a.arrow", bytes.AsMemory(0, length)), "a.arrow");
        }
    }
}
