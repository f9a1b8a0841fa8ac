using CommandLine;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Bench;

/// <summary>The sizes and the GPU that bounds are computed for; the default is an H100 (SXM) at the paper's sizes.</summary>
internal abstract class GpuOptions : ICommand
{
    /// <summary>B.</summary>
    [Option("rows", Default = Sizes.Rows, HelpText = "Rows per batch, B.")]
    public int Rows { get; set; }

    /// <summary>D.</summary>
    [Option("features", Default = Sizes.Features, HelpText = "Features, D.")]
    public int Features { get; set; }

    /// <summary>M.</summary>
    [Option("latents", Default = Sizes.Latents, HelpText = "Latents, M.")]
    public int Latents { get; set; }

    /// <summary>k.</summary>
    [Option('k', "active", Default = Sizes.K, HelpText = "Active latents per row, k.")]
    public int Active { get; set; }

    /// <summary>Bandwidth of the GPU's memory.</summary>
    [Option("memory", Default = 3.35, HelpText = "Bandwidth of the memory, TB/s.")]
    public double Memory { get; set; }

    /// <summary>Bandwidth of the level-2 cache.</summary>
    [Option("cache", Default = 5.5, HelpText = "Bandwidth of the level-2 cache, TB/s.")]
    public double Cache { get; set; }

    /// <summary>Peak of float32.</summary>
    [Option("flops", Default = 66.9, HelpText = "Peak of float32 arithmetic, TFLOP/s.")]
    public double Flops { get; set; }

    /// <summary>Peak of the tensor cores.</summary>
    [Option("tensor-flops", Default = 494.7, HelpText = "Peak of TF32 on tensor cores, TFLOP/s.")]
    public double TensorFlops { get; set; }

    /// <inheritdoc/>
    public abstract void Run();

    /// <summary>Creates a model and one batch of these sizes, with MonoLoss.</summary>
    /// <param name="device">The device to train on.</param>
    /// <param name="architecture">The model's architecture.</param>
    protected TrainingWork Work(Device device, Architecture architecture)
    {
        var sizes = new WorkSizes(Rows, Features, Latents, Active).Validate();
        var config = new SaeConfig
        {
            Architecture = architecture,
            Dimension = sizes.Features,
            Latents = sizes.Latents,
            K = sizes.Active,
            MonoCoefficient = TrainingCase.All.First(training => training.Architecture == architecture).Mono,
        };
        return new TrainingWork(device, config, sizes.Rows, sizes.Rows);
    }
}
