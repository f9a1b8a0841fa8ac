using MonoLoss.Kernels;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Encoding a batch in chunks of rows gives the same result as encoding it at once.</summary>
public abstract class EncodeChunkTests(IlgpuDevice device) : IDisposable
{
    private const int Rows = 20, Features = 8, Latents = 36;

    private readonly IlgpuDevice _device = device;

    private readonly IlgpuDeviceOptions _options = device.Options;

    public void Dispose() => _device.Options = _options;

    [Fact]
    public void Encoding_in_chunks_gives_the_same_result()
    {
        var random = new Random(8);
        float[] Values(int count) => Enumerable.Range(0, count).Select(_ => (float)random.Next(-3, 4)).ToArray();
        using var x = _device.Tensor(Rows, Features).Set(Values(Rows * Features));
        using var weights = _device.Tensor(Latents, Features).Set(Values(Latents * Features));
        using var bias = _device.Tensor(1, Latents).Set(Values(Latents));
        Action<CsrMatrix>[] encoders =
        [
            s => _device.EncodeTopK(x, weights, bias, 5, s),
            s => _device.EncodeBatchTopK(x, weights, bias, 5, s),
            s => _device.EncodeThreshold(x, weights, bias, bias, s),
        ];
        foreach (var encode in encoders)
        {
            using var atOnce = _device.CsrMatrix();
            using var inChunks = _device.CsrMatrix();
            _device.Options = _options;
            encode(atOnce);
            _device.Options = _options with { MaxEncodedRows = 7 };
            encode(inChunks);
            Assert.NotEqual(0, atOnce.NonzeroCount);
            Assert.Equal(atOnce.RowOffsets.ToArray(), inChunks.RowOffsets.ToArray());
            Assert.Equal(atOnce.Indices.ToArray(), inChunks.Indices.ToArray());
            Assert.Equal(atOnce.Values.ToArray(), inChunks.Values.ToArray());
        }
    }
}
