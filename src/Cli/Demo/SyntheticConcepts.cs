using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Cli;

/// <summary>
/// Synthetic features with known concepts, similar to those of an image encoder. A sample is the sum of the direction of one thing (its
/// label), the direction of that thing's family, the directions of a few attributes that any thing may have, and noise.
/// </summary>
internal sealed class SyntheticConcepts
{
    /// <summary>The number of features in a row.</summary>
    public const int Dimension = 96;

    private const int Attributes = 40;
    private const int AttributesPerSample = 4;
    private const double FamilyStrength = 0.6;
    private const double ThingStrength = 0.8;
    private const double AttributeStrength = 0.35;
    private const double NoiseStrength = 0.4;
    private const int RowGroupRows = 4096;

    private static readonly (string Family, string[] Things)[] Families =
    [
        ("animal", ["cat", "dog", "horse", "owl", "trout", "beetle"]),
        ("vehicle", ["car", "bus", "tram", "bicycle", "boat", "plane"]),
        ("food", ["bread", "apple", "cheese", "soup", "rice", "cake"]),
        ("building", ["house", "tower", "bridge", "barn", "church", "stadium"]),
        ("plant", ["oak", "rose", "fern", "cactus", "moss", "wheat"]),
        ("tool", ["hammer", "saw", "wrench", "drill", "spade", "brush"]),
    ];

    private readonly double[][] _families;
    private readonly double[][] _things;
    private readonly double[][] _attributes;

    /// <summary>Draws the directions of families, things and attributes.</summary>
    public SyntheticConcepts(ulong seed)
    {
        var random = new GaussianRandom(seed, stream: 0);
        _families = random.UnitVectors(Families.Length, Dimension);
        _things = random.UnitVectors(Labels.Count, Dimension);
        _attributes = random.UnitVectors(Attributes, Dimension);
    }

    /// <summary>The labels of all things.</summary>
    public static IReadOnlyList<string> Labels { get; } = [.. Families.SelectMany(family => family.Things)];

    /// <summary>Writes samples to a Parquet file: features (list of float) and label (text).</summary>
    public void Write(string path, int rows, ulong seed, IReadOnlyDictionary<string, string> metadata)
    {
        var random = new GaussianRandom(seed, stream: 1);
        var features = new float[rows * Dimension];
        var labels = new string[rows];
        for (var i = 0; i < rows; i++)
        {
            var thing = random.Choose(Labels.Count);
            labels[i] = Labels[thing];
            Fill(features.AsSpan(i * Dimension, Dimension), thing, random);
        }

        var options = new ParquetWriterOptions { RowGroupRows = RowGroupRows, Metadata = metadata };
        ParquetWriter.Write(
            path, [ParquetData.FloatLists("features", features, Dimension), ParquetData.Create("label", labels)], options);
    }

    private void Fill(Span<float> row, int thing, GaussianRandom random)
    {
        Span<double> x = stackalloc double[Dimension];
        for (var j = 0; j < x.Length; j++)
        {
            x[j] = NoiseStrength * random.Normal() / Math.Sqrt(Dimension);
        }

        Add(x, _families[thing * Families.Length / Labels.Count], FamilyStrength * Strength(random));
        Add(x, _things[thing], ThingStrength * Strength(random));
        for (var n = 0; n < AttributesPerSample; n++)
        {
            Add(x, _attributes[random.Choose(Attributes)], AttributeStrength * Strength(random));
        }

        for (var j = 0; j < x.Length; j++)
        {
            row[j] = (float)x[j];
        }
    }

    private static void Add(Span<double> x, double[] direction, double strength)
    {
        for (var j = 0; j < x.Length; j++)
        {
            x[j] += strength * direction[j];
        }
    }

    /// <summary>How much of a concept a sample shows, 0.5 … 1.5.</summary>
    private static double Strength(GaussianRandom random) => 0.5 + random.Uniform();
}
