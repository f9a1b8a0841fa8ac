using System.Diagnostics;
using System.Text;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Tests.Cli;

namespace MonoLoss.Tests.Data;

/// <summary>Which files a path stands for.</summary>
public sealed class FileSetTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Folders_are_searched_below_in_the_order_of_numbers()
    {
        Write("a10.parquet", "a9.PQ", "_metadata", "_old/x.parquet", ".hidden/x.parquet", ".x.parquet", "b/c/d.parq", "b/readme.txt");
        Assert.Equal(["a9.PQ", "a10.parquet", "b/c/d.parq"], Names(_folder.Path));
        Assert.Equal(["a10.parquet"], Names(_folder["**/*.parquet"]));
        Assert.Equal(["a9.PQ", "a10.parquet", "b/c/d.parq"], Names(_folder["**"]));
        Assert.Equal(["b/c/d.parq"], Names(_folder["**/d.*"]));
        Assert.Equal(["b/c/d.parq"], Names(_folder["b*"]));
        Assert.Equal([".hidden/x.parquet"], Names(_folder[".h*/*.parquet"]));
    }

    [Fact]
    public void Links_that_go_round_are_followed_once()
    {
        SkipOnWindows();
        Write("a/x.parquet");
        Directory.CreateSymbolicLink(_folder["a/up"], _folder.Path);
        Directory.CreateSymbolicLink(_folder["b"], _folder["a"]);
        File.CreateSymbolicLink(_folder["y.parquet"], _folder["a/x.parquet"]);
        Assert.Equal(["y.parquet", "a/x.parquet"], Names(_folder.Path));
    }

    [Theory]
    [InlineData("train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet", "'train-*'")]
    [InlineData("train/a.parquet", "validation/a.parquet", "val/b.parquet", "'train'")]
    [InlineData("split=train/a.parquet", "split=test/a.parquet", "b.parquet", "'split=train'")]
    [InlineData("cifar-test.pq", "cifar-val.pq", "cifar-other.pq", "'*-test.*'")]
    public void Splits_are_not_mixed(string first, string second, string third, string pattern)
    {
        Write(first, second, third);
        Throws.Line(() => FeatureSet.Open(_folder.Path), "several splits", pattern.Insert(1, _folder.Path + Path.DirectorySeparatorChar));
        Throws.Line(() => FeatureSet.Open(_folder["**/*"]), "several splits");
        Assert.Equal(2, FeatureSet.Open([_folder[first], _folder[second]]).Files.Count);
    }

    [Theory]
    [InlineData("\u0089HDF\r\n\u001a\n", "HDF5")]
    [InlineData("ARROW1\0\0", "Arrow")]
    [InlineData("\u0093NUMPY\u0001\0", ".npy")]
    [InlineData("PK\u0003\u0004", "zip")]
    [InlineData("\u001f\u008b", "gzip")]
    [InlineData("SQLite format 3\0", "SQLite")]
    [InlineData("{\"a\": 1,", "JSON")]
    [InlineData("f0,f1,label\n1,2,3\n", "CSV")]
    [InlineData("version https://git-lfs.github.com/spec/v1\n", "Git LFS")]
    public void Other_formats_are_named(string start, string format)
    {
        var bytes = Encoding.Latin1.GetBytes(start);
        Array.Resize(ref bytes, Math.Max(64, bytes.Length));
        bytes.AsSpan(start.Length).Fill((byte)' ');
        File.WriteAllBytes(_folder["x.parquet"], bytes);
        Throws.Line(() => FeatureSet.Open(_folder["x.parquet"]), "x.parquet", format);
    }

    [Fact]
    public void Pipe_and_device_are_refused_at_once()
    {
        SkipOnWindows();
        using var make = Process.Start("mkfifo", _folder["pipe.parquet"]);
        make.WaitForExit();
        Throws.Line(() => FeatureSet.Open(_folder["pipe.parquet"]), "pipe.parquet", "a pipe");
        Throws.Line(() => FeatureSet.Open(_folder.Path), "pipe.parquet", "a pipe");
        Throws.Line(() => FeatureSet.Open("/dev/zero"), "/dev/zero", "a device");
    }

    [Fact]
    public void More_files_than_may_be_open_are_read()
    {
        SkipOnWindows();
        Write([.. Enumerable.Range(0, 400).Select(i => $"part-{i}.parquet")]);
        var run = Monoloss.Finish(Monoloss.Start(
            "ulimit -n 256",
            "train", "--train", _folder.Path, "--latents", "4", "-k", "1", "--epochs", "1", "--batch-size", "100",
            "--out", _folder["run"]));
        Assert.True(run.Exit == 0, run.Error);
        Assert.Contains("800", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_without_rows_are_passed_over_while_others_have_some()
    {
        Write("a.parquet", "c.parquet");
        ParquetWriter.Write(_folder["b.parquet"], [ParquetData.Create("other", Array.Empty<int>())]);
        Assert.Equal(["a.parquet", "c.parquet"], Names(_folder.Path));
    }

    private static void SkipOnWindows() =>
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs links, pipes and limits of a Unix system");

    private void Write(params string[] names)
    {
        foreach (var name in names)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
            ParquetWriter.Write(_folder[name], [ParquetData.FloatLists("x", new float[] { 1, 2, 3, 5 }, 2)]);
        }
    }

    private IEnumerable<string> Names(string path) =>
        FeatureSet.Open(path).Files.Select(file => Path.GetRelativePath(_folder.Path, file).Replace('\\', '/'));
}
