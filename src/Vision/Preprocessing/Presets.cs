namespace MonoLoss.Vision;

/// <summary>What the processors of well-known models do. Sizes are adapted to the model's input where that is fixed.</summary>
public static class Presets
{
    private const int Usual = 224;
    private const int Large = 384;

    // Models that resize the shorter side to this and crop to 224.
    private const int BeforeCrop = 256;

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names { get; } = ["clip", "siglip", "siglip2", "vit", "dinov2", "swin", "resnet"];

    /// <summary>Finds a preset.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>Null if there is none of this name.</returns>
    public static Preprocessor? Find(string name) => name switch
    {
        "clip" => Create(name, Usual, Usual, Resampling.Bicubic, Preprocessor.Clip),
        "siglip" => Create(name, Large, null, Resampling.Bicubic, Preprocessor.Half),
        "siglip2" => Create(name, Large, null, Resampling.Bilinear, Preprocessor.Half),
        "vit" => Create(name, Usual, null, Resampling.Bilinear, Preprocessor.Half),
        "dinov2" => Create(name, Usual, BeforeCrop, Resampling.Bicubic, Preprocessor.ImageNet),
        "swin" => Create(name, Large, null, Resampling.Bicubic, Preprocessor.ImageNet),
        "resnet" => Create(name, Usual, BeforeCrop, Resampling.Bicubic, Preprocessor.ImageNet),
        _ => null,
    };

    private static Preprocessor Create(
        string name, int size, int? shortestEdge, Resampling filter, (float[] Mean, float[] Deviation) statistics) => new()
    {
        Name = name,
        Width = size,
        Height = size,
        ShortestEdge = shortestEdge,
        Filter = filter,
        Mean = statistics.Mean,
        Deviation = statistics.Deviation,
    };
}
