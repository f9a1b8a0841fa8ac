using System.Diagnostics;
using MonoLoss.Cli;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>One process writes a run folder at a time, and cleans up behind one that was killed.</summary>
public sealed class RunLockTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [UnixFact]
    public void A_second_process_is_refused_until_the_first_has_died()
    {
        var data = RunFiles.Write(_folder);
        using (var process = Monoloss.Start(shell: null, Train(data)))
        {
            WaitForStep(process, 8);
            foreach (var option in new[] { "--quiet", "--resume", "--skip-existing" })
            {
                using var second = Monoloss.Start(shell: null, [.. Train(data), option]);
                Monoloss.Finish(second).Refused("run", "in use", "another process");
            }

            Monoloss.Run("eval", "--run", _folder["run"], "--data", data).Succeeded();
            Assert.False(process.HasExited);
            process.Kill();
            process.WaitForExit();
        }

        string[] mine = [".sae_weights.safetensors", ".training_state.safetensors", ".report.html"];
        string[] others = [$".notes.txt.{Guid.NewGuid():N}.tmp", ".metrics.parquet.mine.tmp", "metrics.parquet.tmp"];
        foreach (var name in others.Concat(mine.Select(name => $"{name}.{Guid.NewGuid():N}.tmp")))
        {
            File.WriteAllText(Path.Combine(_folder["run"], name), "left");
        }

        Monoloss.Run([.. Train(data, epochs: 300), "--resume"]).Succeeded();
        Assert.Equal(
            others.Order(StringComparer.Ordinal),
            Directory.GetFiles(_folder["run"], "*", new EnumerationOptions { AttributesToSkip = 0 }).Select(file => Path.GetFileName(file)!)
                .Where(file => file.EndsWith(".tmp", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.False(File.Exists(Path.Combine(_folder["run"], ".lock")));
    }

    [UnixFact]
    public void Hangup_saves_a_checkpoint_unless_it_is_ignored()
    {
        var data = RunFiles.Write(_folder);
        using (var process = Monoloss.Start(shell: null, Train(data)))
        {
            WaitForStep(process, 8);
            Signal("-HUP", process);
            var outcome = Monoloss.Finish(process);
            Assert.Equal(ExitCode.Stopped, outcome.Exit);
            Assert.Empty(outcome.Error);
            Assert.Contains("checkpoint saved", outcome.Output, StringComparison.Ordinal);
        }

        // As nohup does.
        using (var process = Monoloss.Start("trap '' HUP", [.. Train(data), "--resume"]))
        {
            WaitForStep(process, 30);
            Signal("-HUP", process);
            WaitForStep(process, 2000);
            Assert.False(process.HasExited);
            Signal("-TERM", process);
            Assert.Equal(ExitCode.Stopped, Monoloss.Finish(process).Exit);
        }
    }

    [Fact]
    public void A_run_that_is_stopped_before_its_first_step_leaves_nothing_and_speaks_of_no_checkpoint()
    {
        var data = RunFiles.Write(_folder);
        var outcome = Monoloss.RunUntil("device", Train(data));
        Assert.Equal(ExitCode.Stopped, outcome.Exit);
        Assert.DoesNotContain("checkpoint", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("stopped before the first step", outcome.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["run"]));
    }

    [Fact]
    public void A_claim_excludes_others_and_leaves_no_file()
    {
        var path = _folder["new"];
        using (var first = new RunLock(path))
        {
            first.ClaimExisting();
            Assert.False(Directory.Exists(path));
            Assert.True(first.ClaimOrCreate());
            Assert.False(first.ClaimOrCreate());
            using var second = new RunLock(path);
            Assert.Throws<ConfigurationException>(second.ClaimExisting);
            Assert.Throws<ConfigurationException>(() => second.ClaimOrCreate());
        }

        Assert.False(Directory.Exists(path));
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, ".lock"), "of a process that was killed");
        using (var third = new RunLock(path))
        {
            third.ClaimExisting();
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(path));
    }

    private string[] Train(string data, int epochs = 100_000) =>
    [
        "train", "--train", data, "--out", _folder["run"], "--latents", "40", "--k", "4", "--batch-size", "64", "--epochs", $"{epochs}",
        "--eval-every", "0", "--log-every", "1",
    ];

    private static void Signal(string name, Process process)
    {
        using var kill = Process.Start("kill", [name, $"{process.Id}"]);
        kill.WaitForExit();
    }

    private static void WaitForStep(Process process, int step)
    {
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (line.Contains($"  step {step}  ", StringComparison.Ordinal))
            {
                return;
            }
        }

        Assert.Fail($"ended before step {step}: {process.StandardError.ReadToEnd()}");
    }
}
