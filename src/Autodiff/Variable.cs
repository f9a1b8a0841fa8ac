using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>A dense matrix on the tape, with a gradient once something has added to it.</summary>
/// <param name="value">The values; owned by the variable.</param>
public sealed class Variable(Tensor value) : IDisposable
{
    private Tensor? _gradient;

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

        return gradient;
    }

    /// <summary>Forgets the gradient; its memory is kept.</summary>
    public void ClearGradient() => HasGradient = false;

    /// <inheritdoc/>
    public void Dispose()
    {
        Value.Dispose();
        _gradient?.Dispose();
    }
}

/// <summary>Sparse latents on the tape: B×M, their gradient beside their values.</summary>
/// <param name="value">The latents; owned by the variable.</param>
public sealed class SparseVariable(SparseRows value) : IDisposable
{
    private bool _hasGradient;

    /// <summary>The latents.</summary>
    public SparseRows Value { get; } = value;

    /// <summary>The smallest value that a selection over the whole batch kept; 0 for other selections.</summary>
    public float SmallestKept { get; internal set; }

    /// <summary>The latents, with a gradient to add to: zeros at first.</summary>
    public SparseRows AccumulateGradient()
    {
        if (!_hasGradient)
        {
            Value.Gradient.Clear();
            _hasGradient = true;
        }

        return Value;
    }

    /// <summary>Forgets the gradient; its memory is kept.</summary>
    public void ClearGradient() => _hasGradient = false;

    /// <inheritdoc/>
    public void Dispose() => Value.Dispose();
}

/// <summary>A number on the tape.</summary>
/// <param name="value">Element 0 is the number, in device memory; owned by the scalar.</param>
public sealed class Scalar(DeviceArray<double> value) : IDisposable
{
    /// <summary>The number is element 0; an operation may keep more of its own behind it.</summary>
    public DeviceArray<double> Value { get; } = value;

    /// <summary>∂loss/∂this, known on the host: losses are only ever weighted by constants and summed.</summary>
    public double Gradient { get; set; }

    /// <summary>Waits for the number.</summary>
    public double Read()
    {
        Span<double> number = stackalloc double[1];
        Value.CopyTo(number);
        return number[0];
    }

    /// <inheritdoc/>
    public void Dispose() => Value.Dispose();
}
