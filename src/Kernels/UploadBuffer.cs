namespace MonoLoss.Kernels;

/// <summary>Host memory that a device copies from while it computes.</summary>
public abstract class UploadBuffer : IDisposable
{
    /// <summary>The values to copy.</summary>
    public abstract Span<float> Values { get; }

    /// <summary>
    /// Copies all values and returns when they have arrived. It may be called on any thread; kernels may run meanwhile, but must not use
    /// the target.
    /// </summary>
    /// <param name="target">A tensor with as many elements.</param>
    public abstract void CopyTo(Tensor target);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>An upload buffer of a device that computes in the host's memory.</summary>
/// <param name="length">Number of values.</param>
internal sealed class HostUploadBuffer(int length) : UploadBuffer
{
    private readonly float[] _values = new float[length];

    /// <inheritdoc/>
    public override Span<float> Values => _values;

    /// <inheritdoc/>
    public override void CopyTo(Tensor target) => target.Set(_values);

    /// <inheritdoc/>
    public override void Dispose()
    {
    }
}
