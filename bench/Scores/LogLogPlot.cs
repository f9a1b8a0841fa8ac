using System.Globalization;
using System.Text;

namespace MonoLoss.Bench;

/// <summary>A plot with two logarithmic axes as an SVG file: sizes in powers of two across, values in powers of ten up.</summary>
/// <param name="title">Above it.</param>
/// <param name="across">What the horizontal axis counts.</param>
/// <param name="up">What the vertical axis counts.</param>
internal sealed class LogLogPlot(string title, string across, string up)
{
    private const int Width = 640;
    private const int Height = 420;
    private const int Left = 70;
    private const int Right = 100;
    private const int Top = 44;
    private const int Bottom = 52;

    private readonly List<(string Name, string Color, (int Size, double Value)[] Points)> _lines = [];
    private readonly StringBuilder _svg = new();
    private double _leastX;
    private double _mostX;
    private double _leastY;
    private double _mostY;

    /// <summary>Adds a line.</summary>
    public void Add(string name, string color, IReadOnlyDictionary<int, double> points) =>
        _lines.Add((name, color, [.. points.OrderBy(point => point.Key).Select(point => (point.Key, point.Value))]));

    /// <summary>The file's text.</summary>
    public string ToSvg()
    {
        var points = _lines.SelectMany(line => line.Points).ToArray();
        (_leastX, _mostX) = (Math.Log2(points.Min(point => point.Size)), Math.Log2(points.Max(point => point.Size)));
        (_leastY, _mostY) = (
            Math.Floor(Math.Log10(points.Min(point => point.Value))), Math.Ceiling(Math.Log10(points.Max(point => point.Value))));
        _svg.Clear();
        Line($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"12\">");
        Line($"<rect width=\"{Width}\" height=\"{Height}\" fill=\"white\"/>");
        Text(Width / 2, 24, "middle", title, "font-size=\"15\"");
        Text((Left + Width - Right) / 2, Height - 12, "middle", across);
        Line($"<text transform=\"translate(18 {(Top + Height - Bottom) / 2}) rotate(-90)\" text-anchor=\"middle\">{up}</text>");
        DrawGrid();
        foreach (var (name, color, line) in _lines)
        {
            var path = string.Join(' ', line.Select(point => Invariant($"{X(Math.Log2(point.Size)):0.0},{Y(Math.Log10(point.Value)):0.0}")));
            Line($"<polyline points=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>");
            foreach (var (size, value) in line)
            {
                Line($"<circle cx=\"{X(Math.Log2(size)):0.0}\" cy=\"{Y(Math.Log10(value)):0.0}\" r=\"3\" fill=\"{color}\"/>");
            }

            var last = line[^1];
            Text(X(Math.Log2(last.Size)) + 8, Y(Math.Log10(last.Value)) + 4, "start", name, $"fill=\"{color}\"");
        }

        Line($"</svg>");
        return _svg.ToString();
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private void DrawGrid()
    {
        for (var x = _leastX; x <= _mostX; x++)
        {
            Line($"<line x1=\"{X(x):0.0}\" x2=\"{X(x):0.0}\" y1=\"{Top}\" y2=\"{Height - Bottom}\" stroke=\"#eee\"/>");
            Line($"<text x=\"{X(x):0.0}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">2<tspan dy=\"-4\" font-size=\"9\">{x}</tspan></text>");
        }

        for (var y = _leastY; y <= _mostY; y++)
        {
            Line($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(y):0.0}\" y2=\"{Y(y):0.0}\" stroke=\"#ddd\"/>");
            Text(Left - 8, Y(y) + 4, "end", Math.Pow(10, y).ToString("0.######", CultureInfo.InvariantCulture));
        }
    }

    private double X(double log) => Left + ((log - _leastX) / Math.Max(1, _mostX - _leastX) * (Width - Left - Right));

    private double Y(double log) => Height - Bottom - ((log - _leastY) / Math.Max(1, _mostY - _leastY) * (Height - Top - Bottom));

    private void Text(double x, double y, string anchor, string text, string attributes = "") =>
        Line($"<text x=\"{x:0.0}\" y=\"{y:0.0}\" text-anchor=\"{anchor}\" {attributes}>{text}</text>");

    private void Line(FormattableString text) => _svg.AppendLine(Invariant(text));
}
