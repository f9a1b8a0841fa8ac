using System.Globalization;
using System.Net;
using System.Text;

namespace MonoLoss.Cli;

/// <summary>A line of a chart.</summary>
/// <param name="Name">What the legend calls it.</param>
/// <param name="Color">Which of the page's colors, from 0.</param>
/// <param name="Points">x ascending, with y; y that is not finite is left out.</param>
internal sealed record SvgSeries(string Name, int Color, IReadOnlyList<(double X, double Y)> Points);

/// <summary>Charts as inline SVG; their colors are the page's CSS variables.</summary>
internal static class SvgChart
{
    private const double Width = 560;
    private const double Height = 260;
    private const double Left = 62;
    private const double Right = 14;
    private const double Top = 12;
    private const double Bottom = 38;
    private const int Ticks = 5;

    // More points than that do not show at this width, and make the file large.
    private const int MaxPoints = 400;

    /// <summary>Lines over a common x axis.</summary>
    /// <param name="series">The lines.</param>
    /// <param name="xTitle">What x is.</param>
    /// <param name="logarithmic">Whether y is drawn by its logarithm; all y must be positive then.</param>
    public static string Lines(IReadOnlyList<SvgSeries> series, string xTitle, bool logarithmic = false)
    {
        double Scale(double value) => logarithmic ? Math.Log10(value) : value;
        var thinned = series.Select(line => line with { Points = Thin(line.Points) }).ToList();
        var all = thinned.SelectMany(line => line.Points).Where(point => double.IsFinite(Scale(point.Y))).ToList();
        if (all.Count == 0)
        {
            return string.Empty;
        }

        var x = Axis.Around(all.Min(point => point.X), all.Max(point => point.X), tight: true);
        var y = Axis.Around(all.Min(point => Scale(point.Y)), all.Max(point => Scale(point.Y)), tight: logarithmic);
        var svg = logarithmic
            ? Begin(x, y, y.LogarithmicTicks(), xTitle, value => Label(Math.Pow(10, value)))
            : Begin(x, y, y.Ticks(), xTitle, Label);
        foreach (var line in thinned)
        {
            var points = line.Points.Where(point => double.IsFinite(Scale(point.Y))).ToList();
            if (points.Count == 1)
            {
                var (cx, cy) = (X(x, points[0].X), Y(y, Scale(points[0].Y)));
                svg.Append($"<circle r=\"3\" cx=\"{N(cx)}\" cy=\"{N(cy)}\" class=\"fill{line.Color}\"/>");
            }

            var path = string.Join(' ', points.Select(point => $"{N(X(x, point.X))},{N(Y(y, Scale(point.Y)))}"));
            var title = WebUtility.HtmlEncode(line.Name);
            svg.Append($"<polyline points=\"{path}\" class=\"line line{line.Color}\"><title>{title}</title></polyline>");
        }

        return svg.Append("</svg>").ToString();
    }

    /// <summary>How often values fall into equal bins, side by side for several sets.</summary>
    /// <param name="sets">Name, color and values of each.</param>
    /// <param name="xTitle">What the values are.</param>
    /// <param name="bins">How many bins.</param>
    public static string Histogram(IReadOnlyList<(string Name, int Color, IReadOnlyList<double> Values)> sets, string xTitle, int bins)
    {
        var values = sets.SelectMany(set => set.Values).ToList();
        if (values.Count == 0)
        {
            return string.Empty;
        }

        var low = Math.Min(0, Math.Floor(values.Min() * 10) / 10);
        var high = Math.Max(1, values.Max());
        var counts = sets.Select(set => Count(set.Values, low, high, bins)).ToList();
        var x = new Axis(low, high, Axis.NiceStep(high - low));
        var y = Axis.Around(0, counts.Max(count => count.Max()), tight: false);
        var svg = Begin(x, y, y.Ticks(), xTitle, Label);
        var slot = (Width - Left - Right) / bins;
        var bar = slot * 0.86 / sets.Count;
        for (var s = 0; s < sets.Count; s++)
        {
            for (var b = 0; b < bins; b++)
            {
                if (counts[s][b] > 0)
                {
                    var top = Y(y, counts[s][b]);
                    svg.Append($"<rect x=\"{N(Left + (b * slot) + (slot * 0.07) + (s * bar))}\" y=\"{N(top)}\" width=\"{N(bar)}\" "
                        + $"height=\"{N(Height - Bottom - top)}\" class=\"fill{sets[s].Color}\"><title>{WebUtility.HtmlEncode(sets[s].Name)}: "
                        + $"{counts[s][b]}</title></rect>");
                }
            }
        }

        return svg.Append("</svg>").ToString();
    }

    private static int[] Count(IReadOnlyList<double> values, double low, double high, int bins)
    {
        var counts = new int[bins];
        foreach (var value in values)
        {
            counts[Math.Clamp((int)((value - low) / (high - low) * bins), 0, bins - 1)]++;
        }

        return counts;
    }

    private static StringBuilder Begin(Axis x, Axis y, IEnumerable<double> yTicks, string xTitle, Func<double, string> yLabel)
    {
        var svg = new StringBuilder($"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\">");
        foreach (var tick in yTicks)
        {
            var at = N(Y(y, tick));
            svg.Append($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{at}\" y2=\"{at}\" class=\"grid\"/>");
            svg.Append($"<text x=\"{Left - 8}\" y=\"{at}\" class=\"tick end\">{yLabel(tick)}</text>");
        }

        foreach (var tick in x.Ticks())
        {
            svg.Append($"<text x=\"{N(X(x, tick))}\" y=\"{Height - Bottom + 15}\" class=\"tick middle\">{Label(tick)}</text>");
        }

        svg.Append($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom}\" class=\"axis\"/>");
        var middle = (Width + Left - Right) / 2;
        return svg.Append($"<text x=\"{middle}\" y=\"{Height - 6}\" class=\"tick middle\">{WebUtility.HtmlEncode(xTitle)}</text>");
    }

    private static double X(Axis axis, double value) => Left + ((value - axis.Low) / (axis.High - axis.Low) * (Width - Left - Right));

    private static double Y(Axis axis, double value) =>
        Height - Bottom - ((value - axis.Low) / (axis.High - axis.Low) * (Height - Top - Bottom));

    /// <summary>Means of neighbours.</summary>
    private static IReadOnlyList<(double X, double Y)> Thin(IReadOnlyList<(double X, double Y)> points) => points.Count <= MaxPoints
        ? points
        : [.. points.Chunk((points.Count + MaxPoints - 1) / MaxPoints)
            .Select(chunk => (chunk.Average(point => point.X), chunk.Average(point => point.Y)))];

    private static string N(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private static string Label(double value) => Math.Abs(value) >= 1e4
        ? value.ToString("#,0", CultureInfo.InvariantCulture)
        : value != 0 && Math.Abs(value) < 1e-3
            ? value.ToString("0.#e0", CultureInfo.InvariantCulture)
            : Math.Round(value, 6).ToString("0.####", CultureInfo.InvariantCulture);

    /// <summary>A range of values with round ticks.</summary>
    private readonly record struct Axis(double Low, double High, double Step)
    {
        /// <summary>A range around values: to round numbers, or only to the values themselves.</summary>
        public static Axis Around(double low, double high, bool tight)
        {
            if (high <= low)
            {
                var margin = low == 0 ? 1 : Math.Abs(low) * 0.1;
                (low, high) = (low - margin, high + margin);
            }

            var step = NiceStep(high - low);
            return tight ? new Axis(low, high, step) : new Axis(Math.Floor(low / step) * step, Math.Ceiling(high / step) * step, step);
        }

        /// <summary>1, 2 or 5 times a power of ten, about a fifth of a range.</summary>
        public static double NiceStep(double range)
        {
            var rough = range / SvgChart.Ticks;
            var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
            return (rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 } * power;
        }

        public IEnumerable<double> Ticks()
        {
            for (var i = (long)Math.Ceiling((Low / Step) - 1e-9); i * Step <= High + (Step * 1e-9); i++)
            {
                yield return i * Step;
            }
        }

        /// <summary>Logarithms of 1, 2 and 5 times the powers of ten.</summary>
        public IEnumerable<double> LogarithmicTicks()
        {
            for (var power = Math.Floor(Low); power <= High; power++)
            {
                foreach (var digit in new[] { 1, 2, 5 })
                {
                    if (power + Math.Log10(digit) is var tick && tick >= Low && tick <= High)
                    {
                        yield return tick;
                    }
                }
            }
        }
    }
}
