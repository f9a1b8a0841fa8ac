using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>A weight that is trained: its variable and Adam's moments.</summary>
public sealed class Parameter : IDisposable
{
    /// <summary>A parameter with moments of zero.</summary>
    /// <param name="name">Its name in files.</param>
    /// <param name="value">The values; owned by the parameter.</param>
    /// <param name="unitRows">Whether every step scales its rows to length 1 before Adam.</param>
    /// <param name="project">Whether every step removes the gradient's part along each row.</param>
    public Parameter(string name, Tensor value, bool unitRows = false, bool project = false)
    {
        (Name, UnitRows, Project) = (name, unitRows, project);
        Variable = new Variable(value);
        FirstMoment = value.Device.Tensor(value.Rows, value.Columns);
        SecondMoment = value.Device.Tensor(value.Rows, value.Columns);
    }

    /// <summary>Its name in files.</summary>
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

    /// <summary>Whether every step removes the gradient's part along each row.</summary>
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
/// Adam (Kingma &amp; Ba 2015) as PyTorch computes it, after clipping the global norm of the gradient and constraining the decoder.
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
    /// <param name="device">Where the parameters are.</param>
    /// <param name="parameters">What is trained.</param>
    public Adam(Device device, IEnumerable<Parameter> parameters)
    {
        _device = device;
        _parameters = [.. parameters];
        _squares = device.Scalars(1);
        _clipFactor = device.Allocate<float>(1);
        _norm = new Scalar(() => Math.Sqrt(_squares.Read(0)));
    }

    /// <summary>Steps made so far.</summary>
    public long Steps { get; set; }

    /// <summary>Makes a step, without waiting for it, and forgets the gradients.</summary>
    /// <param name="learningRate">α.</param>
    /// <param name="epsilon">Added to the root of the second moment.</param>
    /// <param name="maxGradientNorm">The gradient is scaled down to this norm where it is longer; infinity for no clipping.</param>
    /// <returns>The gradient's norm before clipping, until the next step.</returns>
    public Scalar Step(float learningRate, float epsilon, double maxGradientNorm)
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
                    new AdamStep(Steps, learningRate, Beta1, Beta2, epsilon, parameter.UnitRows, parameter.Project),
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
