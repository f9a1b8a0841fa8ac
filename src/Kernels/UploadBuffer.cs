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
