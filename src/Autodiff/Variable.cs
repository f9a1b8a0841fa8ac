using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>A dense matrix on the tape, with a gradient once something has added to it.</summary>
/// <param name="value">The values; owned by the variable.</param>
public sealed class Variable(Tensor value) : IDisposable
{
    private Tensor? _gradient;
    private DeviceArray<double>? _rowSquares;

    /// <summary>The values.</summary>
    public Tensor Value { get; } = value;

    /// <summary>Whether anything has been added to the gradient since <see cref="ClearGradient"/>.</summary>
    public bool HasGradient { get; private set; }

    /// <summary>∂loss/∂value, the shape of <see cref="Value"/>.</summary>
    /// <exception cref="InvalidOperationException">Nothing has been added to it.</exception>
    public Tensor Gradient => HasGradient ? _gradient! : throw new InvalidOperationException("no gradient has reached this variable");

    /// <summary>The gradient to add to: zeros at first.</summary>
    public Tensor AccumulateGradient()
    {
        var gradient = _gradient ??= Value.Device.Tensor(Value.Rows, Value.Columns);
        if (!HasGradient)
        {
            gradient.Resize(Value.Rows, Value.Columns);
            gradient.Clear();
            HasGradient = true;
        }

        GradientRowSquares = null;
        return gradient;
    }

    /// <summary>Σ of the squares of each row of the gradient, where whoever wrote the gradient last has left them; else null.</summary>
    public DeviceArray<double>? GradientRowSquares { get; private set; }

    /// <summary>The gradient for one that writes every element of it: no zeros are needed first.</summary>
    /// <param name="add">Whether there is a gradient already, to be added to.</param>
    internal Tensor OverwriteGradient(out bool add)
    {
        add = HasGradient;
        var gradient = _gradient ??= Value.Device.Tensor(Value.Rows, Value.Columns);
        gradient.Resize(Value.Rows, Value.Columns);
        HasGradient = true;
        return gradient;
    }

    /// <summary>Room for <see cref="GradientRowSquares"/>, for one that will leave them there.</summary>
    internal DeviceArray<double> WriteGradientRowSquares() =>
        GradientRowSquares = _rowSquares ??= Value.Device.Allocate<double>(Value.Rows);

    /// <summary>Forgets the gradient; its memory is kept.</summary>
    public void ClearGradient() => (HasGradient, GradientRowSquares) = (false, null);

    /// <inheritdoc/>
    public void Dispose()
    {
        Value.Dispose();
        _gradient?.Dispose();
        _rowSquares?.Dispose();
    }
}

/// <summary>Sparse latents on the tape: B×M, their gradient beside their values.</summary>
/// <remarks>
/// What reaches the latents on the way back may be deferred: noted down, and formed with everything else in one visit to each
/// latent when the encoding that made them is reached (<see cref="FusedBackwardArgs"/>).
/// </remarks>
/// <param name="value">The latents; owned by the variable.</param>
public sealed class SparseVariable(CsrMatrix value) : IDisposable
{
    private bool _hasGradient;

    /// <summary>The latents.</summary>
    public CsrMatrix Value { get; } = value;

    /// <summary>The smallest value that the last selection over a whole batch kept. Waits for the device.</summary>
    public float SmallestKept => Value.SmallestKept;

    /// <summary>The latents, with a gradient to add to: zeros at first.</summary>
    public CsrMatrix AccumulateGradient()
    {
        if (!_hasGradient)
        {
            Value.Gradient.Clear();
            _hasGradient = true;
        }

        return Value;
    }

    /// <summary>Whether the encoding that made these takes deferred parts.</summary>
    internal bool Defers { get; set; }

    /// <summary>Whether the gradient holds something already.</summary>
    internal bool HasGradient => _hasGradient;

    /// <summary>Deferred: the gradient of what was decoded, and with which weights.</summary>
    internal (Tensor Gradient, Variable Weights)? DeferredDecode { get; set; }

    /// <summary>Deferred: what every positive value adds.</summary>
    internal float DeferredPositiveAmount { get; set; }

    /// <summary>Deferred: MonoLoss.</summary>
    internal MonoLossInputs DeferredMono { get; set; }

    /// <summary>Deferred: JumpReLU.</summary>
    internal JumpReLUTerm DeferredJumpReLU { get; set; }

    /// <summary>Forgets the gradient and what was deferred; memory is kept.</summary>
    public void ClearGradient()
    {
        _hasGradient = false;
        DeferredDecode = null;
        DeferredPositiveAmount = 0;
        DeferredMono = default;
        DeferredJumpReLU = default;
    }

    /// <inheritdoc/>
    public void Dispose() => Value.Dispose();
}

/// <summary>A number on the tape. It is formed when it is read, so that a step need not wait for it.</summary>
/// <param name="read">Forms the number.</param>
public sealed class Scalar(Func<double> read)
{
    /// <summary>∂loss/∂this, known on the host: losses are only ever weighted by constants and summed.</summary>
    public double Gradient { get; set; }

    /// <summary>Waits for the number.</summary>
    public double Read() => read();
}
