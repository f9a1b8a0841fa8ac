using System.Globalization;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Bench;

/// <summary>The sizes that appear in the cost formulas of kernels (<see cref="KernelAttribute"/>).</summary>
/// <param name="Rows">B.</param>
/// <param name="Features">D.</param>
/// <param name="Latents">M.</param>
/// <param name="Active">K, active latents per row.</param>
internal readonly record struct KernelSizes(double Rows, double Features, double Latents, double Active)
{
    /// <summary>Evaluates a formula of numbers, B, D, M, K, N = B·K, +, -, *, / and parentheses.</summary>
    /// <exception cref="FormatException">The text is not such a formula.</exception>
    public double Evaluate(string formula)
    {
        var text = formula.Replace(" ", string.Empty, StringComparison.Ordinal);
        var position = 0;
        var value = Sum(text, ref position);
        return position == text.Length ? value : throw new FormatException($"'{text}' is not a formula from character {position} on");
    }

    private double Sum(string formula, ref int position)
    {
        var value = Product(formula, ref position);
        while (position < formula.Length && formula[position] is '+' or '-')
        {
            var sign = formula[position++] == '+' ? 1 : -1;
            value += sign * Product(formula, ref position);
        }

        return value;
    }

    private double Product(string formula, ref int position)
    {
        var value = Factor(formula, ref position);
        while (position < formula.Length && formula[position] is '*' or '/')
        {
            var isQuotient = formula[position++] == '/';
            var factor = Factor(formula, ref position);
            value = isQuotient ? value / factor : value * factor;
        }

        return value;
    }

    private double Factor(string formula, ref int position)
    {
        var start = position++;
        switch (start < formula.Length ? formula[start] : ' ')
        {
            case 'B':
                return Rows;
            case 'D':
                return Features;
            case 'M':
                return Latents;
            case 'K':
                return Active;
            case 'N':
                return Rows * Active;
            case '(':
                var value = Sum(formula, ref position);
                return position < formula.Length && formula[position++] == ')'
                    ? value
                    : throw new FormatException($"'{formula}' lacks a parenthesis");
            default:
                while (position < formula.Length && (char.IsAsciiDigit(formula[position]) || formula[position] == '.'))
                {
                    position++;
                }

                var number = formula.AsSpan(start, Math.Min(position, formula.Length) - start);
                return double.Parse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture);
        }
    }
}
