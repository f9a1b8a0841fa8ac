using MonoLoss.Autodiff;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Encodes feature sets to files of sparse latents, and decodes such files to features, as streams.</summary>
public static class Encoder
{
    // Rows, or nonzeros, after which a row group is complete.
    private const int GroupRows = 1 << 16;
    private const int GroupNonzeros = 1 << 23;

    /// <summary>Encodes a set.</summary>
    /// <param name="model">The autoencoder.</param>
    /// <param name="set">The set, opened with rows as they are; its ids and labels come along.</param>
    /// <param name="batchSize">Rows per batch.</param>
    /// <param name="output">The Parquet file of latents.</param>
    /// <param name="reconstruction">A Parquet file for the reconstructions, in the scale of the features; null for none.</param>
    /// <param name="progress">Called with the number of rows done; may cancel by throwing.</param>
    /// <exception cref="DataException">The set cannot be read, or a file cannot be written.</exception>
    public static void Encode(
        SparseAutoencoder model, FeatureSet set, int batchSize, string output, string? reconstruction, Action<long>? progress = null)
    {
        using var writer = new LatentsWriter(output, new Dictionary<string, string> { ["monoloss.latents"] = $"{model.Config.Latents}" });
        using var features = reconstruction is null ? null : new ParquetRowWriter(reconstruction);
        using var tape = new Tape(model.Device);
        using var x = model.Device.Tensor(0, 0);
        using var reader = set.OpenReader();
        using var latentColumns = new RowColumns(set);
        using var featureColumns = features is null ? null : new RowColumns(set);
        var group = new Group();
        var rows = new float[checked((int)Math.Min(batchSize, set.Rows) * set.Dimension)];
        long done = 0;
        for (int count; (count = reader.Read(rows)) > 0; done += count, progress?.Invoke(done))
        {
            var scale = model.Config.UnitRows ? Normalize(rows.AsSpan(0, count * set.Dimension), set.Dimension) : null;
            x.Resize(count, set.Dimension);
            x.Set(rows.AsSpan(0, count * set.Dimension));
            tape.Reset();
            var encoding = model.Encode(tape, x);
            group.Add(encoding, scale);
            if (features is not null)
            {
                var decoded = model.Reconstruct(tape, encoding).Value.ToArray();
                Rescale(decoded, set.Dimension, scale);
                features.Write([.. featureColumns!.Read(count), ParquetData.FloatLists("features", decoded, set.Dimension)]);
            }

            if (group.Rows >= GroupRows || group.Nonzeros >= GroupNonzeros)
            {
                writer.Write(group.Take(), latentColumns.Read(group.Taken));
            }
        }

        if (group.Rows > 0)
        {
            writer.Write(group.Take(), latentColumns.Read(group.Taken));
        }

        writer.Commit();
        features?.Commit();
    }

    /// <summary>Decodes a file of latents.</summary>
    /// <param name="model">The autoencoder.</param>
    /// <param name="latents">The Parquet file of latents.</param>
    /// <param name="batchSize">Rows per batch.</param>
    /// <param name="output">The Parquet file of features, in the scale of the features that were encoded.</param>
    /// <param name="progress">Called with the number of rows done; may cancel by throwing.</param>
    /// <exception cref="DataException">
    /// The file is damaged, is of another model, lacks a column that the model needs, or the output cannot be written.
    /// </exception>
    public static void Decode(SparseAutoencoder model, string latents, int batchSize, string output, Action<long>? progress = null)
    {
        using var reader = new LatentsReader(latents, model.Config.Latents);
        var needed = new List<string>();
        needed.AddRange(model.Config.UnitRows ? [LatentsReader.Scale] : []);
        needed.AddRange(model.NormalizesRows ? [LatentsReader.Mean, LatentsReader.Deviation] : []);
        if (needed.Find(column => !reader.Has(column)) is { } missing)
        {
            throw new DataException(
                $"{latents}: no column '{missing}', which encode writes and this model needs to restore the scale of rows");
        }

        using var writer = new ParquetRowWriter(output);
        using var tape = new Tape(model.Device);
        using var z = new SparseVariable(model.Device.CsrMatrix());
        using var mean = model.Device.Tensor(0, 0);
        using var deviation = model.Device.Tensor(0, 0);
        long done = 0;
        foreach (var group in reader.Read())
        {
            for (var row = 0; row < group.Rows; row += batchSize)
            {
                var count = Math.Min(batchSize, group.Rows - row);
                SetRows(z.Value, group, row, count, model.Config.Latents);
                Set(mean, group.Mean, row, count);
                Set(deviation, group.Deviation, row, count);
                tape.Reset();
                var decoded = model.Decode(tape, z, model.NormalizesRows ? (mean, deviation) : null).Value.ToArray();
                Rescale(decoded, model.Config.Dimension, model.Config.UnitRows ? group.Scale.AsSpan(row, count) : default);
                writer.Write([ParquetData.FloatLists("features", decoded, model.Config.Dimension)]);
                progress?.Invoke(done += count);
            }
        }

        if (done == 0)
        {
            throw new DataException($"{latents}: it has no rows");
        }

        writer.Commit();
    }

    private static double[] Normalize(Span<float> rows, int dimension)
    {
        var scale = new double[rows.Length / dimension];
        for (var i = 0; i < scale.Length; i++)
        {
            UnitLength.TryScale(rows.Slice(i * dimension, dimension), out scale[i]);
        }

        return scale;
    }

    private static void Rescale(float[] rows, int dimension, ReadOnlySpan<double> scale)
    {
        for (var i = 0; i < scale.Length; i++)
        {
            foreach (ref var value in rows.AsSpan(i * dimension, dimension))
            {
                value = (float)(value * scale[i]);
            }
        }
    }

    private static void Set(Tensor target, double[]? values, int row, int count)
    {
        if (values is not null)
        {
            target.Resize(1, count);
            target.Set(Array.ConvertAll(values.AsSpan(row, count).ToArray(), value => (float)value));
        }
    }

    private static void SetRows(CsrMatrix target, LatentRows group, int row, int count, int latents)
    {
        var (first, last) = (group.Offsets[row], group.Offsets[row + count]);
        var offsets = new int[count + 1];
        for (var i = 0; i <= count; i++)
        {
            offsets[i] = group.Offsets[row + i] - first;
        }

        target.Resize(count, latents, last - first);
        target.RowOffsets.CopyFrom(offsets);
        target.Indices.CopyFrom(group.Indices.AsSpan(first, last - first));
        target.Values.CopyFrom(group.Values.AsSpan(first, last - first));
    }

    /// <summary>Collects batches until they make a row group.</summary>
    private sealed class Group
    {
        private List<int> _offsets = [0];
        private List<int> _indices = [];
        private List<float> _values = [];
        private List<double> _scale = [];
        private List<double> _mean = [];
        private List<double> _deviation = [];
        private int[] _batchOffsets = [];

        public int Rows => _offsets.Count - 1;

        public int Nonzeros => _values.Count;

        /// <summary>Rows of the last group taken.</summary>
        public int Taken { get; private set; }

        public void Add(in Encoding encoding, double[]? scale)
        {
            var latents = encoding.Latents.Value;
            Array.Resize(ref _batchOffsets, latents.Rows + 1);
            latents.RowOffsets.CopyTo(_batchOffsets);
            var (indices, values) = (latents.Indices.ToArray(), latents.Values.ToArray());
            for (var row = 0; row < latents.Rows; row++)
            {
                for (var i = _batchOffsets[row]; i < _batchOffsets[row + 1]; i++)
                {
                    // JumpReLU also stores latents below their threshold, as zeros.
                    if (values[i] != 0)
                    {
                        _indices.Add(indices[i]);
                        _values.Add(values[i]);
                    }
                }

                _offsets.Add(_values.Count);
            }

            _scale.AddRange(scale ?? []);
            _mean.AddRange(encoding.Mean is { } mean ? Array.ConvertAll(mean.ToArray(), value => (double)value) : []);
            _deviation.AddRange(encoding.Deviation is { } deviation ? Array.ConvertAll(deviation.ToArray(), value => (double)value) : []);
        }

        public LatentRows Take()
        {
            Taken = Rows;
            var rows = new LatentRows
            {
                Offsets = [.. _offsets],
                Indices = [.. _indices],
                Values = [.. _values],
                Scale = _scale.Count > 0 ? [.. _scale] : null,
                Mean = _mean.Count > 0 ? [.. _mean] : null,
                Deviation = _deviation.Count > 0 ? [.. _deviation] : null,
            };
            (_offsets, _indices, _values, _scale, _mean, _deviation) = ([0], [], [], [], [], []);
            return rows;
        }
    }
}
