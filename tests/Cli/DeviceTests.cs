using MonoLoss.Data.Parquet;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>The option --device and the command devices.</summary>
public sealed class DeviceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Devices_lists_all_devices_and_what_is_missing()
    {
        var output = Monoloss.Run("devices").Succeeded().Output;
        foreach (var name in new[] { "cpu", "cuda", "opencl", "ilgpu-cpu" })
        {
            Assert.Matches($@"(?m)^\s*{name}\b", output);
        }

        Assert.Matches(@"(?m)^\s*cpu .* GiB", output);
        Assert.Matches(@"(?m)^\s*ilgpu-cpu .* GiB", output);
    }

    [Theory]
    [InlineData("--device tpu", "'tpu'", "cpu", "cuda")]
    [InlineData("--device cpu:1", "'cpu:1'")]
    [InlineData("--device cpu --tf32", "--tf32", "8.0")]
    [InlineData("--device cuda:99", "no cuda")]
    [InlineData("--device opencl:99", "no opencl")]
    [InlineData("--device cuda:x", "number", "cuda:0")]
    [InlineData("--device cuda:-1", "number")]
    [InlineData("--device ilgpu-cpu:0", "'ilgpu-cpu:0'")]
    public void Train_rejects_a_device_that_is_not_there(string options, params string[] words) =>
        Monoloss.Run(["train", "--train", RunFiles.Write(_folder), "--out", _folder["run"], .. options.Split(' ')]).Refused(words);

    [Fact]
    public void Score_is_the_same_on_the_simulation_as_on_the_CPU()
    {
        var features = RunFiles.Write(_folder["x.parquet"], RunFiles.Features(40, 6), 6);
        var activations = RunFiles.Write(_folder["z.parquet"], RunFiles.Features(40, 5, seed: 2), 5);
        double[] Scores(string device)
        {
            var output = _folder[$"{device}.parquet"];
            Monoloss.Run("score", "--features", features, "--activations", activations, "--device", device, "--out", output).Succeeded();
            return ParquetTable.Read(output).ReadDoubles("mono_score");
        }

        foreach (var (expected, actual) in Scores("cpu").Zip(Scores("ilgpu-cpu")))
        {
            Assert.Equal(expected, actual, 1e-6);
        }
    }
}
