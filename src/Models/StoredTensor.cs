using MonoLoss.Autodiff;

namespace MonoLoss.Models;

/// <summary>A parameter as the weights file stores it.</summary>
/// <param name="Name">The tensor's name in the file.</param>
/// <param name="Parameter">The parameter, 1×n or M×D.</param>
internal sealed record StoredTensor(string Name, Parameter Parameter)
{
    /// <summary>Whether the file has the transpose of the parameter.</summary>
    public bool Transposed { get; init; }

    /// <summary>Whether reading leaves it out, because another tensor of the file fills the parameter.</summary>
    public bool WriteOnly { get; init; }

    /// <summary>Whether a file without it can be read, which leaves the parameter at 0.</summary>
    public bool Optional { get; init; }

    /// <summary>The value in the file of a value of the parameter; null if they are the same.</summary>
    public Converter<float, float>? ToFile { get; init; }

    /// <summary>The inverse of <see cref="ToFile"/>.</summary>
    public Converter<float, float>? FromFile { get; init; }

    /// <summary>The least value that is valid in the file.</summary>
    public float Least { get; init; } = float.MinValue;

    /// <summary>The shape in the file.</summary>
    public long[] Shape => (IsMatrix, Transposed) switch
    {
        (false, _) => [Parameter.Value.Columns],
        (true, true) => [Parameter.Value.Columns, Parameter.Value.Rows],
        _ => [Parameter.Value.Rows, Parameter.Value.Columns],
    };

    /// <summary>Whether the parameter has a row per latent, of which there may be one.</summary>
    private bool IsMatrix => Name.StartsWith("W_", StringComparison.Ordinal);
}

/// <summary>A number that files store in addition to the parameters.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Get">The number; null before there is one.</param>
/// <param name="Set">Sets the number.</param>
internal sealed record StoredNumber(string Name, Func<double?> Get, Action<double> Set);
