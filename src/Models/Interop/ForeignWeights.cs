using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Collects the weights of a source, checks their shapes, and applies what its tool does when it opens them.</summary>
internal sealed class ForeignWeights
{
    private readonly Dictionary<string, float[]> _values = [];

    /// <summary>Reads nothing yet.</summary>
    /// <param name="source">The file, for messages.</param>
    /// <param name="dimension">D.</param>
    /// <param name="latents">M.</param>
    public ForeignWeights(string source, int dimension, int latents)
    {
        if (dimension <= 0 || latents <= 0 || (long)dimension * latents > Array.MaxLength)
        {
            throw new DataException($"{source}: {latents} latents of {dimension} features are not supported");
        }

        (Source, Dimension, Latents) = (source, dimension, latents);
    }

    /// <summary>The file.</summary>
    public string Source { get; }

    /// <summary>D.</summary>
    public int Dimension { get; }

    /// <summary>M.</summary>
    public int Latents { get; }

    /// <summary>The weights by name.</summary>
    public IReadOnlyDictionary<string, float[]> Values => _values;

    /// <summary>A weight.</summary>
    public float[] this[string name]
    {
        get => _values[name];
        set => _values[name] = Check(name, value);
    }

    /// <summary>Sets W_enc or W_dec from a D×M matrix.</summary>
    public void SetTransposed(string name, float[] values)
    {
        var result = new float[values.Length];
        for (var m = 0; m < Latents; m++)
        {
            for (var d = 0; d < Dimension; d++)
            {
                result[((long)m * Dimension) + d] = values[((long)d * Latents) + m];
            }
        }

        this[name] = result;
    }

    /// <summary>Reads an array of a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">The array's name in it.</param>
    /// <param name="shape">The shape that it must have.</param>
    /// <exception cref="DataException">It is missing, damaged, or has another shape.</exception>
    public float[] Read(ArrayFile file, string name, params ReadOnlySpan<long> shape)
    {
        var array = file.Find(name);
        return array.Shape.SequenceEqual(shape.ToArray())
            ? array.ReadFloats()
            : throw new DataException($"{Source}: {name} is {array.ShapeText}, expected {string.Join("×", shape.ToArray())}");
    }

    /// <summary>Sets the same threshold for all latents.</summary>
    public void SetThreshold(float threshold)
    {
        var values = new float[Latents];
        Array.Fill(values, threshold);
        this["threshold"] = values;
    }

    /// <summary>The length of every row of W_dec.</summary>
    public double[] DecoderNorms()
    {
        var norms = new double[Latents];
        for (var m = 0; m < Latents; m++)
        {
            var squares = 0.0;
            foreach (var value in _values["W_dec"].AsSpan(m * Dimension, Dimension))
            {
                squares += (double)value * value;
            }

            norms[m] = Math.Sqrt(squares);
        }

        return norms;
    }

    /// <summary>
    /// Moves the length n of every decoder row to the encoder: W_enc and b_enc are multiplied by n, W_dec is divided by it. Reconstructions
    /// stay the same; activations become n times as large. Rows of length 0 stay as they are.
    /// </summary>
    public void FoldDecoderNorms()
    {
        var norms = DecoderNorms();
        var (encoder, bias, decoder) = (_values["W_enc"], _values["b_enc"], _values["W_dec"]);
        for (var m = 0; m < Latents; m++)
        {
            var norm = norms[m] > 0 ? (float)norms[m] : 1;
            bias[m] *= norm;
            for (var i = m * Dimension; i < (m + 1) * Dimension; i++)
            {
                encoder[i] *= norm;
                decoder[i] /= norm;
            }
        }
    }

    private float[] Check(string name, float[] values)
    {
        var expected = name switch
        {
            "W_enc" or "W_dec" => (long)Latents * Dimension,
            "b_dec" => Dimension,
            _ => Latents,
        };
        if (values.Length != expected)
        {
            throw new DataException($"{Source}: {name} has {values.Length} values, expected {expected}");
        }

        var bad = Array.FindIndex(values, value => !float.IsFinite(value));
        return bad < 0 ? values : throw new DataException($"{Source}: {name} has {values[bad]} at index {bad}, expected finite numbers");
    }
}
