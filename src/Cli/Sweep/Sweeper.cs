using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using MonoLoss.Data;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>
/// Trains the runs of a sweep, each in a process of its own, so that a crash or a lack of memory ends that run alone. What a run prints
/// goes to logs/NAME.log in the sweep's folder.
/// </summary>
/// <param name="context">The console.</param>
/// <param name="folder">The sweep's folder.</param>
/// <param name="slots">The options of train that say where to compute, for each of the runs at once.</param>
internal sealed class Sweeper(CliContext context, string folder, IReadOnlyList<IReadOnlyList<string>> slots)
{
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(200);

    private readonly Lock _console = new();

    /// <summary>Trains runs that are not complete, until all have ended or the user asks to stop.</summary>
    /// <param name="runs">The runs.</param>
    /// <returns>The runs that failed, each with a line that says why.</returns>
    /// <exception cref="DataException">The folder of logs cannot be created.</exception>
    public IReadOnlyList<(PlannedRun Run, string Reason)> Train(IReadOnlyList<PlannedRun> runs)
    {
        try
        {
            Directory.CreateDirectory(Path.Combine(folder, "logs"));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{folder}: cannot create a folder: {exception.Message}", exception);
        }

        var queue = new ConcurrentQueue<(PlannedRun Run, int Number)>(runs.Select((run, i) => (run, i + 1)));
        var failures = new ConcurrentDictionary<int, string>();
        void Work(IReadOnlyList<string> slot)
        {
            while (!context.Stop.IsCancellationRequested && queue.TryDequeue(out var next))
            {
                var (run, number) = next;
                var position = string.Create(CultureInfo.InvariantCulture, $"[{number}/{runs.Count}] {run.Run.Name}");
                Say($"{position}: started");
                var watch = Stopwatch.StartNew();
                var failure = Train(run, slot);
                if (failure is not null)
                {
                    failures[number - 1] = failure;
                }

                Say($"{position}: {(failure is not null ? $"failed: {failure}" : run.IsDone ? "complete" : "stopped")} "
                    + $"after {ProgressFormat.Duration(watch.Elapsed.TotalSeconds)}");
            }
        }

        var threads = slots.Take(Math.Max(1, runs.Count)).Select(slot => new Thread(() => Work(slot))).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return [.. failures.OrderBy(failure => failure.Key).Select(failure => (runs[failure.Key], failure.Value))];
    }

    private void Say(string line)
    {
        lock (_console)
        {
            context.WriteLine(line);
        }
    }

    /// <summary>Trains a run.</summary>
    /// <returns>Why it failed; null if it did not, or was stopped.</returns>
    private string? Train(PlannedRun run, IReadOnlyList<string> slot)
    {
        try
        {
            while (true)
            {
                WaitForFolder(run);
                if (context.Stop.IsCancellationRequested)
                {
                    return null;
                }

                var (exit, error) = RunProcess(run, slot);
                if (exit == ExitCode.BadInput && error?.EndsWith(RunLock.InUse, StringComparison.Ordinal) == true)
                {
                    // What an earlier sweep had started was faster to claim the folder, and is about to end.
                    continue;
                }

                return exit switch
                {
                    ExitCode.Success when !run.IsDone =>
                        $"{run.Folder} contains a complete run with other settings and no checkpoint; use another --out, or delete it",
                    ExitCode.Success => null,
                    ExitCode.Stopped when context.Stop.IsCancellationRequested => null,
                    _ => error ?? $"exit code {exit}",
                };
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException
            or System.ComponentModel.Win32Exception or DataException)
        {
            return exception.Message;
        }
    }

    /// <summary>Waits until no other process writes to a run, such as one whose sweep was killed and that saves its checkpoint.</summary>
    private void WaitForFolder(PlannedRun run)
    {
        var isKnown = false;
        while (!context.Stop.IsCancellationRequested)
        {
            try
            {
                using var claim = new RunLock(run.Folder);
                claim.ClaimExisting();
                return;
            }
            catch (ConfigurationException)
            {
                if (!isKnown)
                {
                    Say($"{run.Run.Name}: waiting, as another process is writing to its folder");
                    isKnown = true;
                }

                context.Stop.WaitHandle.WaitOne(LockPoll);
            }
        }
    }

    private (int Exit, string? Error) RunProcess(PlannedRun run, IReadOnlyList<string> slot)
    {
        string[] command = [.. Launcher.Command, .. run.Command, .. slot];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment[SweptProcess.Variable] = "1";
        using var log = new StreamWriter(
            new FileStream(Path.Combine(folder, "logs", $"{run.Run.Name}.log"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
            AutoFlush = true, NewLine = "\n",
        };
        log.WriteLine($"# {Launcher.ShellLine(command)}");
        string? error = null;
        void Log(string? line)
        {
            if (line is null)
            {
                return;
            }

            lock (log)
            {
                try
                {
                    log.WriteLine(line);
                }
                catch (IOException)
                {
                    // A full disk loses lines of the log, not the run.
                }
            }
        }

        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, data) => Log(data.Data);
        process.ErrorDataReceived += (_, data) =>
        {
            Log(data.Data);
            error = string.IsNullOrWhiteSpace(data.Data) ? error : data.Data;
        };
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using (context.Stop.Register(() => CloseInput(process)))
        {
            process.WaitForExit();
        }

        const string Prefix = "monoloss: ";
        return (process.ExitCode, error?.StartsWith(Prefix, StringComparison.Ordinal) == true ? error[Prefix.Length..] : error);
    }

    private static void CloseInput(Process process)
    {
        try
        {
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The process has ended.
        }
    }
}
