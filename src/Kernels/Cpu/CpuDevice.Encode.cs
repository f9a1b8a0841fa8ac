namespace MonoLoss.Kernels.Cpu;

/// <content>Encoders fused with selection.</content>
public sealed unsafe partial class CpuDevice
{
    // The search for a batch's threshold begins a little below the last batch's, so that it rarely has to begin again.
    private const float ThresholdHint = 0.95f;

    /// <inheritdoc/>
    public override void EncodeTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents)
    {
        RequireEncoder(x, weights, bias);
        _encoder.EncodeTopK(
            x.Rows, weights.Rows, x.Columns, Pointer(x), x.Columns, Pointer(weights), x.Columns, PointerOrNull(bias), k, Into(latents));
        latents.Resize(x.Rows, weights.Rows, _encoded.Count);
    }

    /// <inheritdoc/>
    public override void EncodeBatchTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents)
    {
        RequireEncoder(x, weights, bias);
        latents.SmallestKept = _encoder.EncodeBatchTopK(
            x.Rows,
            weights.Rows,
            x.Columns,
            Pointer(x),
            x.Columns,
            Pointer(weights),
            x.Columns,
            PointerOrNull(bias),
            k,
            ThresholdHint * latents.SmallestKept,
            Into(latents));
        latents.Resize(x.Rows, weights.Rows, _encoded.Count);
    }

    /// <inheritdoc/>
    public override void EncodeThreshold(Tensor x, Tensor weights, Tensor? bias, Tensor? bounds, CsrMatrix latents)
    {
        RequireEncoder(x, weights, bias);
        Require(bounds is null || bounds.Count == weights.Rows, $"{bounds?.Count} bounds for {weights.Rows} latents");
        if (bounds is null && EncodeDense(x, weights, bias, latents))
        {
            return;
        }

        _encoder.EncodeThreshold(
            x.Rows,
            weights.Rows,
            x.Columns,
            Pointer(x),
            x.Columns,
            Pointer(weights),
            x.Columns,
            PointerOrNull(bias),
            PointerOrNull(bounds),
            Into(latents));
        latents.Resize(x.Rows, weights.Rows, _encoded.Count);
    }

    private static void RequireEncoder(Tensor x, Tensor weights, Tensor? bias)
    {
        Require(x.Columns == weights.Columns, $"{x.Columns} features with weights for {weights.Columns}");
        Require(bias is null || bias.Count == weights.Rows, $"{bias?.Count} biases for {weights.Rows} latents");
    }

    private SparseBuffer Into(CsrMatrix latents)
    {
        latents.Forget();
        _encoded.WriteTo(latents);
        return _encoded;
    }
}
