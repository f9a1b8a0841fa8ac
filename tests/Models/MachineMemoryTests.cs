using System.Text.RegularExpressions;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Cli;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Models;

/// <summary>A model that the machine cannot hold is refused before anything is trained.</summary>
public sealed class MachineMemoryTests
{
    private const long Machine = 8L << 30;

    [Theory]
    [InlineData(Architecture.BatchTopK)]
    [InlineData(Architecture.TopK)]
    [InlineData(Architecture.Vanilla)]
    [InlineData(Architecture.JumpReLU)]
    [InlineData(Architecture.Matryoshka)]
    [InlineData(Architecture.Gated)]
    public void The_suggested_number_of_latents_fits_and_the_next_does_not(Architecture architecture)
    {
        using var device = DeviceFactory.Open("cpu");
        var config = new SaeConfig { Architecture = architecture, Dimension = 768, Latents = 10_000_000 };
        var message = Assert.Throws<ConfigurationException>(() => TrainingMemory.Check(device, config, 2048, Machine)).Message;

        var match = Regex.Match(message, @"^the machine has 8 GiB of memory; .* GiB: try Latents (\d+) or fewer$");
        Assert.True(match.Success, message);
        var latents = int.Parse(match.Groups[1].Value);
        TrainingMemory.Check(device, config with { Latents = latents }, 2048, Machine);
        Assert.Throws<ConfigurationException>(
            () => TrainingMemory.Check(device, config with { Latents = latents + 1024 }, 2048, Machine));

        // Weights, gradients, two moments and the sums of an evaluation are 24 to 40 bytes per value.
        Assert.InRange(Machine / ((double)latents * config.Dimension), 20, 45);
    }

    [Fact]
    public void Train_refuses_a_model_larger_than_the_machine()
    {
        using var folder = new TempFolder();
        var data = RunFiles.Write(folder["x.parquet"], RunFiles.Features(64, 16), 16);
        Monoloss.Run("train", "--train", data, "--out", folder["run"], "--latents", "2000000000")
            .Refused("the machine has ", "try --latents ", " or fewer");

        Assert.False(Directory.Exists(folder["run"]));
    }
}
