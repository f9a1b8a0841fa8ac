using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>Samples with k active latents each, drawn batch by batch: any number of them takes the memory of one batch.</summary>
internal sealed class SampleStream : IDisposable
{
    private const ulong Seed = 7;

    private readonly float[] _features;
    private readonly float[] _values;
    private readonly int[] _offsets;
    private Xoshiro256 _random = new(Seed);

    /// <summary>Starts a stream; all streams draw the same samples.</summary>
    /// <param name="device">Where batches go.</param>
    /// <param name="batch">Rows of a batch.</param>
    public SampleStream(Device device, int batch)
    {
        _features = new float[batch * Sizes.Features];
        Indices = new int[batch * Sizes.K];
        _values = new float[batch * Sizes.K];
        _offsets = Enumerable.Range(0, batch + 1).Select(row => row * Sizes.K).ToArray();
        X = device.Tensor(batch, Sizes.Features);
        Latents = device.CsrMatrix();
    }

    /// <summary>The batch's features.</summary>
    public Tensor X { get; }

    /// <summary>The batch's latents.</summary>
    public CsrMatrix Latents { get; }

    /// <summary>The latents on the host, k a row.</summary>
    public int[] Indices { get; }

    /// <summary>Their values.</summary>
    public ReadOnlySpan<float> Values => _values;

    /// <summary>The features on the host.</summary>
    public ReadOnlySpan<float> Features => _features;

    /// <summary>Starts from the first sample.</summary>
    public void Restart() => _random = new Xoshiro256(Seed);

    /// <summary>Draws the next batch.</summary>
    public void Next()
    {
        SyntheticData.FillUniform(_features, 1, ref _random);
        SyntheticData.FillActive(Indices, _values, Sizes.Latents, Sizes.K, ref _random);
        X.Set(_features);
        Latents.Resize(X.Rows, Sizes.Latents, _values.Length);
        Latents.RowOffsets.CopyFrom(_offsets);
        Latents.Indices.CopyFrom(Indices);
        Latents.Values.CopyFrom(_values);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        X.Dispose();
        Latents.Dispose();
    }
}
