namespace MonoLoss.Kernels;

/// <summary>Memory of the host that a device copies from while it computes.</summary>
public abstract class UploadBuffer : IDisposable
{
    /// <summary>The values to be copied.</summary>
    public abstract Span<float> Values { get; }

    /// <summary>
    /// Copies all values, and returns when they are there. It may be called on any thread; kernels run meanwhile, and none of them
    /// may use the target.
    /// </summary>
    /// <param name="target">As many elements.</param>
    public abstract void CopyTo(Tensor target);

    /// <inheritdoc/>
    public abstract void Dispose();
}
