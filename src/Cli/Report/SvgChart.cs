using System.Globalization;
using System.Net;
using System.Text;

namespace MonoLoss.Cli;

/// <summary>A line of a chart.</summary>
/// <param name="Name">Its name in the legend.</param>
/// <param name="Color">The index of its color, from 0.</param>
/// <param name="Points">Points with ascending x; those whose y is not finite are left out.</param>
internal sealed record SvgSeries(string Name, int Color, IReadOnlyList<(double X, double Y)> Points);

/// <summary>
/// Charts as SVG with linear or logarithmic axes. They are meant to be inlined in a page whose style sheet colors their classes;
/// <see cref="File"/> makes a file that needs no page.
/// </summary>
internal static class SvgChart
{
    private const int Width = 560;
    private const int Height = 260;
    private const int Left = 62;
    private const int Right = 14;
    private const int Top = 12;
    private const int Bottom = 38;

    // The title and the legend above the chart of a file.
    private const int Header = 60;

    // More points than this do not show at this width, and make the file large.
    private const int MaxPoints = 400;

    // Points are marked on lines of at most this many.
    private const int MaxMarkers = 20;

    // Characters of a name beside a point.
    private const int MaxName = 32;

    // A disc, a square, a triangle and a diamond around a point.
    private static readonly string[] Shapes =
        ["m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z", "m-5 -5h10v10h-10z", "m0 -6l6 11h-12z", "m0 -7l6 7l-6 7l-6 -7z"];

    private const string FileStyle = "text { font: 12px sans-serif; fill: #667085; } .title { font-size: 15px; fill: #1d2433; } "
        + ".grid { stroke: #e3e7ee; } .axis { stroke: #667085; } .tick { dominant-baseline: middle; } .end { text-anchor: end; } "
        + ".middle { text-anchor: middle; } .line { fill: none; stroke-width: 2; } .line0 { stroke: #2f6fde; } .fill0 { fill: #2f6fde; } "
        + ".line1 { stroke: #e0662b; } .fill1 { fill: #e0662b; }";

    /// <summary>Lines over a common x axis.</summary>
    /// <param name="series">The lines.</param>
    /// <param name="xTitle">The title of the x axis.</param>
    /// <param name="logX">Whether the x axis is logarithmic; points whose x is not positive are left out then.</param>
    /// <param name="logY">Whether the y axis is logarithmic; points whose y is not positive are left out then.</param>
    /// <returns>An svg element; empty if there is no point.</returns>
    public static string Lines(IReadOnlyList<SvgSeries> series, string xTitle, bool logX = false, bool logY = false)
    {
        bool Shows((double X, double Y) point) => double.IsFinite(point.Y) && (!logX || point.X > 0) && (!logY || point.Y > 0);
        var lines = series.Select(line => line with { Points = [.. Thin(line.Points).Where(Shows)] }).ToList();
        var all = lines.SelectMany(line => line.Points).ToList();
        if (all.Count == 0)
        {
            return string.Empty;
        }

        var x = Axis.Around(all.Min(point => point.X), all.Max(point => point.X), logX, tight: true);
        var y = Axis.Around(all.Min(point => point.Y), all.Max(point => point.Y), logY, tight: logY);
        var svg = Begin(x, y, xTitle);
        foreach (var line in lines)
        {
            var points = line.Points.Select(point => (X: N(X(x, point.X)), Y: N(Y(y, point.Y)))).ToList();
            var path = string.Join(' ', points.Select(point => $"{point.X},{point.Y}"));
            var title = WebUtility.HtmlEncode(line.Name);
            svg.Append($"<polyline points=\"{path}\" class=\"line line{line.Color}\"><title>{title}</title></polyline>");
            if (points.Count <= MaxMarkers)
            {
                svg.AppendJoin('\n', points.Select(point =>
                    $"<circle r=\"3\" cx=\"{point.X}\" cy=\"{point.Y}\" class=\"fill{line.Color}\"/>"));
            }
        }

        return svg.Append("</svg>").ToString();
    }

    /// <summary>A point for each of several things, with its name beside it and a shape by its color.</summary>
    /// <param name="points">Names, colors and coordinates; points that are not finite are left out.</param>
    /// <param name="xTitle">The title of the x axis.</param>
    /// <param name="yTitle">The title of the y axis, which stands above it.</param>
    /// <returns>An svg element; empty if there is no point.</returns>
    public static string Points(IReadOnlyList<(string Name, int Color, double X, double Y)> points, string xTitle, string yTitle)
    {
        var shown = points.Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y)).ToList();
        if (shown.Count == 0)
        {
            return string.Empty;
        }

        var x = Axis.Around(shown.Min(point => point.X), shown.Max(point => point.X), logarithmic: false, tight: false);
        var y = Axis.Around(shown.Min(point => point.Y), shown.Max(point => point.Y), logarithmic: false, tight: false);
        var svg = Begin(x, y, xTitle).Append($"<text x=\"{Left}\" y=\"{Top - 4}\" class=\"tick\">{WebUtility.HtmlEncode(yTitle)}</text>");
        foreach (var point in shown)
        {
            var (left, top) = (X(x, point.X), Y(y, point.Y));
            var isRight = left > (Width + Left - Right) / 2;
            svg.Append($"<path d=\"M{N(left)} {N(top)}{Shapes[point.Color % Shapes.Length]}\" class=\"solid{point.Color}\"/>")
                .Append($"<text x=\"{N(left + (isRight ? -10 : 10))}\" y=\"{N(top)}\" ")
                .Append($"class=\"tick label{(isRight ? " end" : string.Empty)}\">")
                .Append(WebUtility.HtmlEncode(Shorten(point.Name, MaxName))).Append("</text>");
        }

        return svg.Append("</svg>").ToString();
    }

    /// <summary>A text, cut where it is long; what a reader takes for one character is not taken apart.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">The most characters.</param>
    public static string Shorten(string text, int most)
    {
        var elements = StringInfo.ParseCombiningCharacters(text);
        return elements.Length <= most ? text : text[..elements[most]] + "…";
    }

    /// <summary>A chart of lines with logarithmic axes as the text of an SVG file, with a title and a legend.</summary>
    /// <param name="title">The title above the chart.</param>
    /// <param name="series">At most two lines, of colors 0 and 1.</param>
    /// <param name="xTitle">The title of the x axis.</param>
    public static string File(string title, IReadOnlyList<SvgSeries> series, string xTitle)
    {
        var svg = new StringBuilder($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height + Header}\">\n");
        svg.Append($"<style>{FileStyle}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        svg.Append($"<text x=\"{Left}\" y=\"22\" class=\"title\">{WebUtility.HtmlEncode(title)}</text>\n");
        for (var i = 0; i < series.Count; i++)
        {
            var x = Left + (i * 120);
            svg.Append($"<circle r=\"4\" cx=\"{x + 4}\" cy=\"42\" class=\"fill{series[i].Color}\"/>")
                .Append($"<text x=\"{x + 14}\" y=\"42\" class=\"tick\">{WebUtility.HtmlEncode(series[i].Name)}</text>\n");
        }

        return svg.Append($"<svg y=\"{Header}\" width=\"{Width}\" height=\"{Height}\">\n")
            .Append(Lines(series, xTitle, logX: true, logY: true)).Append("\n</svg>\n</svg>\n").ToString();
    }

    /// <summary>A histogram with equal bins, the sets side by side.</summary>
    /// <param name="sets">Name, color and values of each set.</param>
    /// <param name="xTitle">The title of the x axis.</param>
    /// <param name="bins">The number of bins.</param>
    /// <param name="range">What the x axis shows at least.</param>
    /// <returns>An svg element; empty if there is no value.</returns>
    public static string Histogram(
        IReadOnlyList<(string Name, int Color, IReadOnlyList<double> Values)> sets,
        string xTitle,
        int bins,
        (double Low, double High)? range = null)
    {
        var values = sets.SelectMany(set => set.Values).ToList();
        if (values.Count == 0)
        {
            return string.Empty;
        }

        var low = range is { Low: var least } ? Math.Min(least, Math.Floor(values.Min() * 10) / 10) : Math.Floor(values.Min());
        var high = range is { High: var most } ? Math.Max(most, values.Max()) : Math.Ceiling(values.Max());
        high = high > low ? high : low + 1;
        var counts = sets.Select(set => Count(set.Values, low, high, bins)).ToList();
        var x = Axis.Around(low, high, logarithmic: false, tight: true);
        var y = Axis.Around(0, counts.Max(count => count.Max()), logarithmic: false, tight: false);
        var svg = Begin(x, y, xTitle);
        var slot = (double)(Width - Left - Right) / bins;
        var bar = slot * 0.86 / sets.Count;
        for (var s = 0; s < sets.Count; s++)
        {
            for (var b = 0; b < bins; b++)
            {
                if (counts[s][b] > 0)
                {
                    var top = Y(y, counts[s][b]);
                    svg.Append($"<rect x=\"{N(Left + (b * slot) + (slot * 0.07) + (s * bar))}\" y=\"{N(top)}\" width=\"{N(bar)}\" "
                        + $"height=\"{N(Height - Bottom - top)}\" class=\"fill{sets[s].Color}\">"
                        + $"<title>{WebUtility.HtmlEncode(sets[s].Name)}: {counts[s][b]}</title></rect>");
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

    private static StringBuilder Begin(Axis x, Axis y, string xTitle)
    {
        var svg = new StringBuilder($"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\">");
        foreach (var tick in y.Ticks())
        {
            var at = N(Y(y, tick));
            svg.Append($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{at}\" y2=\"{at}\" class=\"grid\"/>");
            svg.Append($"<text x=\"{Left - 8}\" y=\"{at}\" class=\"tick end\">{Label(tick)}</text>");
        }

        foreach (var tick in x.Ticks())
        {
            svg.Append($"<text x=\"{N(X(x, tick))}\" y=\"{Height - Bottom + 15}\" class=\"tick middle\">{Label(tick)}</text>");
        }

        svg.Append($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom}\" class=\"axis\"/>");
        var middle = (Width + Left - Right) / 2;
        return svg.Append($"<text x=\"{middle}\" y=\"{Height - 6}\" class=\"tick middle\">{WebUtility.HtmlEncode(xTitle)}</text>");
    }

    private static double X(Axis axis, double value) => Left + (axis.Position(value) * (Width - Left - Right));

    private static double Y(Axis axis, double value) => Height - Bottom - (axis.Position(value) * (Height - Top - Bottom));

    /// <summary>Averages neighboring points.</summary>
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

    /// <summary>A range of values. On a logarithmic axis, low, high and step are logarithms to base 10.</summary>
    private readonly record struct Axis(double Low, double High, double Step, bool Logarithmic)
    {
        private const int WantedTicks = 5;
        private const int MaxLogarithmicTicks = 9;

        private static readonly int[] TickDigits = [1, 2, 5];

        /// <summary>A range around values: to round numbers, or only to the values themselves.</summary>
        public static Axis Around(double low, double high, bool logarithmic, bool tight)
        {
            (low, high) = logarithmic ? (Math.Log10(low), Math.Log10(high)) : (low, high);
            if (high <= low)
            {
                var margin = low == 0 ? 1 : Math.Abs(low) * 0.1;
                (low, high) = (low - margin, high + margin);
            }

            var step = RoundStep(high - low);
            return tight
                ? new Axis(low, high, step, logarithmic)
                : new Axis(Math.Floor(low / step) * step, Math.Ceiling(high / step) * step, step, logarithmic);
        }

        /// <summary>Where a value is between the ends of the axis, 0 … 1.</summary>
        public double Position(double value) => ((Logarithmic ? Math.Log10(value) : value) - Low) / (High - Low);

        /// <summary>Round values: multiples of the step; on a logarithmic axis 1, 2 and 5 times the powers of ten, or only those.</summary>
        public IEnumerable<double> Ticks()
        {
            if (!Logarithmic)
            {
                var (first, last) = ((long)Math.Ceiling((Low / Step) - 1e-9), (long)Math.Floor((High / Step) + 1e-9));
                var step = Step;
                return Enumerable.Range(0, (int)(last - first + 1)).Select(i => (first + i) * step);
            }

            var (low, high) = (Low, High);
            var ticks = Enumerable.Range((int)Math.Floor(low), (int)(Math.Floor(high) - Math.Floor(low)) + 1)
                .SelectMany(power => TickDigits.Select(digit => digit * Math.Pow(10, power)))
                .Where(tick => Math.Log10(tick) >= low && Math.Log10(tick) <= high).ToList();
            if (ticks.Count < 2)
            {
                // Less than from 1 to 2: such a range is nearly linear.
                return Around(Math.Pow(10, low), Math.Pow(10, high), logarithmic: false, tight: true).Ticks();
            }

            return ticks.Count <= MaxLogarithmicTicks
                ? ticks
                : ticks.Where(tick => Math.Log10(tick) is var log && Math.Abs(log - Math.Round(log)) < 1e-9);
        }

        /// <summary>1, 2 or 5 times a power of ten, about a fifth of a range.</summary>
        private static double RoundStep(double range)
        {
            var rough = range / WantedTicks;
            var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
            return (rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 } * power;
        }
    }
}
