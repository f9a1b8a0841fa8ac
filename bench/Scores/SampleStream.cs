using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>Samples with k active latents each, drawn batch by batch, so that any number of them takes the memory of one batch.</summary>
internal sealed class SampleStream : IDisposable
{
    private const ulong Seed = 7;

    private readonly WorkSizes _sizes;
    private readonly float[] _features;
    private readonly float[] _values;
    private readonly int[] _offsets;
    private Xoshiro256 _random = new(Seed);

    /// <summary>Starts a stream; all streams draw the same samples.</summary>
    /// <param name="device">The device that receives the batches.</param>
    /// <param name="sizes">Rows per batch, features, latents and active latents.</param>
    public SampleStream(Device device, WorkSizes sizes)
    {
        _sizes = sizes;
        _features = new float[sizes.Rows * sizes.Features];
        Indices = new int[sizes.Rows * sizes.Active];
        _values = new float[sizes.Rows * sizes.Active];
        _offsets = Enumerable.Range(0, sizes.Rows + 1).Select(row => row * sizes.Active).ToArray();
        X = device.Tensor(sizes.Rows, sizes.Features);
        Latents = device.CsrMatrix();
    }

    /// <summary>The batch's features.</summary>
    public Tensor X { get; }

    /// <summary>The batch's latents.</summary>
    public CsrMatrix Latents { get; }

    /// <summary>The latents on the host, k per row.</summary>
    public int[] Indices { get; }

    /// <summary>The values of the latents on the host.</summary>
    public ReadOnlySpan<float> Values => _values;

    /// <summary>The features on the host.</summary>
    public ReadOnlySpan<float> Features => _features;

    /// <summary>Starts again from the first sample.</summary>
    public void Restart() => _random = new Xoshiro256(Seed);

    /// <summary>Draws the next batch.</summary>
    public void Next()
    {
        SyntheticData.FillUniform(_features, 1, ref _random);
        SyntheticData.FillActive(Indices, _values, _sizes.Latents, _sizes.Active, ref _random);
        X.Set(_features);
        Latents.Resize(X.Rows, _sizes.Latents, _values.Length);
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
