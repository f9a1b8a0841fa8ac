using System.Diagnostics;
using System.Reflection;
using System.Text.Json;

namespace MonoLoss.Bench;

/// <summary>A process that runs steps on demand and answers in lines of JSON: either side of a comparison.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Process _process;
    private string _lastWords = string.Empty;

    private Peer(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        // Each side chooses its own kernels.
        start.Environment.Remove("OPENBLAS_CORETYPE");
        _process = Process.Start(start) ?? throw new BenchException($"cannot start {start.FileName}");
        // Read at once: a compiler's warnings could otherwise fill the pipe and block the process.
        _process.ErrorDataReceived += (_, line) => _lastWords = string.IsNullOrWhiteSpace(line.Data) ? _lastWords : line.Data;
        _process.BeginErrorReadLine();
        Description = Read().GetProperty("peer").GetString()!;
    }

    /// <summary>The process's description of its library and device.</summary>
    public string Description { get; }

    /// <summary>The process's peak memory so far, in bytes.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Finds a Python that has PyTorch.</summary>
    /// <param name="named">The one that the user named, or null to search the PATH.</param>
    public static string FindPython(string? named)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator).Append("/usr/bin");
        var candidates = named is not null
            ? [named]
            : folders.Select(folder => Path.Combine(folder, "python3")).Where(File.Exists).Distinct();
        return candidates.FirstOrDefault(HasTorch) ?? throw new BenchException(named is not null
            ? $"{named} cannot import torch"
            : "no python3 on the PATH can import torch: name one with --python "
                + "(on Debian: apt install python3-torch, --python /usr/bin/python3)");
    }

    /// <summary>Starts the PyTorch side.</summary>
    public static Peer StartPyTorch(string python, IEnumerable<string> options, int threads)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "peer", "peer.py");
        return new Peer(new ProcessStartInfo(python, [script, "--serve", $"--threads={threads}", .. options]));
    }

    /// <summary>Starts the MonoLoss side.</summary>
    public static Peer StartOurs(IEnumerable<string> options, int threads)
    {
        var program = Environment.ProcessPath!;
        // When started as `dotnet MonoLoss.Bench.dll`, the process's program is the runtime.
        string[] first = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Assembly.GetExecutingAssembly().Location] : [];
        return new Peer(new ProcessStartInfo(program, [.. first, "worker", $"--threads={threads}", .. options]));
    }

    /// <summary>Lets the process run the work a number of times.</summary>
    /// <returns>The median time in seconds.</returns>
    public double Run(int times)
    {
        _process.StandardInput.WriteLine(times);
        _process.StandardInput.Flush();
        var answer = Read();
        PeakBytes = answer.GetProperty("peak_bytes").GetInt64();
        return Timing.Median(answer.GetProperty("seconds").EnumerateArray().Select(value => value.GetDouble()));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The process ends when its input does.
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static bool HasTorch(string python)
    {
        try
        {
            var start = new ProcessStartInfo(python, ["-c", "import numpy, torch"]) { RedirectStandardError = true };
            using var process = Process.Start(start)!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private JsonElement Read()
    {
        if (_process.StandardOutput.ReadLine() is { } line)
        {
            return JsonSerializer.Deserialize<JsonElement>(line);
        }

        _process.WaitForExit();
        var start = _process.StartInfo;
        throw new BenchException($"{Path.GetFileName(start.FileName)} {start.ArgumentList[0]} ended: {_lastWords}");
    }
}
