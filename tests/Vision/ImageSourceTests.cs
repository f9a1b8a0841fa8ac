using System.Diagnostics;
using System.Formats.Tar;
using MonoLoss.Tests.Data;
using MonoLoss.Vision;
using Parquet.Schema;

namespace MonoLoss.Tests.Vision;

/// <summary>What a source reads and what it leaves alone, whatever names are in it.</summary>
public sealed class ImageSourceTests : IDisposable
{
    private static readonly string[] Names =
        ["it's \"quoted\".png", "<b onclick=alert(1)>.png", "two\nlines.png", "tab\tand \u001b[31mred.png", "ünï 🐈.png", "-rf.png"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_gives_its_images_under_any_name()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "such names are not possible");
        foreach (var name in Names)
        {
            Write($"pictures/a b/{name}");
        }

        var entries = Read(_folder["pictures"]);
        Assert.Equal(Names.Select(name => $"a b/{name}").Order(), entries.Select(entry => entry.Id).Order());
        Assert.All(entries, entry => Assert.Equal(("a b", 97), (entry.Label, ImageDecoder.Decode(entry.Read()).Width)));
    }

    [Fact]
    public void Folders_called_as_images_and_circles_of_links_are_no_images()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a right there");
        Write("pictures/x.jpg/1.png");
        Write("pictures/.hidden.png");
        Directory.CreateSymbolicLink(_folder["pictures/x.jpg/up"], _folder["pictures"]);
        Directory.CreateSymbolicLink(_folder["pictures/self"], _folder["pictures/self"]);
        File.CreateSymbolicLink(_folder["pictures/a.png"], _folder["pictures/b.png"]);
        File.CreateSymbolicLink(_folder["pictures/b.png"], _folder["pictures/a.png"]);
        File.CreateSymbolicLink(_folder["pictures/gone.png"], _folder["nothing.png"]);

        var entries = Read(_folder["pictures"]);
        Assert.Equal(["a.png", "b.png", "gone.png", "x.jpg/1.png"], entries.Select(entry => entry.Id));
        Assert.All(entries.Take(3), entry => Assert.Throws<DamagedImageException>(() => entry.Read()));
        Assert.Equal("x.jpg", entries[3].Label);
    }

    [Fact]
    public void A_file_without_an_end_is_not_read()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "there are other devices");
        File.CreateSymbolicLink(_folder["zero.png"], "/dev/zero");
        using (var make = Process.Start("mkfifo", [_folder["pipe.png"]]))
        {
            make.WaitForExit();
        }

        Assert.All(Read(_folder["zero.png"]).Concat(Read(_folder["pipe.png"])), entry => Assert.Contains(
            "empty", Assert.Throws<DamagedImageException>(() => ImageDecoder.Decode(entry.Read())).Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_list_reads_what_is_in_its_folder_and_absolute_paths()
    {
        Write("list/a/1.png");
        Write("secret.png");
        Directory.CreateDirectory(_folder["list/folder.png"]);
        string[] lines =
        [
            "a/1.png\tcat", string.Empty, "a/../a/1.png\t", $"{_folder["secret.png"]}\t<b>\"x\"</b>", "folder.png", "none.png",
        ];
        File.WriteAllLines(_folder["list/all.txt"], lines);
        var entries = Read(_folder["list/all.txt"]);
        Assert.Equal(lines.Where(line => line.Length > 0).Select(line => line.Split('\t')[0]), entries.Select(entry => entry.Id));
        Assert.Equal(["cat", null, "<b>\"x\"</b>", null, null], entries.Select(entry => entry.Label));
        Assert.All(entries.Take(3), entry => Assert.Equal(97, ImageDecoder.Decode(entry.Read()).Width));
        Assert.All(entries.Skip(3), entry => Assert.Throws<DamagedImageException>(() => entry.Read()));
    }

    [Theory]
    [InlineData("../secret.png")]
    [InlineData("a/../../secret.png")]
    [InlineData("../list-of-another/1.png")]
    [InlineData(".")]
    public void A_list_does_not_lead_out_of_its_folder(string line)
    {
        Write("secret.png");
        Write("list/1.png");
        File.WriteAllText(_folder["list/all.txt"], $"1.png\n\n{line}\tx\n");
        Throws.Line(() => Read(_folder["list/all.txt"]), "all.txt, line 3", $"'{line}'", "absolute path");
    }

    [Fact]
    public void Names_in_a_tar_file_are_never_opened()
    {
        Write("secret.png");
        string[] names = ["../secret.png", _folder["secret.png"], "a/../../secret.png", .. Names];
        using (var stream = File.Create(_folder["x.tar"]))
        using (var tar = new TarWriter(stream))
        {
            foreach (var name in names)
            {
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream([1, 2, 3]) });
            }

            foreach (var type in new[] { TarEntryType.SymbolicLink, TarEntryType.HardLink })
            {
                tar.WriteEntry(new UstarTarEntry(type, $"{type}.png") { LinkName = _folder["secret.png"] });
            }

            tar.WriteEntry(new UstarTarEntry(TarEntryType.Directory, "folder.png"));
        }

        var entries = Read(_folder["x.tar"]);
        Assert.Equal(names.Select(name => name[..name.IndexOf('.', name.LastIndexOf('/') + 1)]), entries.Select(entry => entry.Id));
        Assert.All(entries, entry => Assert.Equal([1, 2, 3], entry.Read().ToArray()));
    }

    /// <summary>Hugging Face's images that are not embedded have a path only; what it names is not read.</summary>
    [Fact]
    public async Task Paths_in_a_Parquet_file_are_never_opened()
    {
        Write("secret.png");
        string[] paths = [_folder["secret.png"], "../secret.png", .. Names];
        var image = new StructField("image", new DataField("bytes", typeof(byte[]), true), new DataField("path", typeof(string), true));
        var schema = new ParquetSchema(image);
        using (var stream = File.Create(_folder["x.parquet"]))
        {
            await using var writer = await Parquet.ParquetWriter.CreateAsync(
                schema, stream, cancellationToken: TestContext.Current.CancellationToken);
            using var group = writer.CreateRowGroup();
            var fields = schema.GetDataFields();
            await group.WriteAsync(fields[0], new byte[]?[paths.Length]!);
            await group.WriteAsync(fields[1], paths);
        }

        var entries = Read(_folder["x.parquet"]);
        Assert.Equal(paths, entries.Select(entry => entry.Id));
        Assert.All(entries, entry => Assert.Contains(
            "no image", Assert.Throws<DamagedImageException>(() => entry.Read()).Message, StringComparison.Ordinal));
    }

    private static List<ImageEntry> Read(string path)
    {
        var entries = new List<ImageEntry>();
        foreach (var source in ImageSources.Open([path], null, null))
        {
            source.Read(0, entries.Add);
        }

        return entries;
    }

    private void Write(string name)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        File.WriteAllBytes(_folder[name], VisionFixtures.Bytes("wide.png"));
    }
}
