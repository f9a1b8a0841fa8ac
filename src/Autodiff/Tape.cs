using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>A differentiable operation: owns its outputs and whatever it needs to remember between the two directions.</summary>
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
/// The operations themselves are methods of this class, one file each.
/// </summary>
/// <remarks>
/// The tape keeps its operations with their memory: recording the same kinds again after <see cref="Reset"/> reuses them, so
/// that a training step allocates nothing after the first.
/// </remarks>
/// <param name="device">Where the operations run.</param>
public sealed partial class Tape(Device device) : IDisposable
{
    private readonly List<Operation> _recorded = [];
    private readonly Dictionary<Type, Pool> _pools = [];
    private readonly List<DeviceScalars> _scalars = [];

    /// <summary>Where the operations run.</summary>
    public Device Device { get; } = device;

    /// <summary>
    /// Whether all that concerns a latent on the way back is done in one visit to it (<see cref="FusedBackwardArgs"/>), rather than
    /// operation by operation. The gradients are the same but for rounding.
    /// </summary>
    public bool FuseLatents { get; init; } = true;

    /// <summary>Starts anew: what was recorded is forgotten, its outputs are no longer valid.</summary>
    public void Reset()
    {
        _recorded.Clear();
        foreach (var pool in _pools.Values)
        {
            pool.Used = 0;
        }
    }

    /// <summary>Adds the gradient of <paramref name="loss"/> to every variable it depends on.</summary>
    /// <param name="loss">A number that this tape recorded.</param>
    public void Backward(Scalar loss)
    {
        loss.Gradient = 1;
        Backward();
    }

    /// <summary>Carries gradients that the outputs already hold back to the inputs.</summary>
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

    /// <summary>Records an operation of a kind: one used before if there is a free one.</summary>
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

    /// <summary>Room for numbers that an operation's kernels write.</summary>
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
