using System.IO.Hashing;
using System.Runtime.InteropServices;
using MonoLoss.Cli;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Tests.Data;
using MonoLoss.Vision;

namespace MonoLoss.Tests.Cli;

/// <summary>The demo's features and the pictures of their concepts.</summary>
public sealed class DemoTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, string> _none = [];

    public void Dispose() => _folder.Dispose();

    /// <summary>The figures in README.md belong to these features. The hashes are those of the demo before it drew pictures.</summary>
    [Theory]
    [InlineData(42, 1, 16384, "b20dc90bf1ee03a5")]
    [InlineData(42, 3, 4096, "897fa8360da5b32b")]
    [InlineData(7, 3, 4096, "2c9178ead2817503")]
    public void Features_are_those_of_the_documented_figures(int seed, int stream, int rows, string hash)
    {
        var path = _folder["features.parquet"];
        new SyntheticConcepts((ulong)seed).Write(path, rows, ((ulong)seed << 8) + (ulong)stream, _none);
        using var features = FeatureSet.Open(path, new FeatureSetOptions { Normalize = false }).ReadAll();
        var all = new XxHash64();
        all.Append(MemoryMarshal.AsBytes(features.Slice(0, (int)features.Count)));
        foreach (var label in ParquetTable.Read(path).ReadTexts("label"))
        {
            all.Append(MemoryMarshal.AsBytes($"{label}\n".AsSpan()));
        }

        Assert.Equal(hash, all.GetCurrentHashAsUInt64().ToString("x16"));
    }

    [Fact]
    public void Pictures_are_those_of_the_rows_and_the_same_every_time()
    {
        var samples = Write("test.parquet", 300);
        ConceptPictures.Write(_folder["images.parquet"], samples, _none);
        ConceptPictures.Write(_folder["again.parquet"], samples, _none);
        Assert.Equal(File.ReadAllBytes(_folder["images.parquet"]), File.ReadAllBytes(_folder["again.parquet"]));

        var rows = ParquetTable.Read(_folder["test.parquet"]);
        var entries = new List<ImageEntry>();
        ImageSources.Open([_folder["images.parquet"]], null, null).Single().Read(0, entries.Add);
        Assert.Equal("test-00017", entries[17].Id);
        Assert.Equal(rows.ReadTexts("id"), entries.Select(entry => entry.Id));
        Assert.Equal(rows.ReadTexts("label"), entries.Select(entry => entry.Label));
        using var pictures = new ConceptPictures();
        for (var i = 0; i < entries.Count; i++)
        {
            Assert.Equal(pictures.Draw(samples[i]), entries[i].Read().ToArray());
            var image = ImageDecoder.Decode(entries[i].Read());
            Assert.Equal((ConceptPictures.Size, ConceptPictures.Size), (image.Width, image.Height));
        }
    }

    /// <summary>A grid of samples shows what they share: a sign, a background, or a badge in a corner.</summary>
    [Fact]
    public void Each_concept_has_a_part_of_the_picture()
    {
        const int Attributes = SyntheticConcepts.Attributes;
        using var pictures = new ConceptPictures();
        string Part(int thing, int? attribute, int x, int y, int size)
        {
            (int, double)[] attributes = attribute is { } shown ? [(shown, 1)] : [];
            var family = thing * 6 / SyntheticConcepts.Labels.Count;
            var image = ImageDecoder.Decode(pictures.Draw(new ConceptSample("", thing, family, 1.5, attributes)));
            var rows = Enumerable.Range(y, size).Select(row => image.Pixels.AsSpan(((row * image.Width) + x) * 4, size * 4).ToArray());
            return Convert.ToHexString([.. rows.SelectMany(row => row)]);
        }

        var things = Enumerable.Range(0, SyntheticConcepts.Labels.Count).ToList();
        var signs = things.ConvertAll(thing => Part(thing, null, 22, 22, 28));
        Assert.Equal(signs.Count, signs.Distinct().Count());
        Assert.Equal(signs, things.ConvertAll(thing => Part(thing, thing % Attributes, 22, 22, 28)));
        Assert.Equal(6, things.Select(thing => Part(thing, null, 0, 0, 12)).Distinct().Count());

        // Badges are round: their middles are the same on every background, and no two the same in a corner.
        var badges = Enumerable.Range(0, Attributes).Select(attribute => string.Join(' ', new[] { (5, 5), (55, 5), (5, 55), (55, 55) }
            .Select(at => Part(0, attribute, at.Item1, at.Item2, 12)))).ToList();
        Assert.Equal(Attributes, badges.Distinct().Count());
        Assert.All(Enumerable.Range(0, Attributes), attribute =>
        {
            var corner = attribute / (Attributes / 4);
            var (x, y) = (corner % 2 == 0 ? 5 : 55, corner / 2 == 0 ? 5 : 55);
            Assert.Equal(Part(0, attribute, x, y, 12), Part(35, attribute, x, y, 12));
        });
    }

    [Fact]
    public void The_strongest_attributes_have_badges()
    {
        ConceptSample Sample(params (int, double)[] attributes) => new("", 0, 0, 1, attributes);
        Assert.Equal([35, 5, 15], ConceptPictures.Shown(Sample((5, 0.9), (15, 0.8), (25, 0.7), (35, 1.4))));
        Assert.Equal([12, 25], ConceptPictures.Shown(Sample((12, 1.4), (13, 1.3), (25, 0.7), (15, 0.5))));
        Assert.Equal([3, 30], ConceptPictures.Shown(Sample((3, 0.6), (30, 1), (3, 0.6))));
    }

    [Fact]
    public void Without_SkiaSharp_there_are_no_pictures()
    {
        var program = Directory.CreateDirectory(_folder["program"]).FullName;
        foreach (var file in Directory.GetFiles(AppContext.BaseDirectory, "*.dll")
            .Concat(Directory.GetFiles(AppContext.BaseDirectory, "monoloss.*.json")))
        {
            // On Windows native libraries have this ending too.
            if (!file.Contains("libSkiaSharp", StringComparison.Ordinal))
            {
                File.Copy(file, Path.Combine(program, Path.GetFileName(file)));
            }
        }

        Directory.CreateDirectory(_folder["demo"]);
        ConceptPictures.Write(
            _folder["demo/images.parquet"], Write("test.parquet", 3), new Dictionary<string, string> { ["monoloss.demo"] = "seed 1" });
        var outcome = Monoloss.Finish(Monoloss.StartIn(program, null, "demo", "--out", _folder["demo"], "--quiet"));
        Assert.Equal(0, outcome.Exit);
        Assert.StartsWith(
            "monoloss: no pictures: SkiaSharp's native library cannot be loaded here: ", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(outcome.Error.Length - 1, outcome.Error.IndexOf('\n'));
        Assert.True(File.Exists(_folder["demo/report/index.html"]));
        Assert.False(File.Exists(_folder["demo/images.parquet"]));
    }

    private IReadOnlyList<ConceptSample> Write(string name, int rows) => new SyntheticConcepts(42).Write(_folder[name], rows, 1, _none);
}
