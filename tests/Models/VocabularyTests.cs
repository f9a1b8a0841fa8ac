using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Models;

/// <summary>Names of latents against loops in float64, and what a vocabulary may be.</summary>
public sealed class VocabularyTests : IDisposable
{
    private const int Dimension = 11;

    private readonly TempFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Names_are_the_texts_with_the_largest_cosines()
    {
        const int Texts = 900, Latents = 60, Count = 4;
        var embeddings = Random(Texts, 1);

        // A large part that all share, other lengths, and one of zeros.
        for (var i = 0; i < embeddings.Length; i++)
        {
            embeddings[i] = (embeddings[i] + (i % Dimension * 0.4f)) * (1 + (i / Dimension % 7));
        }

        embeddings.AsSpan(30 * Dimension, Dimension).Clear();
        string?[] texts =
        [
            .. Enumerable.Range(0, Texts).Select(i => i switch { 3 => null, 8 => "  ", 500 => " text 2 ", _ => $"text {i}" }),
        ];
        var path = Write("vocabulary.parquet", "text", texts, embeddings);
        using var device = DeviceFactory.Open("cpu");
        using var model = Model(device, Latents, out var decoder);
        var vocabulary = Vocabulary.Open(path, null, null, Dimension, Stop);
        var taken = Enumerable.Range(0, Texts).Where(i => i is not (3 or 8 or 500 or 30)).ToArray();
        Assert.Equal(taken.Select(i => texts[i]), vocabulary.Texts);
        Assert.Equal(
            $"{path}: of 900 rows of the vocabulary, left out: 2 without a text, 1 with a text of a row before, 1 whose embedding is zero",
            Assert.Single(vocabulary.Notices));

        var unit = taken.Select(i => Unit(embeddings.AsSpan(i * Dimension, Dimension))).ToArray();
        var mean = Enumerable.Range(0, Dimension).Select(j => unit.Average(row => row[j])).ToArray();
        var centered = unit.Select(row => row.Zip(mean, (value, part) => value - part).ToArray()).ToArray();
        var names = vocabulary.NamesOf(model, Count, stop: Stop);
        Assert.Null(names[7]);
        for (var m = 0; m < Latents; m++)
        {
            if (m != 7)
            {
                var direction = Unit(decoder.AsSpan(m * Dimension, Dimension));
                Check(unit, direction, names[m]!.Plain);
                Check(centered, direction, names[m]!.Centered);
            }
        }

        void Check(double[][] rows, double[] direction, IReadOnlyList<NearText> found)
        {
            var expected = rows.Select((row, i) => (Text: texts[taken[i]]!, Cosine: Dot(row, direction) / Math.Sqrt(Dot(row, row))))
                .OrderByDescending(pair => pair.Cosine).Take(Count).ToList();
            Assert.Equal(expected.Select(pair => pair.Text), found.Select(near => near.Text));

            // The rows less their mean are rounded to float32.
            Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First.Cosine, pair.Second.Cosine, 1e-6));
        }
    }

    [Fact]
    public void Texts_that_all_mean_the_same_have_no_direction_of_their_own()
    {
        var row = Random(1, 2);
        var path = Write("same.parquet", "word", ["a", "b", "c"], [.. row, .. row, .. row]);
        using var device = DeviceFactory.Open("cpu");
        using var model = Model(device, 4, out _);
        var names = Vocabulary.Open(path, null, null, Dimension, Stop).NamesOf(model, stop: Stop)[0]!;
        Assert.Equal(["a", "b", "c"], names.Plain.Select(near => near.Text));
        Assert.Equal([new("a", 0), new("b", 0), new("c", 0)], names.Centered);
    }

    [Theory]
    [InlineData("text")]
    [InlineData("Name")]
    [InlineData("word")]
    [InlineData("label")]
    [InlineData("id")]
    [InlineData("Wort")]
    public void The_column_of_texts_is_found(string column)
    {
        var path = Write("vocabulary.parquet", column, ["a cat", "a dog"], Random(2, 3), more: ParquetData.Create("frequency", [1L, 2L]));
        Assert.Equal(["a cat", "a dog"], Vocabulary.Open(path, null, null, Dimension, Stop).Texts);
        Assert.Equal(["1", "2"], Vocabulary.Open(path, "frequency", null, Dimension, Stop).Texts);
    }

    [Fact]
    public void Other_formats_are_read()
    {
        var path = _folder["vocabulary.csv"];
        File.WriteAllText(path, $"word,{string.Join(",", Enumerable.Range(0, Dimension).Select(j => $"f{j}"))}\n"
            + $"cat{string.Concat(Enumerable.Repeat(",1", Dimension))}\ndog{string.Concat(Enumerable.Repeat(",2", Dimension))}\n");
        Assert.Equal(["cat", "dog"], Vocabulary.Open(path, null, null, Dimension, Stop).Texts);
    }

    [Fact]
    public void The_column_of_embeddings_is_that_of_the_features_where_there_are_several()
    {
        var path = Write(
            "vocabulary.parquet", "text", ["a", "b"], Random(2, 4), more: ParquetData.FloatLists("other", new float[6], 3));
        Assert.Equal(2, Vocabulary.Open(path, null, "embedding", Dimension, Stop).Texts.Count);
        Refused(path, null, "expected the vocabulary's embeddings in one");
        Refused(path, "f*", "or in 'f*' as the features are");
    }

    [Fact]
    public void What_is_no_vocabulary_is_refused_in_one_line()
    {
        Refused(_folder["missing.parquet"], null, "missing.parquet");
        Refused(Write("empty.parquet", "text", ["", null], Random(2, 5)), null, "no text with an embedding", "2 without a text");
        var nan = Random(2, 6);
        nan[Dimension + 3] = float.NaN;
        Refused(Write("nan.parquet", "text", ["a", "b"], nan), null, "row 1", "NaN");
        Refused(
            Write("two.parquet", "eins", ["a", "b"], Random(2, 7), ParquetData.Create("zwei", ["c", "d"])),
            null,
            "several columns of texts",
            "VocabularyColumn");
        var none = _folder["none.parquet"];
        ParquetWriter.Write(none, [ParquetData.FloatLists("embedding", Random(2, 8), Dimension), ParquetData.Create("n", [1, 2])]);
        Refused(none, null, "no column of texts", "embedding");
        var path = Write("good.parquet", "text", ["a", "b"], Random(2, 9));
        Assert.Contains(
            "no column 'words'", Assert.Throws<DataException>(() => Vocabulary.Open(path, "words", null, Dimension, Stop)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "dimension 11, but the model's features have 12",
            Assert.Throws<DataException>(() => Vocabulary.Open(path, null, null, 12, Stop)).Message,
            StringComparison.Ordinal);
    }

    private static void Refused(string path, string? featuresColumn, params string[] words)
    {
        var message = Assert.Throws<DataException>(() => Vocabulary.Open(path, null, featuresColumn, Dimension, Stop)).Message;
        Assert.All(words, word => Assert.Contains(word, message, StringComparison.Ordinal));
    }

    private static SparseAutoencoder Model(Device device, int latents, out float[] decoder)
    {
        var model = SparseAutoencoder.Create(
            device, new SaeConfig { Architecture = Architecture.BatchTopK, Dimension = Dimension, Latents = latents, K = 2 });
        decoder = Random(latents, 10);
        if (latents > 7)
        {
            decoder.AsSpan(7 * Dimension, Dimension).Clear();
        }

        model.Parameters.Single(parameter => parameter.Name == "W_dec").Value.Set(decoder);
        return model;
    }

    private static double[] Unit(ReadOnlySpan<float> row)
    {
        var values = Array.ConvertAll(row.ToArray(), value => (double)value);
        var norm = Math.Sqrt(Dot(values, values));
        return Array.ConvertAll(values, value => value / norm);
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static float[] Random(int rows, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows * Dimension).Select(_ => (random.NextSingle() * 2) - 1)];
    }

    private string Write(string name, string column, string?[] texts, float[] embeddings, ParquetData? more = null)
    {
        ParquetWriter.Write(
            _folder[name],
            [
                ParquetData.Create(column, texts, nullable: true),
                ParquetData.FloatLists("embedding", embeddings, Dimension),
                .. more is null ? Array.Empty<ParquetData>() : [more],
            ],
            new ParquetWriterOptions { RowGroupRows = 400 });
        return _folder[name];
    }
}
