using MonoLoss.Data.Parquet;
using MonoLoss.Tests.Cli;
using MonoLoss.Tests.Data;
using SkiaSharp;

namespace MonoLoss.BrowserTests;

/// <summary>Two runs on features of pictures, and their report as a folder and as one file; made once for all tests.</summary>
public sealed class ReportSite : IDisposable
{
    /// <summary>Number of rows and pictures.</summary>
    public const int Rows = 320;

    /// <summary>Latents of a run.</summary>
    public const int Latents = 150;

    /// <summary>Classes whose names are hostile where they can be; row i is of class i mod 4.</summary>
    public static readonly string[] Classes =
        ["<img src=x onerror=alert(1)>", "cat \"and\" 'dog'", "</script><script>alert(2)</script>", "../צב"];

    private const int Dimension = 16;

    private readonly TempFolder _folder = new();

    /// <summary>Trains the runs and writes the reports.</summary>
    public ReportSite()
    {
        Directory.CreateDirectory(_folder["pictures"]);
        for (var row = 0; row < Rows; row++)
        {
            Draw(Path.Combine(_folder["pictures"], Name(row)), row);
        }

        ParquetWriter.Write(_folder["features.parquet"],
        [
            ParquetData.FloatLists("features", RunFiles.Features(Rows, Dimension), Dimension),
            ParquetData.Create("id", Enumerable.Range(0, Rows).Select(Name).ToArray()),
            ParquetData.Create("label", Enumerable.Range(0, Rows).Select(row => Classes[row % Classes.Length]).ToArray()),
        ]);
        foreach (var (name, coefficient) in new[] { ("baseline", "0"), ("monoloss", "0.003") })
        {
            Monoloss.Run(
                "train", "--train", _folder["features.parquet"], "--test", _folder["features.parquet"], "--out", _folder[name],
                "--latents", $"{Latents}", "--k", "6", "--batch-size", "64", "--lr", "1e-2", "--epochs", "3", "--mono-coef", coefficient,
                "--threads", "2").Succeeded();
        }

        string[] report = ["report", "--run", _folder["baseline"], _folder["monoloss"], "--images", _folder["pictures"]];
        Monoloss.Run([.. report, "--out", _folder["site"]]).Succeeded();
        Monoloss.Run([.. report, "--single", "--best", "20", "--data", _folder["features.parquet"], "--out", _folder["one.html"]])
            .Succeeded();
        // The report needs nothing but itself.
        Directory.Delete(_folder["pictures"], recursive: true);
        File.Move(_folder["features.parquet"], _folder["moved.parquet"]);
    }

    /// <summary>The report as a folder.</summary>
    public string Site => new Uri(Path.Combine(_folder["site"], "index.html")).AbsoluteUri;

    /// <summary>The report as one file.</summary>
    public string Single => new Uri(_folder["one.html"]).AbsoluteUri;

    /// <summary>The folder of the report.</summary>
    public string SiteFolder => _folder["site"];

    /// <summary>A run folder.</summary>
    public string Run(string name) => _folder[name];

    /// <summary>The features.</summary>
    public string Features => _folder["moved.parquet"];

    /// <summary>The id of a row, which is the name of its picture.</summary>
    public static string Name(int row) => $"{row:0000} \"&'.png";

    /// <summary>The color that the picture of a row has all over: no two rows have the same.</summary>
    public static SKColor Color(int row) => new((byte)(40 + (row % 16 * 12)), (byte)(40 + (row / 16 * 9)), (byte)(row % 4 * 60));

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    private static void Draw(string path, int row)
    {
        using var bitmap = new SKBitmap(24, 24, SKColorType.Rgba8888, SKAlphaType.Opaque);
        bitmap.Erase(Color(row));
        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        File.WriteAllBytes(path, data.ToArray());
    }
}
