using System.IO.Hashing;
using System.Text.Json;
using MonoLoss.Tests.Data;
using MonoLoss.Vision;

namespace MonoLoss.Tests.Vision;

/// <summary>Resizing is Pillow's to the bit, and presets and configurations do what the processors do.</summary>
public sealed class PreprocessingTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<Resampling, int, int> Resized
    {
        get
        {
            var data = new TheoryData<Resampling, int, int>();
            foreach (var filter in Enum.GetValues<Resampling>())
            {
                data.Add(filter, 24, 40);
                data.Add(filter, 150, 61);
                data.Add(filter, 97, 20);
            }

            return data;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Resized))]
    public void Resizing_is_Pillows_to_the_bit(Resampling filter, int width, int height)
    {
        var expected = VisionFixtures.Decode($"wide.{filter.ToString().ToLowerInvariant()}.{width}x{height}.png");
        var whole = PillowResize.Resize(
            VisionFixtures.Decode("wide.png"), (width, height), new PixelRectangle(0, 0, width, height), filter);
        VisionFixtures.AssertNear(expected, whole, 0);
    }

    [Theory]
    [InlineData("clip", "wide.png", "preset.clip.png")]
    [InlineData("clip", "tall.png", "preset.clip.tall.png")]
    [InlineData("siglip", "wide.png", "preset.siglip.png")]
    [InlineData("siglip2", "wide.png", "preset.siglip2.png")]
    [InlineData("vit", "wide.png", "preset.vit.png")]
    [InlineData("dinov2", "wide.png", "preset.dinov2.png")]
    [InlineData("dinov2", "tall.png", "preset.dinov2.tall.png")]
    [InlineData("swin", "wide.png", "preset.siglip.png")]
    [InlineData("resnet", "wide.png", "preset.dinov2.png")]
    public void Presets_resize_and_crop_as_the_processors_do(string preset, string image, string expected) =>
        VisionFixtures.AssertNear(VisionFixtures.Decode(expected), Presets.Find(preset)!.Fit(VisionFixtures.Decode(image)), 0);

    /// <summary>The pixels are Pillow's to the bit, and the values NumPy's but for rounding, for images of odd sizes.</summary>
    [Theory]
    [InlineData("clip")]
    [InlineData("siglip")]
    [InlineData("siglip2")]
    [InlineData("vit")]
    [InlineData("dinov2")]
    [InlineData("swin")]
    [InlineData("resnet")]
    public void Presets_give_the_values_of_the_processors(string name)
    {
        int[] rows = [0, 17, 111, 223];
        int[] columns = [0, 40, 112, 223];
        var preset = Presets.Find(name)!;
        using var document = JsonDocument.Parse(VisionFixtures.Bytes("presets.json"));
        var references = document.RootElement.EnumerateArray().Where(entry => entry.GetProperty("preset").GetString() == name).ToList();
        Assert.Equal(8, references.Count);
        foreach (var reference in references)
        {
            var image = Picture(reference.GetProperty("width").GetInt32(), reference.GetProperty("height").GetInt32());
            var pixels = preset.Fit(image).Pixels.Chunk(PixelImage.Channels).SelectMany(pixel => pixel[..3]).ToArray();
            Assert.Equal(reference.GetProperty("crc32").GetUInt32(), Crc32.HashToUInt32(pixels));

            var values = new float[3 * preset.Height * preset.Width];
            preset.Apply(image, values);
            var actual = from channel in Enumerable.Range(0, 3)
                         from row in rows
                         from column in columns
                         select values[(((channel * preset.Height) + row) * preset.Width) + column];
            Assert.All(
                reference.GetProperty("values").EnumerateArray().Zip(actual),
                pair => Assert.Equal(pair.First.GetDouble(), pair.Second, 1e-6));
        }
    }

    [Fact]
    public void Values_are_scaled_and_normalized_by_channel()
    {
        var preset = Presets.Find("clip")! with { Width = 2, Height = 1, Resizes = false, ShortestEdge = null };
        var input = new float[6];
        preset.Apply(new PixelImage(2, 1, [255, 0, 51, 9, 0, 102, 204, 9]), input);
        double[] expected =
        [
            (1 - 0.48145466) / 0.26862954, -0.48145466 / 0.26862954,
            -0.4578275 / 0.26130258, (0.4 - 0.4578275) / 0.26130258,
            (0.2 - 0.40821073) / 0.27577711, (0.8 - 0.40821073) / 0.27577711,
        ];
        Assert.All(input.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 6));
    }

    [Fact]
    public void Channels_may_be_blue_green_red()
    {
        File.WriteAllText(_folder["preprocessor_config.json"], """
            {"do_resize": false, "crop_size": {"height": 1, "width": 2}, "do_rescale": false, "do_flip_channel_order": true,
             "image_mean": [103, 116, 123], "image_std": [1, 2, 4]}
            """);
        var preprocessor = PreprocessorConfig.Read(_folder["preprocessor_config.json"]);
        var input = new float[6];
        preprocessor.Apply(new PixelImage(2, 1, [255, 0, 51, 9, 0, 102, 204, 9]), input);
        Assert.Equal([51 - 103, 204 - 103, -116 / 2f, (102 - 116) / 2f, (255 - 123) / 4f, -123 / 4f], input);
        Assert.Contains("scale 1, channels BGR, mean 103/116/123", preprocessor.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void A_crop_beyond_the_edges_is_black()
    {
        var preset = Presets.Find("vit")! with { Width = 4, Height = 3, Resizes = false };
        var pixels = preset.Fit(new PixelImage(1, 1, [7, 8, 9, 0])).Pixels;
        Assert.Equal([0, 7], [pixels[0], pixels[PixelImage.Channels * ((1 * 4) + 2)]]);
    }

    [Fact]
    public void A_long_image_takes_no_more_than_another()
    {
        var line = new PixelImage(60_000, 1, new byte[60_000 * 4]);
        Assert.Equal(224 * 224 * 4, Presets.Find("clip")!.Fit(line).Pixels.Length);
    }

    [Theory]
    [InlineData("{'image_processor_type':'CLIPImageProcessor','size':224,'crop_size':224,'do_center_crop':true,'resample':3,"
        + "'image_mean':[0.48145466,0.4578275,0.40821073],'image_std':[0.26862954,0.26130258,0.27577711]}", "clip")]
    [InlineData("{'image_processor_type':'CLIPImageProcessor','size':{'shortest_edge':224},'crop_size':{'height':224,'width':224},"
        + "'do_center_crop':true,'image_mean':[0.48145466,0.4578275,0.40821073],'image_std':[0.26862954,0.26130258,0.27577711]}", "clip")]
    [InlineData("{'image_processor_type':'BitImageProcessor','size':{'shortest_edge':256},'crop_size':{'height':224,'width':224},"
        + "'do_center_crop':true,'resample':3,'image_mean':[0.485,0.456,0.406],'image_std':[0.229,0.224,0.225]}", "dinov2")]
    [InlineData("{'image_processor_type':'SiglipImageProcessor','size':{'height':384,'width':384},'resample':2,"
        + "'image_mean':[0.5,0.5,0.5],'image_std':[0.5,0.5,0.5],'rescale_factor':0.00392156862745098}", "siglip2")]
    [InlineData("{'feature_extractor_type':'ViTFeatureExtractor','size':224,'resample':2,"
        + "'image_mean':[0.5,0.5,0.5],'image_std':[0.5,0.5,0.5]}", "vit")]
    [InlineData("{'feature_extractor_type':'ViTFeatureExtractor','size':224,'image_mean':[0.5,0.5,0.5],'image_std':[0.5,0.5,0.5]}", "vit")]
    [InlineData("{'image_processor_type':'ViTImageProcessorFast','size':{'height':224,'width':224},'do_center_crop':true,"
        + "'crop_size':{'height':99,'width':99},'image_mean':[0.5,0.5,0.5],'image_std':[0.5,0.5,0.5]}", "vit")]
    [InlineData("{'image_processor_type':'ViTImageProcessor','size':384,'resample':3,"
        + "'image_mean':[0.485,0.456,0.406],'image_std':[0.229,0.224,0.225]}", "swin")]
    [InlineData("{'image_processor_type':'SiglipImageProcessor','size':{'height':384,'width':384},"
        + "'image_mean':[0.5,0.5,0.5],'image_std':[0.5,0.5,0.5]}", "siglip")]
    [InlineData("{'image_processor_type':'BitImageProcessor','size':{'shortest_edge':256},'crop_size':224,"
        + "'image_mean':[0.485,0.456,0.406],'image_std':[0.229,0.224,0.225]}", "dinov2")]
    [InlineData("{'image_processor_type':'OtherImageProcessor','size':{'shortest_edge':256},'crop_size':224,'resample':3,"
        + "'image_mean':[0.485,0.456,0.406],'image_std':[0.229,0.224,0.225]}", "dinov2")]
    [InlineData("{'feature_extractor_type':'ConvNextFeatureExtractor','crop_pct':0.875,'size':224,'resample':3,"
        + "'image_mean':[0.485,0.456,0.406],'image_std':[0.229,0.224,0.225]}", "resnet")]
    public void Configurations_of_the_processors_are_the_presets(string json, string preset)
    {
        var read = PreprocessorConfig.Read(Write(json));
        Assert.Equal(Presets.Find(preset)!.Description, (read with { Name = preset }).Description);
    }

    [Theory]
    [InlineData("[]", "expected an object")]
    [InlineData("{", "cannot be read")]
    [InlineData("{'image_mean':[1,2,3],'image_std':[1,1,1]}", "size: there is no such key")]
    [InlineData("{'size':-3,'image_mean':[1,2,3],'image_std':[1,1,1]}", "size: found -3")]
    [InlineData("{'size':{'longest_edge':5},'image_mean':[1,2,3],'image_std':[1,1,1]}", "expected shortest_edge")]
    [InlineData("{'size':{'shortest_edge':5},'image_mean':[1,2,3],'image_std':[1,1,1]}", "without a crop")]
    [InlineData("{'size':5,'resample':3,'image_mean':[1,2,3],'image_std':[1,0,1]}", "image_std")]
    [InlineData("{'size':5,'resample':0,'image_mean':[1,2,3],'image_std':[1,1,1]}", "resample: found 0")]
    [InlineData("{'size':5,'image_mean':[1,2,3],'image_std':[1,1,1]}", "resample: there is no such key")]
    [InlineData("{'image_processor_type':'CLIPImageProcessor','size':5,'image_mean':[1,2,3],'image_std':[1,1,1]}", "crop_size: there")]
    [InlineData("{'size':5,'crop_size':4,'resample':3,'image_mean':[1,2,3],'image_std':[1,1,1]}", "size: found a number")]
    [InlineData("{'image_processor_type':'EfficientNetImageProcessor','size':5}", "EfficientNetImageProcessor is not supported")]
    [InlineData("{'size':5,'do_flip_channel_order':1}", "do_flip_channel_order: found 1")]
    [InlineData("{'feature_extractor_type':'ConvNextFeatureExtractor','size':224,'do_resize':false,"
        + "'image_mean':[1,2,3],'image_std':[1,1,1]}", "do_resize: without")]
    [InlineData("{'image_processor_type':'Siglip2ImageProcessor','size':5}", "NaFlex")]
    public void A_configuration_that_is_not_understood_is_refused(string json, string reason) =>
        Throws.Line(() => PreprocessorConfig.Read(Write(json)), PreprocessorConfig.FileName, reason);

    // As in make_presets.py.
    private static PixelImage Picture(int width, int height)
    {
        var pixels = new byte[width * height * PixelImage.Channels];
        for (var i = 0; i < width * height; i++)
        {
            var (x, y) = (i % width, i / width);
            byte[] pixel = [(byte)((x * x / 16) + (3 * y)), (byte)(((x / 11) + (y / 13)) % 2 * 255), (byte)(x * y / 7), 0];
            pixel.CopyTo(pixels, i * PixelImage.Channels);
        }

        return new PixelImage(width, height, pixels);
    }

    private string Write(string json)
    {
        var path = _folder[PreprocessorConfig.FileName];
        File.WriteAllText(path, json.Replace('\'', '"'));
        return path;
    }
}
