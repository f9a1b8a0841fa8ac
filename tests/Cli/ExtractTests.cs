using System.Formats.Tar;
using System.Text;
using System.Text.Json.Nodes;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Tests.Data;
using MonoLoss.Tests.Vision;
using MonoLoss.Vision;

namespace MonoLoss.Tests.Cli;

/// <summary>From images to features: every kind of source, resumption, and damaged images.</summary>
public sealed class ExtractTests : IDisposable
{
    private const int Size = 8;
    private const int Patch = 4;
    private const int Features = 5;

    private static readonly string[] Kinds = ["wide.png", "tall.png", "rgb.jpg", "grey.jpg", "cmyk.jpg", "lossless.webp", "wide.bmp"];

    private readonly TempFolder _folder = new();
    private readonly float[] _weights = [.. Enumerable.Range(0, Features * 3 * Patch * Patch).Select(i => MathF.Sin(i))];

    public ExtractTests() => TestOnnx.WritePatches(_folder["model.onnx"], Size, Patch, _weights);

    private string Out => _folder["f.parquet"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Patches_are_the_networks_output_for_the_prepared_image()
    {
        var images = Pictures();
        Extract(images, "--token", "patches", "--batch-size", "3").Succeeded();
        var table = ParquetTable.Read(Out);
        Assert.Equal(["id", "label", "position", "features"], table.Columns);
        Assert.Equal(Kinds.Length * 4, table.Rows);
        Assert.Equal([0, 1, 2, 3, 0], table.ReadIntegers("position")[..5]);
        Assert.Equal(
            ("model.onnx", "patches", "patches"),
            (table.Metadata["monoloss.model"], table.Metadata["monoloss.layer"], table.Metadata["monoloss.token"]));
        Assert.StartsWith("vit: resize 8x8 bilinear", table.Metadata["monoloss.preprocessing"], StringComparison.Ordinal);

        var ids = table.ReadTexts("id");
        var labels = table.ReadTexts("label");
        var rows = Rows(Out, Features);
        for (var row = 0; row < ids.Length; row++)
        {
            var name = Path.GetFileName(ids[row]!);
            Assert.Equal(Array.IndexOf(Kinds, name) % 2 == 0 ? "even" : "odd", labels[row]);
            var expected = Expected(name, row % 4);
            Assert.All(Enumerable.Range(0, Features), f => Assert.Equal(expected[f], rows[(row * Features) + f], 3));
        }
    }

    [Fact]
    public void A_report_shows_patches_on_what_the_network_saw()
    {
        var images = Pictures();
        Extract(images, "--token", "patches").Succeeded();
        Monoloss.Run(
            "train", "--train", Out, "--out", _folder["run"], "--latents", "12", "-k", "3", "--batch-size", "14", "--epochs", "2")
            .Succeeded();
        Monoloss.Run("report", "--run", _folder["run"], "--images", images, "--out", _folder["report"]).Succeeded();
        var index = File.ReadAllText(_folder["report/data/index.js"]);
        Assert.Contains("patches:2,", index, StringComparison.Ordinal);
        var samples = MonoLoss.Models.SamplesFile.Read(_folder["report/data/0/samples.parquet"]);
        Assert.All(samples, sample => Assert.Equal((int)(sample.Row % 4), sample.Position));

        // One picture for each image, however many of its patches are shown: that of the network's input.
        var pictures = Directory.GetFiles(_folder["report/thumbs"], "*.webp", SearchOption.AllDirectories);
        Assert.Equal(samples.Select(sample => sample.Id).Distinct().Count(), pictures.Length);
        foreach (var picture in pictures)
        {
            var shown = ImageDecoder.Decode(File.ReadAllBytes(picture));
            Assert.Equal((Size, Size), (shown.Width, shown.Height));
        }

        // Images in the order of the rows say nothing about patches.
        File.Copy(VisionFixtures.PathOf("wide.png"), _folder["other.png"]);
        Monoloss.Run("report", "--run", _folder["run"], "--images", _folder["other.png"], "--out", _folder["report"])
            .Refused("other.png", "no image has the id of a row");
    }

    [Fact]
    public void All_kinds_of_sources_give_the_same_features()
    {
        var images = Pictures();
        Extract(images, "--token", "mean").Succeeded();
        var (expected, ids) = (Rows(Out, Features), ParquetTable.Read(Out).ReadTexts("id"));

        var list = _folder["list.txt"];
        File.WriteAllLines(list, ids.Select((id, i) => $"{Path.GetFileName(images)}/{id}\t{i}"));
        Extract(list, "--token", "mean").Succeeded();
        Assert.Equal(expected, Rows(Out, Features));
        Assert.Equal(Enumerable.Range(0, Kinds.Length).Select(i => (long)i), ParquetTable.Read(Out).ReadIntegers("label"));

        WriteTar(_folder["shard.tar"], [.. ids.Select(id => (id!, File.ReadAllBytes(Path.Combine(images, id!))))]);
        Extract(_folder["shard.tar"], "--token", "mean").Succeeded();
        Assert.Equal(expected, Rows(Out, Features));
        Assert.All(ParquetTable.Read(Out).ReadIntegers("label"), label => Assert.Equal(7, label));
        Assert.Equal("../../../etc/0", ParquetTable.Read(Out).ReadTexts("id")[0]);
    }

    [Fact]
    public void What_the_features_are_of_goes_with_the_model()
    {
        Extract(Pictures(), "--token", "patches").Succeeded();
        Monoloss.Run(
            "train", "--train", Out, "--out", _folder["run"], "--latents", "8", "-k", "2", "--batch-size", "14", "--epochs", "1")
            .Succeeded();
        Monoloss.Run("convert", "--source", Out, "--out", _folder["copy.parquet"]).Succeeded();
        Monoloss.Run("export", "--run", _folder["run"], "--format", "saelens", "--out", _folder["exported"]).Succeeded();
        Monoloss.Run("import", _folder["exported"], "--out", _folder["imported"]).Succeeded();

        var preprocessing = Presets.Find("vit")!.WithSize(Size, Size).Description;
        Assert.Equal(preprocessing, ParquetTable.Read(_folder["copy.parquet"]).Metadata["monoloss.preprocessing"]);
        foreach (var folder in new[] { "run", "exported", "imported" })
        {
            var metadata = JsonNode.Parse(File.ReadAllText(_folder[$"{folder}/cfg.json"]))!["metadata"]!;
            Assert.Equal(
                ("model.onnx", "patches", "patches", preprocessing),
                ((string?)metadata["model_name"], (string?)metadata["hook_name"], (string?)metadata["token"],
                    (string?)metadata["preprocessing"]));
        }
    }

    [Fact]
    public void A_stopped_extraction_goes_on_to_the_same_file()
    {
        var images = Pictures();
        File.WriteAllText(Path.Combine(images, "even", "a.jpg"), "<html>not found</html>");
        Extract(images, "--token", "mean", "--batch-size", "2");
        var expected = File.ReadAllBytes(Out);
        File.Delete(Out);

        using (var stop = new CancellationTokenSource())
        {
            var extraction = Extraction.Open(Options(images));
            Assert.ThrowsAny<OperationCanceledException>(() => extraction.Run(
                progress =>
                {
                    if (progress.Images >= 4)
                    {
                        stop.Cancel();
                    }
                },
                stop.Token));
        }

        Assert.False(File.Exists(Out));
        // What a killed process may leave: a line that is cut off.
        File.AppendAllText(Path.Combine($"{Out}.partial", "images.jsonl"), "{\"Id\":\"ev");
        Extract(images, "--token", "mean", "--batch-size", "2").Refused("--resume", ".partial");
        Extract(images, "--token", "mean", "--batch-size", "3", "--resume").Refused("batch size 2, not 3");
        var resumed = Extract(images, "--token", "mean", "--batch-size", "2", "--resume");
        Assert.Contains("resumed after 4 images", resumed.Output, StringComparison.Ordinal);
        Assert.Equal(expected, File.ReadAllBytes(Out));
        Assert.False(Directory.Exists($"{Out}.partial"));
    }

    [Fact]
    public void Damaged_images_are_listed_and_skipped_or_refused()
    {
        var images = Pictures();
        File.WriteAllText(Path.Combine(images, "even", "page.jpg"), "<!doctype html>");
        File.WriteAllBytes(Path.Combine(images, "odd", "bomb.png"), VisionFixtures.PngHeader(60_000, 60_000));
        File.WriteAllBytes(Path.Combine(images, "odd", "cut.jpg"), VisionFixtures.Bytes("rgb.jpg")[..900]);
        Extract(images, "--token", "mean", "--strict").Refused("even/page.jpg: it is HTML");
        Directory.Delete($"{Out}.partial", recursive: true);

        var outcome = Extract(images, "--token", "mean");
        Assert.Equal(0, outcome.Exit);
        Assert.Equal(Kinds.Length, ParquetTable.Read(Out).Rows);
        string[] expected = ["even/page.jpg", "odd/bomb.png", "odd/cut.jpg"];
        Assert.Equal(expected, File.ReadLines(_folder["f.skipped.tsv"]).Select(line => line.Split('\t')[0]));
        Assert.All(expected, name => Assert.Contains($"skipped {name}: ", outcome.Error, StringComparison.Ordinal));

        Directory.CreateDirectory(_folder["bad"]);
        File.WriteAllText(_folder["bad/x.svg.jpg"], "<svg/>");
        Extract(_folder["bad"], "--token", "mean").Refused("none of 1 images", "SVG");
        Assert.False(Directory.Exists($"{Out}.partial"));
    }

    [Fact]
    public void Names_are_kept_as_they_are_and_printed_on_one_line()
    {
        string[] names = ["two\nlines", "it's \"<b>\"\ttab", "\u001b[31mred"];
        using (var stream = File.Create(_folder["x.tar"]))
        using (var tar = new TarWriter(stream))
        {
            foreach (var name in names)
            {
                AddUstar(tar, $"{name}.png", VisionFixtures.Bytes("wide.png"));
                AddUstar(tar, $"bad {name}.png", [1]);
            }
        }

        var outcome = Extract(_folder["x.tar"], "--token", "mean");
        Assert.Equal(0, outcome.Exit);
        Assert.Equal(names, ParquetTable.Read(Out).ReadTexts("id"));
        string[] printed = ["bad two?lines", "bad it's \"<b>\"?tab", "bad ?[31mred"];
        Assert.Equal(printed, File.ReadLines(_folder["f.skipped.tsv"]).Select(line => line.Split('\t')[0]));
        Assert.Equal(names.Length + 1, outcome.Error.TrimEnd().Split('\n').Length);
        Assert.All(printed, name => Assert.Contains($"skipped {name}: it is no image", outcome.Error, StringComparison.Ordinal));

        File.WriteAllText(_folder["list.txt"], "../\u001b[31m\tx\n");
        Extract(_folder["list.txt"], "--token", "mean").Refused("list.txt, line 1", "absolute path");
    }

    [Fact]
    public void Invalid_input_gets_one_line()
    {
        var images = Pictures();
        Extract(images).Refused("patches", "--token mean or patches");
        Extract(images, "--token", "x").Refused("--token");
        Extract(_folder["none"]).Refused("none", "no such file or folder");
        Extract(_folder["model.onnx"]).Refused("model.onnx", "expected a folder");
        Monoloss.Run("extract", "--images", images, "--model", _folder["model.onnx"], "--out", Out)
            .Refused("preprocessor_config.json", "--preset");
        File.WriteAllText(_folder["bad.onnx"], "no model");
        Monoloss.Run("extract", "--images", images, "--model", _folder["bad.onnx"], "--out", Out, "--preset", "vit").Refused("bad.onnx");
        File.WriteAllText(_folder["bad.tar"], new string('x', 2000));
        Extract(_folder["bad.tar"], "--token", "mean").Refused("bad.tar");
        File.WriteAllBytes(_folder["bad.parquet"], Encoding.ASCII.GetBytes("PAR1 no footer"));
        Extract(_folder["bad.parquet"], "--token", "mean").Refused("bad.parquet");
        Monoloss.Run(
            "extract", "--images", images, "--model", _folder["model.onnx"], "--out", Out, "--preset", "x").Refused("--preset", "siglip2");
    }

    [SharedDataFact]
    public void ResNet18_gives_the_features_that_it_gives_on_prepared_tensors()
    {
        const int Count = 3;
        var source = ParquetImages.Open(SharedData.File("images", "cifar10-test.parquet"), null, null);
        Assert.Equal(5000, source.Count);
        var entries = new List<ImageEntry>();
        source.Read(4997, entries.Add);
        Directory.CreateDirectory(_folder["few"]);
        for (var i = 0; i < Count; i++)
        {
            File.WriteAllBytes(_folder[$"few/{i}.jpg"], entries[i].Read().ToArray());
        }

        Monoloss.Run(
            "extract", "--images", _folder["few"], "--model", VisionFixtures.ResNet18, "--preset", "resnet", "--out", Out).Succeeded();
        using var session = new Microsoft.ML.OnnxRuntime.InferenceSession(VisionFixtures.ResNet18);
        var features = Rows(Out, 512);
        for (var i = 0; i < Count; i++)
        {
            var input = new float[3 * 224 * 224];
            Presets.Find("resnet")!.Apply(ImageDecoder.Decode(entries[i].Read()), input);
            using var tensor = Microsoft.ML.OnnxRuntime.OrtValue.CreateTensorValueFromMemory(input, [1, 3, 224, 224]);
            using var results = session.Run(
                new Microsoft.ML.OnnxRuntime.RunOptions(), session.InputNames, [tensor], session.OutputNames);
            var expected = results[0].GetTensorDataAsSpan<float>().ToArray();
            Assert.All(Enumerable.Range(0, 512), f => Assert.Equal(expected[f], features[(i * 512) + f], 3));
        }
    }

    [SharedDataFact]
    public void Parquet_images_come_in_the_order_of_the_features_beside_them()
    {
        var features = ParquetTable.Read(SharedData.File("features", "cifar10-resnet56-test.parquet"));
        var entries = new List<ImageEntry>();
        ParquetImages.Open(SharedData.File("images", "cifar10-test.parquet"), null, null).Read(0, entries.Add);
        Assert.Equal(features.ReadTexts("id"), entries.Select(entry => entry.Id));
        Assert.Equal(features.ReadIntegers("label"), entries.Select(entry => long.Parse(entry.Label!)));
    }

    private static void WriteTar(string path, (string Name, byte[] Bytes)[] files)
    {
        using var stream = File.Create(path);
        using var tar = new TarWriter(stream);
        for (var i = 0; i < files.Length; i++)
        {
            Add(tar, $"../../../etc/{i}{Path.GetExtension(files[i].Name)}", files[i].Bytes);
            Add(tar, $"../../../etc/{i}.cls", "7\n"u8.ToArray());
        }
    }

    private static void Add(TarWriter tar, string name, byte[] bytes) =>
        tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });

    private static void AddUstar(TarWriter tar, string name, byte[] bytes) =>
        tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });

    private Outcome Extract(string source, params string[] options) => Monoloss.Run(
        ["extract", "--images", source, "--model", _folder["model.onnx"], "--preset", "vit", "--out", Out, .. options]);

    private ExtractionOptions Options(string images) => new()
    {
        Sources = ImageSources.Open([images], null, null),
        Model = _folder["model.onnx"],
        OutputPath = Out,
        Preprocessor = Presets.Find("vit"),
        Token = TokenKind.Mean,
        BatchSize = 2,
    };

    private string Pictures()
    {
        for (var i = 0; i < Kinds.Length; i++)
        {
            var folder = Directory.CreateDirectory(_folder[$"images/{(i % 2 == 0 ? "even" : "odd")}"]).FullName;
            File.WriteAllBytes(Path.Combine(folder, Kinds[i]), VisionFixtures.Bytes(Kinds[i]));
        }

        return _folder["images"];
    }

    private float[] Expected(string name, int position)
    {
        var input = new float[3 * Size * Size];
        Presets.Find("vit")!.WithSize(Size, Size).Apply(VisionFixtures.Decode(name), input);
        var (top, left) = (position / 2 * Patch, position % 2 * Patch);
        var sums = new double[Features];
        for (var i = 0; i < _weights.Length; i++)
        {
            var (feature, channel, y, x) = (i / (3 * Patch * Patch), i / (Patch * Patch) % 3, i / Patch % Patch, i % Patch);
            sums[feature] += (double)_weights[i] * input[(((channel * Size) + top + y) * Size) + left + x];
        }

        return Array.ConvertAll(sums, sum => (float)sum);
    }

    private static float[] Rows(string path, int dimension)
    {
        var set = FeatureSet.Open(path, new FeatureSetOptions { Normalize = false });
        Assert.Equal(dimension, set.Dimension);
        using var rows = set.ReadAll();
        return rows.Slice(0, (int)rows.Count).ToArray();
    }
}
