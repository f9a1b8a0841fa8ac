using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>A trained tensor: its variable and Adam's moments.</summary>
public sealed class Parameter : IDisposable
{
    /// <summary>A parameter with moments of zero.</summary>
    /// <param name="name">The name in files.</param>
    /// <param name="value">The values; owned by the parameter.</param>
    /// <param name="unitRows">Whether every step scales its rows to length 1 before Adam.</param>
    /// <param name="project">Whether every step removes from each row of the gradient the component along the parameter's row.</param>
    public Parameter(string name, Tensor value, bool unitRows = false, bool project = false)
    {
        (Name, UnitRows, Project) = (name, unitRows, project);
        Variable = new Variable(value);
        FirstMoment = value.Device.Tensor(value.Rows, value.Columns);
        SecondMoment = value.Device.Tensor(value.Rows, value.Columns);
    }

    /// <summary>The name in files.</summary>
    public string Name { get; }

    /// <summary>Values and gradient.</summary>
    public Variable Variable { get; }

    /// <summary>The values.</summary>
    public Tensor Value => Variable.Value;

    /// <summary>Adam's running mean of the gradient.</summary>
    public Tensor FirstMoment { get; }

    /// <summary>Adam's running mean of the squared gradient.</summary>
    public Tensor SecondMoment { get; }

    /// <summary>Whether every step scales its rows to length 1 before Adam.</summary>
    public bool UnitRows { get; }

    /// <summary>Whether every step removes from each row of the gradient the component along the parameter's row.</summary>
    public bool Project { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Variable.Dispose();
        FirstMoment.Dispose();
        SecondMoment.Dispose();
    }
}

/// <summary>
/// Adam (Kingma &amp; Ba 2015, arXiv 1412.6980) as PyTorch computes it, with β₁ = 0.9 and β₂ = 0.999, for the gradient g clipped to a
/// global norm as torch.nn.utils.clip_grad_norm_ does:
/// <code>
///   m ← β₁·m + (1 − β₁)·g,   v ← β₂·v + (1 − β₂)·g²
///   θ ← θ − α/(1 − β₁ᵗ) · m/(√v/√(1 − β₂ᵗ) + ε)
/// </code>
/// or AdamW (Loshchilov &amp; Hutter 2019, arXiv 1711.05101), which first shrinks every parameter, θ ← θ − α·λ·θ.
/// Before that, <see cref="Parameter.UnitRows"/> and <see cref="Parameter.Project"/> keep a decoder near unit rows (Bricken et al. 2023).
/// A parameter that no gradient reached is not stepped.
/// </summary>
public sealed class Adam : IDisposable
{
    private const float Beta1 = 0.9f;
    private const float Beta2 = 0.999f;

    private readonly Device _device;
    private readonly Parameter[] _parameters;
    private readonly DeviceScalars _squares;
    private readonly DeviceArray<float> _clipFactor;
    private readonly Scalar _norm;

    /// <summary>An optimizer before its first step.</summary>
    /// <param name="device">The device that holds the parameters.</param>
    /// <param name="parameters">The parameters to train.</param>
    public Adam(Device device, IEnumerable<Parameter> parameters)
    {
        _device = device;
        _parameters = [.. parameters];
        _squares = device.Scalars(1);
        _clipFactor = device.Allocate<float>(1);
        _norm = new Scalar(() => Math.Sqrt(_squares.Read(0)));
    }

    /// <summary>t, the number of steps made so far.</summary>
    public long Steps { get; set; }

    /// <summary>Makes a step, without waiting for the device, and clears the gradients.</summary>
    /// <param name="learningRate">The learning rate α.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="maxGradientNorm">The gradient is scaled down to this norm if it is longer; infinity for no clipping.</param>
    /// <param name="weightDecay">λ of AdamW; 0 for Adam.</param>
    /// <returns>The gradient's norm before clipping; valid until the next step.</returns>
    public Scalar Step(float learningRate, float epsilon, double maxGradientNorm, float weightDecay = 0)
    {
        Steps++;
        var squares = _squares.ToWrite();
        squares.Clear();
        foreach (var parameter in _parameters)
        {
            if (parameter.Variable.HasGradient)
            {
                if (parameter.Variable.GradientRowSquares is { } rowSquares)
                {
                    _device.AddSum(rowSquares, squares);
                }
                else
                {
                    _device.AddSumSquares(parameter.Variable.Gradient, squares);
                }
            }
        }

        _device.ClipFactor(squares, maxGradientNorm, _clipFactor);
        foreach (var parameter in _parameters)
        {
            if (parameter.Variable.HasGradient)
            {
                _device.Adam(
                    parameter.Value,
                    parameter.Variable.Gradient,
                    parameter.FirstMoment,
                    parameter.SecondMoment,
                    new AdamStep(Steps, learningRate, Beta1, Beta2, epsilon, weightDecay, parameter.UnitRows, parameter.Project),
                    _clipFactor);
                parameter.Variable.ClearGradient();
            }
        }

        return _norm;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _squares.Dispose();
        _clipFactor.Dispose();
    }
}
