using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>A differentiable operation. It owns its outputs and what the backward pass needs from the forward pass.</summary>
public abstract class Operation : IDisposable
{
    /// <summary>Adds to the gradients of the inputs, given those of the outputs.</summary>
    public abstract void Backward();

    /// <summary>Forgets the gradients of the outputs.</summary>
    public abstract void ClearGradients();

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>
/// Reverse-mode differentiation: operations run as they are recorded, <see cref="Backward(Scalar)"/> visits them in reverse.
/// The operations themselves are methods of this class, one file per kind, each with its formula and gradient.
/// </summary>
/// <remarks>
/// <para>
/// Operations on a sparse variable defer to its producer, which makes one fused pass. Going backward, decode, MonoLoss, L1 and JumpReLU do
/// not form ∂z. They leave on the <see cref="SparseVariable"/> what they would add to it, and the encode operation that made the latents,
/// the last that the backward pass reaches, forms ∂z and all gradients that follow from it in one visit to each latent
/// (<see cref="Device.FusedLatentBackward"/>). A latent takes one deferred decode; further ones, and a tape with
/// <see cref="FuseLatents"/> off, add to ∂z directly.
/// </para>
/// <para>
/// The tape keeps its operations with their memory: recording the same kinds again after <see cref="Reset"/> reuses them, so that a
/// training step allocates nothing after the first.
/// </para>
/// </remarks>
/// <param name="device">The device to run the operations on.</param>
public sealed partial class Tape(Device device) : IDisposable
{
    private readonly List<Operation> _recorded = [];
    private readonly Dictionary<Type, Pool> _pools = [];
    private readonly List<DeviceScalars> _scalars = [];

    /// <summary>The device that runs the operations.</summary>
    public Device Device { get; } = device;

    /// <summary>
    /// Whether the backward pass visits each latent once for all operations (<see cref="FusedBackwardArgs"/>), rather than operation by
    /// operation. The gradients are the same up to rounding.
    /// </summary>
    public bool FuseLatents { get; init; } = true;

    /// <summary>Forgets what was recorded, whose outputs are no longer valid.</summary>
    public void Reset()
    {
        _recorded.Clear();
        foreach (var pool in _pools.Values)
        {
            pool.Used = 0;
        }
    }

    /// <summary>Adds the gradient of <paramref name="loss"/> to every variable it depends on.</summary>
    /// <param name="loss">A scalar that this tape recorded.</param>
    public void Backward(Scalar loss)
    {
        loss.Gradient = 1;
        Backward();
    }

    /// <summary>Propagates the gradients that outputs already hold to the inputs.</summary>
    public void Backward()
    {
        for (var i = _recorded.Count - 1; i >= 0; i--)
        {
            _recorded[i].Backward();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var operation in _pools.Values.SelectMany(pool => pool.Operations))
        {
            operation.Dispose();
        }

        _scalars.ForEach(scalars => scalars.Dispose());
        _pools.Clear();
        _scalars.Clear();
    }

    /// <summary>Records an operation of a kind, reusing a free one if there is any.</summary>
    private T Record<T>(Func<Tape, T> create)
        where T : Operation
    {
        if (!_pools.TryGetValue(typeof(T), out var pool))
        {
            _pools[typeof(T)] = pool = new Pool();
        }

        if (pool.Used == pool.Operations.Count)
        {
            pool.Operations.Add(create(this));
        }

        var operation = (T)pool.Operations[pool.Used++];
        operation.ClearGradients();
        _recorded.Add(operation);
        return operation;
    }

    /// <summary>Scalars for the kernels of an operation to write.</summary>
    private DeviceScalars DeviceScalars(int count)
    {
        var scalars = Device.Scalars(count);
        _scalars.Add(scalars);
        return scalars;
    }

    private sealed class Pool
    {
        public List<Operation> Operations { get; } = [];

        public int Used { get; set; }
    }
}
