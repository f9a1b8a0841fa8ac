using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>A dense matrix on the tape, with a gradient once an operation has added to it.</summary>
/// <param name="value">The values; owned by the variable.</param>
public sealed class Variable(Tensor value) : IDisposable
{
    private Tensor? _gradient;
    private DeviceArray<double>? _rowSquares;

    /// <summary>The values.</summary>
    public Tensor Value { get; } = value;

    /// <summary>Whether a gradient has been added since <see cref="ClearGradient"/>.</summary>
    public bool HasGradient { get; private set; }

    /// <summary>∂loss/∂value, the shape of <see cref="Value"/>.</summary>
    /// <exception cref="InvalidOperationException">No gradient has been added.</exception>
    public Tensor Gradient => HasGradient ? _gradient! : throw new InvalidOperationException("no gradient has reached this variable");

    /// <summary>The gradient, to be added to: zeros if there was none.</summary>
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

    /// <summary>The sum of squares of each row of the gradient, if its last writer computed them; else null.</summary>
    public DeviceArray<double>? GradientRowSquares { get; private set; }

    /// <summary>The gradient, to be overwritten in every element: it is not cleared.</summary>
    /// <param name="add">Whether there is a gradient already, which must be added to instead.</param>
    internal Tensor OverwriteGradient(out bool add)
    {
        add = HasGradient;
        var gradient = _gradient ??= Value.Device.Tensor(Value.Rows, Value.Columns);
        gradient.Resize(Value.Rows, Value.Columns);
        HasGradient = true;
        return gradient;
    }

    /// <summary><see cref="GradientRowSquares"/>, to be written together with the gradient.</summary>
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

/// <summary>Sparse latents on the tape, B×M, with their gradient beside their values.</summary>
/// <remarks>
/// What the backward pass adds to the latents may be deferred: noted here, and formed in one visit to each latent when the encode operation
/// that made them is reached (<see cref="Tape"/>, <see cref="FusedBackwardArgs"/>).
/// </remarks>
/// <param name="value">The latents; owned by the variable.</param>
public sealed class SparseVariable(CsrMatrix value) : IDisposable
{
    private bool _hasGradient;

    /// <summary>The latents.</summary>
    public CsrMatrix Value { get; } = value;

    /// <summary>The smallest value that the last selection over a whole batch kept. Waits for the device.</summary>
    public float SmallestKept => Value.SmallestKept;

    /// <summary>The latents, whose gradient is to be added to: zeros if there was none.</summary>
    public CsrMatrix AccumulateGradient()
    {
        if (!_hasGradient)
        {
            Value.Gradient.Clear();
            _hasGradient = true;
        }

        return Value;
    }

    /// <summary>Whether the operation that made the latents takes deferred parts.</summary>
    internal bool Defers { get; set; }

    /// <summary>The number of features of the rows that were encoded.</summary>
    internal int Features { get; set; }

    /// <summary>Whether a gradient has been added to directly.</summary>
    internal bool HasGradient => _hasGradient;

    /// <summary>Deferred: ∂loss/∂(z·W) and W.</summary>
    internal DecodedLatents? DeferredDecode { get; set; }

    /// <summary>Deferred: the amount to add to ∂z wherever z is positive.</summary>
    internal float DeferredPositiveAmount { get; set; }

    /// <summary>Deferred: the inputs of MonoLoss.</summary>
    internal MonoLossInputs DeferredMono { get; set; }

    /// <summary>Deferred: the straight-through gradient of JumpReLU.</summary>
    internal JumpReLUTerm DeferredJumpReLU { get; set; }

    /// <summary>Whether these latents are a gate, whose producer takes a deferred decode by constant weights.</summary>
    internal bool IsGate { get; set; }

    /// <summary>Deferred: the magnitudes behind a gate.</summary>
    internal GatedLatents? DeferredGate { get; set; }

    /// <summary>Forgets the gradient and what was deferred; memory is kept.</summary>
    public void ClearGradient()
    {
        _hasGradient = false;
        DeferredDecode = null;
        DeferredPositiveAmount = 0;
        DeferredMono = default;
        DeferredJumpReLU = default;
        DeferredGate = null;
        IsGate = false;
    }

    /// <inheritdoc/>
    public void Dispose() => Value.Dispose();
}

/// <summary>What a decode of latents has deferred.</summary>
/// <param name="Gradient">∂loss/∂(z·W), B×D; one such matrix per group where there are groups.</param>
/// <param name="Weights">W, M×D.</param>
/// <param name="Variable">The variable of W; null for constant weights.</param>
/// <param name="GroupEnds">One past the last latent of each group; null without groups.</param>
internal readonly record struct DecodedLatents(
    Tensor Gradient, Tensor Weights, Variable? Variable, DeviceArray<int>? GroupEnds = null);

/// <summary>What a gate operation has deferred.</summary>
/// <param name="Latents">The magnitudes, with what their consumers have deferred.</param>
/// <param name="Scale">r_mag, 1×M.</param>
/// <param name="MagBias">b_mag, 1×M.</param>
internal readonly record struct GatedLatents(SparseVariable Latents, Variable Scale, Variable MagBias);

/// <summary>A number on the tape. It is computed when it is read, so that a step need not wait for it.</summary>
/// <param name="read">Computes the number.</param>
public sealed class Scalar(Func<double> read)
{
    /// <summary>∂loss/∂this. The host knows it, because losses are only summed with constant weights.</summary>
    public double Gradient { get; set; }

    /// <summary>Computes the number, waiting for the device if needed.</summary>
    public double Read() => read();
}
