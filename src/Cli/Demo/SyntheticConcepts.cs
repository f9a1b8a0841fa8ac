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

    /// <summary>The number of attributes.</summary>
    public const int Attributes = 40;

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

    /// <summary>Writes samples to a Parquet file: id (text, such as test-00017), features (list of float) and label (text).</summary>
    /// <param name="path">The file. Its name is that of the samples.</param>
    /// <param name="rows">Number of samples.</param>
    /// <param name="seed">Seed of the samples; that of the concepts is another.</param>
    /// <param name="metadata">Texts to keep beside the data.</param>
    /// <returns>What the samples show, in order.</returns>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public IReadOnlyList<ConceptSample> Write(string path, int rows, ulong seed, IReadOnlyDictionary<string, string> metadata)
    {
        var random = new GaussianRandom(seed, stream: 1);
        var features = new float[rows * Dimension];
        var name = Path.GetFileNameWithoutExtension(path);
        var samples = new ConceptSample[rows];
        for (var i = 0; i < rows; i++)
        {
            samples[i] = Fill(features.AsSpan(i * Dimension, Dimension), FormattableString.Invariant($"{name}-{i:00000}"), random);
        }

        var options = new ParquetWriterOptions { RowGroupRows = RowGroupRows, Metadata = metadata };
        ParquetWriter.Write(
            path,
            [
                ParquetData.Create("id", Array.ConvertAll(samples, sample => sample.Id)),
                ParquetData.FloatLists("features", features, Dimension),
                ParquetData.Create("label", Array.ConvertAll(samples, sample => sample.Label)),
            ],
            options);
        return samples;
    }

    private ConceptSample Fill(Span<float> row, string id, GaussianRandom random)
    {
        var thing = random.Choose(Labels.Count);
        var family = thing * Families.Length / Labels.Count;
        Span<double> x = stackalloc double[Dimension];
        for (var j = 0; j < x.Length; j++)
        {
            x[j] = NoiseStrength * random.Normal() / Math.Sqrt(Dimension);
        }

        Add(x, _families[family], FamilyStrength * Strength(random));
        var thingStrength = Strength(random);
        Add(x, _things[thing], ThingStrength * thingStrength);
        var attributes = new (int Attribute, double Strength)[AttributesPerSample];
        for (var n = 0; n < AttributesPerSample; n++)
        {
            attributes[n] = (random.Choose(Attributes), Strength(random));
            Add(x, _attributes[attributes[n].Attribute], AttributeStrength * attributes[n].Strength);
        }

        for (var j = 0; j < x.Length; j++)
        {
            row[j] = (float)x[j];
        }

        return new ConceptSample(id, thing, family, thingStrength, attributes);
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
