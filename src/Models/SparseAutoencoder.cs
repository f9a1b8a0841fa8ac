using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>A batch after the encoder.</summary>
/// <param name="Latents">z, B×M.</param>
/// <param name="Input">What the encoder saw: x̂ with input layer norm, else x; B×D.</param>
/// <param name="ComparedRows">The rows whose directions MonoScore compares; B×D.</param>
public readonly record struct Encoding(SparseVariable Latents, Tensor Input, Tensor ComparedRows);

/// <summary>The loss of a batch, its parts, and what else a step reports.</summary>
/// <remarks>Read the numbers after going back: that is when they are formed at no extra cost.</remarks>
/// <param name="Total">What is differentiated.</param>
/// <param name="Reconstruction">Mean squared error; NMSE for TopK.</param>
/// <param name="Auxiliary">The auxiliary loss without its coefficient; null if there was none.</param>
/// <param name="Sparsity">L1 or L0 without its coefficient; null for the other models.</param>
/// <param name="Mono">MonoLoss without its coefficient; null when it is off.</param>
/// <param name="L0">Mean number of active latents a row.</param>
public readonly record struct StepLoss(
    Scalar Total, Scalar Reconstruction, Scalar? Auxiliary, Scalar? Sparsity, MonoLossResult? Mono, Scalar L0);

/// <summary>
/// A sparse autoencoder: its parameters, encoder, decoder and loss. The four are one file each; all keep W_enc and W_dec M×D, one
/// latent a row.
/// </summary>
public abstract class SparseAutoencoder : IDisposable
{
    private readonly Tensor _normalized;
    private readonly Tensor _mean;
    private readonly Tensor _deviation;
    private readonly DeviceArray<int> _silent;

    private protected SparseAutoencoder(Device device, SaeConfig config)
    {
        config.Validate();
        (Device, Config) = (device, config);
        _normalized = device.Tensor(0, 0);
        _mean = device.Tensor(0, 0);
        _deviation = device.Tensor(0, 0);
        _silent = device.Allocate<int>(0);
        StepsSinceFired = device.Allocate<int>(config.Latents);
    }

    /// <summary>Where the parameters are.</summary>
    public Device Device { get; }

    /// <summary>What it is.</summary>
    public SaeConfig Config { get; }

    /// <summary>Everything that is trained and stored, b_enc of BatchTopK included, which nothing reads.</summary>
    public abstract IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>How many batches each latent has been silent; only training moves it.</summary>
    public DeviceArray<int> StepsSinceFired { get; }

    /// <summary>What the reported auxiliary loss counts: its coefficient for BatchTopK, 1 for TopK, as the official code reports it.</summary>
    public virtual double ReportedAuxiliaryFactor => 1;

    /// <summary>The norm the official code clips this one's gradient to, if the user says nothing.</summary>
    public virtual double DefaultMaxGradientNorm => 1;

    /// <summary>Makes an autoencoder of its configuration's kind, with weights of zero.</summary>
    /// <param name="device">Where to.</param>
    /// <param name="config">What to.</param>
    /// <exception cref="ConfigurationException">The configuration cannot be.</exception>
    public static SparseAutoencoder Create(Device device, SaeConfig config) => config.Architecture switch
    {
        Architecture.BatchTopK => new BatchTopK(device, config),
        Architecture.TopK => new TopK(device, config),
        Architecture.JumpReLU => new JumpReLU(device, config),
        _ => new Vanilla(device, config),
    };

    /// <summary>Draws the weights that training starts from.</summary>
    /// <param name="random">Where from.</param>
    public abstract void Initialize(Random random);

    /// <summary>Encodes a batch, recorded on the tape.</summary>
    /// <param name="tape">A tape that was reset.</param>
    /// <param name="x">B×D rows of unit length.</param>
    public Encoding Encode(Tape tape, Tensor x)
    {
        var input = x;
        if (Config.NormalizesInput)
        {
            Device.LayerNorm(x, _normalized, _mean, _deviation);
            input = _normalized;
        }

        return new Encoding(EncodeInput(tape, input), input, MonoScoreSeesNormalized ? input : x);
    }

    /// <summary>Reconstructs the batch that was encoded last, recorded on the tape.</summary>
    /// <param name="tape">The same tape.</param>
    /// <param name="encoding">The latents.</param>
    /// <returns>B×D.</returns>
    public Variable Reconstruct(Tape tape, in Encoding encoding) => ToInputScale(tape, DecodeLatents(tape, encoding.Latents));

    /// <summary>The loss of a batch, recorded on the tape; counts silent batches.</summary>
    /// <param name="tape">A tape that was reset.</param>
    /// <param name="x">B×D rows of unit length.</param>
    /// <param name="deadAfter">n, the number of silent batches after which a latent is dead.</param>
    /// <param name="batchMonoLoss">Whether MonoLoss of the batch is part of the loss.</param>
    public abstract StepLoss Loss(Tape tape, Tensor x, int deadAfter, bool batchMonoLoss);

    /// <summary>How many latents have been silent for more than <paramref name="deadAfter"/> batches.</summary>
    public int CountDead(int deadAfter) => Device.FindDead(StepsSinceFired, checked(deadAfter + 1), _silent);

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        foreach (var parameter in Parameters)
        {
            parameter.Dispose();
        }

        _normalized.Dispose();
        _mean.Dispose();
        _deviation.Dispose();
        StepsSinceFired.Dispose();
        _silent.Dispose();
    }

    /// <summary>Whether MonoScore compares the layer-normalized rows.</summary>
    private protected virtual bool MonoScoreSeesNormalized => true;

    /// <summary>Latents of what the encoder sees.</summary>
    private protected abstract SparseVariable EncodeInput(Tape tape, Tensor input);

    /// <summary>z·W_dec + b_dec, before the input's mean and deviation are put back.</summary>
    private protected abstract Variable DecodeLatents(Tape tape, SparseVariable latents);

    /// <summary>Puts the mean and deviation of the batch that was encoded last back.</summary>
    private protected Variable ToInputScale(Tape tape, Variable decoded) =>
        Config.NormalizesInput ? tape.Denormalize(decoded, _deviation, _mean) : decoded;

    /// <summary>MonoLoss of the batch if it counts, else null.</summary>
    private protected MonoLossResult? MonoLossInputs(Tape tape, in Encoding encoding, bool batchMonoLoss) =>
        batchMonoLoss && Config.MonoCoefficient > 0 ? tape.MonoLoss(encoding.Latents, encoding.ComparedRows) : null;

    /// <summary>Notes which latents fired in a batch.</summary>
    /// <param name="latents">z.</param>
    /// <param name="fired">What the counter of one that did becomes.</param>
    private protected void UpdateStepsSinceFired(CsrMatrix latents, int fired)
    {
        Device.BuildColumnIndex(latents);
        Device.UpdateStepsSinceFired(latents, StepsSinceFired, fired);
    }

    /// <summary>The latents silent for at least so many batches; null if there is none.</summary>
    private protected DeviceArray<int>? Silent(int least) =>
        Device.FindDead(StepsSinceFired, least, _silent) > 0 ? _silent : null;
}
