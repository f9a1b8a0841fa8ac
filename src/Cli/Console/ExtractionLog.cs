using System.Diagnostics;
using MonoLoss.Vision;

namespace MonoLoss.Cli;

/// <summary>Reports how far an extraction is: one line that is rewritten on a terminal, a line every ten seconds elsewhere.</summary>
/// <param name="context">The console.</param>
internal sealed class ExtractionLog(CliContext context)
{
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RedrawEvery = TimeSpan.FromSeconds(0.25);

    private readonly Stopwatch _clock = new();
    private TimeSpan _reported;
    private long _first;
    private long _done;

    /// <summary>Images per second since the start, as text.</summary>
    public string Speed => $"{Format(ImagesPerSecond)} images/s";

    private double ImagesPerSecond => (_done - _first) / Math.Max(1e-3, _clock.Elapsed.TotalSeconds);

    /// <summary>Takes what the extraction reports.</summary>
    public void Report(ExtractionProgress progress)
    {
        _done = progress.Images;
        if (!_clock.IsRunning)
        {
            _clock.Start();
            _first = progress.Images;
            if (_first > 0)
            {
                context.WriteLine($"resumed after {ProgressFormat.Format(_first)} images");
            }

            return;
        }

        if (_clock.Elapsed - _reported < (context.IsTerminal ? RedrawEvery : LineEvery))
        {
            return;
        }

        _reported = _clock.Elapsed;
        var line = Line(progress);
        if (context.IsTerminal)
        {
            Rewrite(line);
        }
        else
        {
            context.WriteLine(line);
        }
    }

    /// <summary>Takes the line off a terminal, where the result follows.</summary>
    public void Finish()
    {
        if (context.IsTerminal)
        {
            Rewrite(string.Empty);
        }
    }

    private void Rewrite(string line)
    {
        var writer = context.Output.Profile.Out.Writer;
        writer.Write($"\r{line}\u001b[K\r");
        writer.Flush();
    }

    private string Line(ExtractionProgress progress)
    {
        var of = progress.Total is { } total ? $" of {ProgressFormat.Format(total)}" : string.Empty;
        var left = progress.Total is { } all && _done > _first
            ? $", {ProgressFormat.Duration((all - _done) / ImagesPerSecond)} left" : string.Empty;
        var skipped = progress.Skipped > 0 ? $", {ProgressFormat.Format(progress.Skipped)} skipped" : string.Empty;
        return $"{ProgressFormat.Format(progress.Images)}{of} images, {Speed}{left}{skipped}";
    }

    private static string Format(double speed) =>
        speed.ToString(speed < 100 ? "0.0" : "N0", System.Globalization.CultureInfo.InvariantCulture);
}
