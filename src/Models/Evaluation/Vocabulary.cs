using System.Globalization;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>
/// Texts with their embeddings in the space of the features, such as CLIP's text tower gives. The names of a latent are the texts whose
/// embeddings have the largest cosine with its decoder row. Embeddings of one tower share a large part, their mean m; names are also given
/// without it, by the cosine with e/‖e‖ − m, where m is the mean of all e/‖e‖.
/// </summary>
/// <remarks>
/// Texts are taken without white space around them. Rows without a text, rows whose text came before, and embeddings of zeros are left out
/// and counted in <see cref="Notices"/>. Embeddings are streamed: only the texts are kept.
/// </remarks>
public sealed class Vocabulary
{
    /// <summary>How many names a latent gets.</summary>
    public const int NamesPerLatent = 5;

    private const int FloatsAtOnce = 1 << 22;

    // An embedding that is as close to the mean as this is equal to it but for its float32 rounding.
    private const double SmallestDistance = 1e-6;

    private static readonly string[] UsualNames =
    [
        "text", "texts", "name", "names", "word", "words", "label", "labels", "caption", "captions", "prompt", "class", "concept",
    ];

    private readonly FeatureSet _set;
    private readonly bool[] _isTaken;
    private readonly List<string> _texts = [];
    private readonly double[] _mean;

    private Vocabulary(string path, string? column, FeatureSet set, CancellationToken stop)
    {
        _set = set;
        _isTaken = new bool[set.Rows];
        _mean = new double[set.Dimension];
        var (empty, repeated) = ReadTexts(path, column);
        var zeros = ReadMean(stop);
        List<string> left = [];
        void Count(int rows, string what)
        {
            if (rows > 0)
            {
                left.Add($"{rows} {what}");
            }
        }

        Count(empty, "without a text");
        Count(repeated, "with a text of a row before");
        Count(zeros, "whose embedding is zero");
        if (_texts.Count == 0)
        {
            throw new DataException($"{path}: no text with an embedding: of {set.Rows} rows {string.Join(", ", left)}");
        }

        Notices = left.Count == 0 ? [] : [$"{path}: of {set.Rows} rows of the vocabulary, left out: {string.Join(", ", left)}"];
    }

    /// <summary>The texts, in the order of the file.</summary>
    public IReadOnlyList<string> Texts => _texts;

    /// <summary>Number of rows of the file.</summary>
    public long Rows => _isTaken.Length;

    /// <summary>What the user should know about rows that are left out.</summary>
    public IReadOnlyList<string> Notices { get; }

    /// <summary>Opens a vocabulary: reads its texts, and its embeddings once.</summary>
    /// <param name="path">A file of embeddings, in any format of features, with a column or array of texts.</param>
    /// <param name="column">
    /// The column of texts; null for the first that is called text, name, word, label, caption, prompt, class or concept, or as ids are, or
    /// for the only one.
    /// </param>
    /// <param name="featuresColumn">
    /// The column of the features that the model takes: that of the embeddings, if the file has several it could be. Null for none.
    /// </param>
    /// <param name="dimension">D of the model.</param>
    /// <param name="stop">Cancels the reading.</param>
    /// <exception cref="DataException">
    /// The file cannot be read, has no texts or embeddings or several columns of them, embeddings of another dimension than D, or one that
    /// is not finite.
    /// </exception>
    /// <exception cref="OperationCanceledException">The reading was cancelled.</exception>
    public static Vocabulary Open(
        string path, string? column, string? featuresColumn, int dimension, CancellationToken stop = default)
    {
        var set = OpenSet(path, featuresColumn);
        if (set.Dimension != dimension)
        {
            throw new DataException($"{path}: column '{set.FeaturesColumn}' has embeddings of dimension {set.Dimension}, but the model's "
                + $"features have {dimension}: a vocabulary must be in their space");
        }

        return set.Rows <= Array.MaxLength
            ? new Vocabulary(path, column, set, stop)
            : throw new DataException($"{path}: {set.Rows} rows, expected at most {Array.MaxLength} in a vocabulary");
    }

    /// <summary>Names the latents of an autoencoder. The result is the same on every device.</summary>
    /// <param name="model">The autoencoder, of the dimension that the vocabulary was opened for.</param>
    /// <param name="count">How many names each latent gets, if there are as many texts.</param>
    /// <param name="progress">Called with the number of rows compared so far; may be null.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <returns>An entry per latent; null for a latent whose decoder row is zero.</returns>
    /// <exception cref="DataException">The file cannot be read any more.</exception>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public LatentNames?[] NamesOf(
        SparseAutoencoder model, int count = NamesPerLatent, Action<long>? progress = null, CancellationToken stop = default)
    {
        var dimension = _set.Dimension;
        var decoder = model.DecoderDirections();
        using var plain = new NearestDirections(model.Device, decoder, dimension, count);
        using var centered = new NearestDirections(model.Device, decoder, dimension, count);
        ForEachBlock(
            (rows, first) =>
            {
                var taken = 0;
                for (var row = 0; row < rows.Length / dimension; row++)
                {
                    if (_isTaken[first + row])
                    {
                        rows.Slice(row * dimension, dimension).CopyTo(rows[(taken++ * dimension)..]);
                    }
                }

                rows = rows[..(taken * dimension)];
                plain.Add(rows, stop);
                for (var start = 0; start < rows.Length; start += dimension)
                {
                    Center(rows.Slice(start, dimension));
                }

                centered.Add(rows, stop);
                progress?.Invoke(Math.Min(Rows, first + RowsAtOnce(dimension)));
            },
            stop);
        NearText[] Named(Neighbor[] neighbors) =>
            Array.ConvertAll(neighbors, neighbor => new NearText(_texts[neighbor.Row], neighbor.Cosine));
        return
        [
            .. Enumerable.Range(0, model.Config.Latents).Select(latent =>
                Directions.Row(decoder, latent, dimension).ContainsAnyExcept(0f)
                    ? new LatentNames(Named(plain.Of(latent)), Named(centered.Of(latent)))
                    : null),
        ];
    }

    private static FeatureSet OpenSet(string path, string? featuresColumn)
    {
        FeatureSet Open(string? column) => FeatureSet.Open(
            path, new FeatureSetOptions { FeaturesColumn = column, ReadLabels = false, Normalize = false });
        try
        {
            return Open(null);
        }
        catch (DataException exception) when (exception.Property == nameof(FeatureSetOptions.FeaturesColumn))
        {
            try
            {
                if (featuresColumn is not null)
                {
                    return Open(featuresColumn);
                }
            }
            catch (DataException)
            {
                // What is said below says more about a vocabulary.
            }

            throw new DataException($"{path}: none or several columns of lists of numbers, expected the vocabulary's embeddings in one, or "
                + (featuresColumn is null ? "in one that is called as the features are" : $"in '{featuresColumn}' as the features are"));
        }
    }

    /// <summary>The column of texts.</summary>
    private RowValues OpenTexts(string path, string? column)
    {
        if (column is not null)
        {
            return RowValues.Find(_set, column, out var problem) ?? throw new DataException(
                problem ?? $"{path}: no column '{column}' with a text for each row; the columns are: {_set.Contents}");
        }

        RowValues? TextsIn(string name)
        {
            var values = RowValues.Find(_set, name, out _);
            if (values is { IsText: false })
            {
                values.Dispose();
                return null;
            }

            return values;
        }

        if (_set.ValueNamesLike([.. UsualNames, .. RowIds.Names]).Select(TextsIn).FirstOrDefault(values => values is not null) is { } usual)
        {
            return usual;
        }

        var others = _set.ValueNames.Select(TextsIn).OfType<RowValues>().ToList();
        if (others.Count == 1)
        {
            return others[0];
        }

        others.ForEach(values => values.Dispose());
        throw new DataException(
            $"{path}: {(others.Count == 0 ? "no column" : "several columns")} of texts, none of them called 'text' or 'name'; the columns "
                + $"are: {_set.Contents}; name one with VocabularyColumn",
            property: nameof(TrainingOptions.VocabularyColumn));
    }

    /// <summary>Reads the texts, and marks the rows that they are of.</summary>
    /// <returns>How many rows have no text, and how many one that came before.</returns>
    private (int Empty, int Repeated) ReadTexts(string path, string? column)
    {
        const int TextsAtOnce = 1 << 16;
        using var values = OpenTexts(path, column);
        var known = new HashSet<string>(StringComparer.Ordinal);
        var empty = 0;
        for (var row = 0; row < _isTaken.Length;)
        {
            var (numbers, texts) = values.Read(Math.Min(TextsAtOnce, _isTaken.Length - row));
            foreach (var value in texts ?? Array.ConvertAll(numbers!, number => number?.ToString(CultureInfo.InvariantCulture)))
            {
                var text = value?.Trim();
                if (string.IsNullOrEmpty(text))
                {
                    empty++;
                }
                else if (known.Add(text))
                {
                    _texts.Add(text);
                    _isTaken[row] = true;
                }

                row++;
            }
        }

        return (empty, _isTaken.Length - empty - _texts.Count);
    }

    /// <summary>Reads the embeddings: sums up their mean, and takes out those of zeros.</summary>
    /// <returns>How many were taken out.</returns>
    private int ReadMean(CancellationToken stop)
    {
        var (zeros, text, kept) = (0, 0, 0);
        ForEachBlock(
            (rows, first) =>
            {
                for (var row = 0; row < rows.Length / _mean.Length; row++)
                {
                    if (!_isTaken[first + row])
                    {
                        continue;
                    }

                    var embedding = rows.Slice(row * _mean.Length, _mean.Length);
                    var norm = Math.Sqrt(Directions.Dot(embedding, embedding));
                    if (norm == 0)
                    {
                        zeros++;
                        text++;
                        _isTaken[first + row] = false;
                        continue;
                    }

                    _texts[kept++] = _texts[text++];
                    for (var j = 0; j < _mean.Length; j++)
                    {
                        _mean[j] += embedding[j] / norm;
                    }
                }
            },
            stop);
        _texts.RemoveRange(kept, _texts.Count - kept);
        for (var j = 0; j < _mean.Length; j++)
        {
            _mean[j] /= Math.Max(1, kept);
        }

        return zeros;
    }

    private static int RowsAtOnce(int dimension) => Math.Max(1, FloatsAtOnce / dimension);

    private void ForEachBlock(BlockReader take, CancellationToken stop)
    {
        using var reader = _set.OpenReader();
        var dimension = _set.Dimension;
        var buffer = new float[Math.Min(RowsAtOnce(dimension), _isTaken.Length) * dimension];
        for (var row = 0; row < _isTaken.Length;)
        {
            stop.ThrowIfCancellationRequested();
            var count = Math.Min(buffer.Length / dimension, _isTaken.Length - row);
            var read = reader.Read(buffer.AsSpan(0, count * dimension));
            take(buffer.AsSpan(0, read * dimension), row);
            row += read;
        }
    }

    /// <summary>e becomes e/‖e‖ − m; zero if that is rounding alone.</summary>
    private void Center(Span<float> embedding)
    {
        var norm = Math.Sqrt(Directions.Dot(embedding, embedding));
        for (var j = 0; j < embedding.Length; j++)
        {
            embedding[j] = (float)((embedding[j] / norm) - _mean[j]);
        }

        if (Directions.Dot(embedding, embedding) < SmallestDistance * SmallestDistance)
        {
            embedding.Clear();
        }
    }

    /// <param name="rows">Embeddings, which may be overwritten.</param>
    /// <param name="first">The number of the first row within the file.</param>
    private delegate void BlockReader(Span<float> rows, int first);
}
