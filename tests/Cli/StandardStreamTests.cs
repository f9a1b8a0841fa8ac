using MonoLoss.Cli;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>Standard streams that are closed or full: nothing aborts, and a training run keeps its results.</summary>
public sealed class StandardStreamTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [UnixTheory]
    [InlineData("exec >&-")]
    [InlineData("exec 2>&-")]
    [InlineData("exec <&- >&- 2>&-")]
    [InlineData("exec >/dev/full 2>/dev/full")]
    [InlineData("exec > >(head -1)")]
    public void A_run_is_completed(string redirection)
    {
        Assert.SkipWhen(redirection.Contains("/dev/full", StringComparison.Ordinal) && !File.Exists("/dev/full"), "no /dev/full");
        var data = RunFiles.Write(_folder);
        using var process = Monoloss.Start(
            redirection, "train", "--train", data, "--out", _folder["run"], "--latents", "40", "--k", "4", "--batch-size", "64",
            "--epochs", "2", "--log-every", "1");
        var outcome = Monoloss.Finish(process);
        Assert.True(outcome.Exit == ExitCode.Success, $"exit code {outcome.Exit}: {outcome.Error}");
        Assert.Equal(20, new RunFolder(_folder["run"]).ReadCompleted().Results.Steps);
        Assert.True(File.Exists(_folder["run/report.html"]));
    }

    [UnixTheory]
    [InlineData("exec >&-", "is closed")]
    [InlineData("exec >/dev/full", "space")]
    public void A_result_that_cannot_be_printed_is_a_failure(string redirection, string reason)
    {
        Assert.SkipWhen(redirection.Contains("/dev/full", StringComparison.Ordinal) && !File.Exists("/dev/full"), "no /dev/full");
        using var process = Monoloss.Start(redirection, "--version");
        Monoloss.Finish(process).Refused("standard output", reason);
    }

    [UnixTheory]
    [InlineData("exec 2>&-")]
    [InlineData("exec 2>/dev/full")]
    [InlineData("exec >&- 2>&-")]
    public void A_refusal_that_cannot_be_printed_has_its_exit_code(string redirection)
    {
        using var process = Monoloss.Start(redirection, "eval");
        Assert.Equal(new Outcome(ExitCode.BadInput, string.Empty, string.Empty), Monoloss.Finish(process));
    }
}
