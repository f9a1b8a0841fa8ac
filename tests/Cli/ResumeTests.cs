using System.Diagnostics;
using System.Globalization;
using MonoLoss.Cli;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>The same seed gives the same bits with any number of threads, whether or not the run was interrupted.</summary>
public sealed class ResumeTests
{
    public static TheoryData<string, bool> Runs
    {
        get
        {
            var runs = new TheoryData<string, bool>();
            foreach (var model in new[] { "batch_topk", "topk", "jumprelu", "vanilla", "matryoshka", "gated" })
            {
                runs.Add(model, false);
                runs.Add(model, true);
            }

            return runs;
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void Stopped_and_resumed_run_ends_in_the_same_bits(string model, bool streamed)
    {
        using var folder = new TempFolder();
        var data = RunFiles.Write(folder);
        Monoloss.Run(Train(model, data, folder["whole"], streamed)).Succeeded();

        var args = Train(model, data, folder["parts"], streamed);
        foreach (var (again, stop) in new[] { "epoch 1/3 step 7 ", "epoch 2/3 step 20 ", "epoch 3/3 step 21 " }.Index())
        {
            var outcome = Monoloss.RunUntil(stop, again == 0 ? args : [.. args, "--resume"]);
            Assert.Equal(ExitCode.Stopped, outcome.Exit);
            Assert.Empty(outcome.Failures);
            Assert.False(File.Exists(Path.Combine(folder["parts"], "results.json")));
        }

        Monoloss.Run([.. args, "--resume"]).Succeeded();
        RunFiles.AssertSame(folder["whole"], folder["parts"]);
    }

    /// <summary>Stopped in the middle of every schedule.</summary>
    [Theory]
    [InlineData(
        "batch_topk",
        "--lr-warmup 5 --lr-decay cosine --mono-warmup 9 --k-start 9 --k-anneal 25 --b-dec-init mean --aux-detach --optimizer adamw")]
    [InlineData("topk", "--lr-decay linear --lr-decay-steps 14 --k-start 2 --k-anneal 22 --b-dec-init geometric-median")]
    [InlineData("jumprelu", "--target-l0 6 --normalize --mono-period 2 --mono-warmup 25 --lr-decay cosine")]
    [InlineData("vanilla", "--target-l0 6 --lr-warmup 8 --optimizer adamw --weight-decay 0.5")]
    [InlineData("vanilla", "--l1-warmup 27 --l1-coef 0.01")]
    public void Scheduled_run_that_is_stopped_and_resumed_ends_in_the_same_bits(string model, string options)
    {
        using var folder = new TempFolder();
        var data = RunFiles.Write(folder);
        string[] Args(string run) => [.. Train(model, data, folder[run], streamed: false), .. options.Split(' ')];
        Monoloss.Run(Args("whole")).Succeeded();
        foreach (var (again, stop) in new[] { "epoch 1/3 step 7 ", "epoch 2/3 step 20 ", "epoch 3/3 step 21 " }.Index())
        {
            Assert.Equal(ExitCode.Stopped, Monoloss.RunUntil(stop, again == 0 ? Args("parts") : [.. Args("parts"), "--resume"]).Exit);
        }

        Monoloss.Run([.. Args("parts"), "--resume"]).Succeeded();
        RunFiles.AssertSame(folder["whole"], folder["parts"]);

        // All of a model's scheduled values were moving, and the last k is that of the configuration.
        var steps = RunFiles.Steps(folder["whole"]).ToList();
        int Distinct<T>(Func<StepMetrics, T> value) => steps.Select(value).Distinct().Count();
        Assert.Equal(options.Contains("--lr", StringComparison.Ordinal), Distinct(step => step.LearningRate) > 5);
        Assert.Equal(options.Contains("l0", StringComparison.Ordinal) || options.Contains("l1", StringComparison.Ordinal),
            Distinct(step => step.L1Coefficient) > 5);
        Assert.Equal(options.Contains("--mono-warmup", StringComparison.Ordinal), Distinct(step => step.MonoCoefficient) > 5);
        Assert.Equal(options.Contains("--k-start", StringComparison.Ordinal), Distinct(step => step.K) > 2);
        Assert.Equal(model.Contains("topk", StringComparison.Ordinal) ? 4 : null, steps[^1].K);
        if (model == "topk")
        {
            Assert.All(steps, step => Assert.InRange(step.L0, 0, step.K!.Value));
        }
        else if (model == "batch_topk")
        {
            // As many as there are positive activations, B·k at most.
            Assert.All(steps, step => Assert.InRange(step.L0, 0, step.K!.Value));
            Assert.InRange(new RunFolder(folder["whole"]).ReadResults().ByThreshold["train"].L0, 3.9, 4.1);
        }
    }

    [Theory]
    [InlineData("batch_topk")]
    [InlineData("topk")]
    [InlineData("jumprelu")]
    [InlineData("vanilla")]
    [InlineData("matryoshka")]
    [InlineData("gated")]
    public void Any_number_of_threads_gives_the_same_bits(string model)
    {
        using var folder = new TempFolder();
        var data = RunFiles.Write(folder);
        foreach (var threads in new[] { "1", "2", "5" })
        {
            Monoloss.Run([.. Train(model, data, folder[threads], streamed: threads == "5"), "--threads", threads, "--no-shuffle"])
                .Succeeded();
        }

        Assert.All(new[] { "2", "5" }, threads => Assert.True(
            File.ReadAllBytes(Path.Combine(folder["1"], "sae_weights.safetensors")).AsSpan()
                .SequenceEqual(File.ReadAllBytes(Path.Combine(folder[threads], "sae_weights.safetensors"))),
            threads));
    }

    [UnixFact]
    public void Killed_and_resumed_run_ends_in_the_same_bits()
    {
        using var folder = new TempFolder();
        var data = RunFiles.Write(folder);
        string[] more = ["--checkpoint-every", "3", "--skip-existing"];
        Monoloss.Run([.. Train("batch_topk", data, folder["whole"], streamed: false, epochs: 30), .. more]).Succeeded();

        string[] args = [.. Train("batch_topk", data, folder["parts"], streamed: false, epochs: 30), .. more];
        using (var process = Monoloss.Start(shell: null, args))
        {
            WaitForStep(process, 8);
            process.Kill();
            process.WaitForExit();
        }

        Assert.False(File.Exists(Path.Combine(folder["parts"], "results.json")));
        Monoloss.Run(args).Succeeded();
        RunFiles.AssertSame(folder["whole"], folder["parts"]);
    }

    [UnixFact]
    public void Interrupt_saves_a_checkpoint()
    {
        Assert.SkipWhen(IsInterruptIgnored(), "SIGINT is ignored here, as in a script's background");
        using var folder = new TempFolder();
        var data = RunFiles.Write(folder);
        string[] args = [.. Train("vanilla", data, folder["run"], streamed: false, epochs: 1000), "--eval-every", "0"];
        using var process = Monoloss.Start(shell: null, args);
        WaitForStep(process, 8);
        using (var kill = Process.Start("kill", ["-INT", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        var outcome = Monoloss.Finish(process);
        Assert.Equal(ExitCode.Stopped, outcome.Exit);
        Assert.Empty(outcome.Failures);
        Assert.Contains("--resume", outcome.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(folder["run"], "training_state.safetensors")));
        Assert.True(RunFiles.Steps(folder["run"]).Count() >= 8);
    }

    [Fact]
    public void Skip_existing_leaves_a_complete_run_and_continues_an_incomplete_one()
    {
        using var folder = new TempFolder();
        var data = RunFiles.Write(folder);
        string[] args = [.. Train("batch_topk", data, folder["run"], streamed: false), "--skip-existing"];
        Assert.Equal(ExitCode.Stopped, Monoloss.RunUntil("epoch 1/3 step 3 ", args).Exit);
        Monoloss.Run(args).Succeeded();
        var written = File.GetLastWriteTimeUtc(Path.Combine(folder["run"], "sae_weights.safetensors"));
        Assert.Contains("complete run", Monoloss.Run(args).Succeeded().Output, StringComparison.Ordinal);
        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(folder["run"], "sae_weights.safetensors")));
    }

    private static string[] Train(string model, string data, string output, bool streamed, int epochs = 3) =>
    [
        "train", "--train", data, "--val", data, "--out", output, "--model", model, "--latents", "40", "--k", "4", "--batch-size", "64",
        "--lr", "1e-2", "--mono-coef", "0.01", "--dead-after", "192", "--dead-check-interval", "4", "--bandwidth", "0.1",
        "--epochs", $"{epochs}",
        "--log-every", "1",
        .. streamed ? new[] { "--memory", "8K" } : [],
    ];

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

    /// <summary>Whether this process, and so every one that it starts, ignores SIGINT; false where Linux's /proc cannot tell.</summary>
    private static bool IsInterruptIgnored()
    {
        const int Interrupt = 1 << 1;
        const string Ignored = "SigIgn:";
        var line = File.Exists("/proc/self/status")
            ? File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(Ignored, StringComparison.Ordinal))
            : null;
        return line is not null
            && (ulong.Parse(line.AsSpan(Ignored.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & Interrupt) != 0;
    }
}
