using CommandLine;

namespace MonoLoss.Bench;

/// <summary>The sizes of a training step or of a pass over samples.</summary>
/// <param name="Rows">B, rows per batch.</param>
/// <param name="Features">D.</param>
/// <param name="Latents">M.</param>
/// <param name="Active">k, active latents per row.</param>
internal sealed record WorkSizes(int Rows, int Features, int Latents, int Active)
{
    /// <summary>The paper's sizes, the default.</summary>
    public static WorkSizes Paper { get; } = new(Sizes.Rows, Sizes.Features, Sizes.Latents, Sizes.K);

    /// <summary>Rows of data of a <see cref="TrainingCase"/>; its batches take turns.</summary>
    public int Samples => 4 * Rows;

    /// <summary>Multiplications and additions of the encoder's product.</summary>
    public double EncoderFlops => 2.0 * Rows * Features * Latents;

    /// <summary>The options that give <see cref="WorkerCommand"/> and peer.py these sizes; both have the same.</summary>
    public IEnumerable<string> Options => [$"--rows={Rows}", $"--features={Features}", $"--latents={Latents}", $"-k{Active}"];

    /// <summary>Checks that the sizes are valid.</summary>
    /// <exception cref="BenchException">A size is not positive, or k exceeds the number of latents.</exception>
    public WorkSizes Validate()
    {
        if (Rows < 1 || Features < 1 || Latents < 1)
        {
            throw new BenchException("--rows, --features and --latents must be positive");
        }

        return Active >= 1 && Active <= Latents ? this : throw new BenchException($"-k must be from 1 to --latents, {Latents}");
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Rows} rows, {Features} features, {Latents} latents, k {Active}";
}

/// <summary>A measurement with options for its sizes; the defaults are those of the paper's runs on CLIP features.</summary>
internal abstract class SizedCommand : MeasuringCommand
{
    /// <summary>D.</summary>
    [Option("features", Default = Bench.Sizes.Features, HelpText = "Features, D.")]
    public int Features { get; set; } = Bench.Sizes.Features;

    /// <summary>M.</summary>
    [Option("latents", Default = Bench.Sizes.Latents, HelpText = "Latents, M.")]
    public int Latents { get; set; } = Bench.Sizes.Latents;

    /// <summary>k.</summary>
    [Option('k', "active", Default = Bench.Sizes.K, HelpText = "Active latents per row, k.")]
    public int Active { get; set; } = Bench.Sizes.K;

    /// <summary>The sizes, checked.</summary>
    protected WorkSizes SizesFor(int rows) => new WorkSizes(rows, Features, Latents, Active).Validate();
}

/// <summary>A measurement of training steps, which also has an option for the rows per batch.</summary>
internal abstract class StepSizedCommand : SizedCommand
{
    /// <summary>B.</summary>
    [Option("rows", Default = Bench.Sizes.Rows, HelpText = "Rows per batch, B.")]
    public int Rows { get; set; } = Bench.Sizes.Rows;

    /// <summary>The sizes, checked.</summary>
    protected WorkSizes Sizes => SizesFor(Rows);
}
