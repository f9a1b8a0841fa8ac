using System.Data;
using System.Globalization;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>The sizes that the costs of kernels are formulas in (<see cref="KernelAttribute"/>).</summary>
/// <param name="Rows">B.</param>
/// <param name="Features">D.</param>
/// <param name="Latents">M.</param>
/// <param name="Active">K, active latents a row.</param>
internal readonly record struct KernelSizes(double Rows, double Features, double Latents, double Active)
{
    /// <summary>The value of a formula in B, D, M, K and N = B·K.</summary>
    public double Evaluate(string formula)
    {
        var sizes = this;
        var text = string.Concat(formula.Select(letter => sizes.Of(letter)?.ToString("0.0###", CultureInfo.InvariantCulture) ?? letter.ToString()));
        using var arithmetic = new DataTable();
        return Convert.ToDouble(arithmetic.Compute(text, null), CultureInfo.InvariantCulture);
    }

    private double? Of(char letter) => letter switch
    {
        'B' => Rows,
        'D' => Features,
        'M' => Latents,
        'K' => Active,
        'N' => Rows * Active,
        _ => null,
    };
}
