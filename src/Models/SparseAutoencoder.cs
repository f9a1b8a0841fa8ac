using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// A sparse autoencoder: its parameters, encoder, decoder and loss. Each architecture is one file. All keep W_enc and W_dec as M×D
/// matrices, one row per latent. A training step (<see cref="TrainingStep"/>) calls <see cref="Encode"/>,
/// <see cref="UpdateStepsSinceFired"/>, <see cref="Loss"/>, the optimizer and <see cref="AfterStep"/>, in this order.
/// </summary>
public abstract class SparseAutoencoder : IDisposable
{
    private readonly Tensor _normalized;
    private readonly Tensor _mean;
    private readonly Tensor _deviation;
    private readonly DeviceArray<int> _dead;
    private readonly DeviceScalars _deadCount;
    private readonly Scalar _deadCountToRead;

    private protected SparseAutoencoder(Device device, SaeConfig config)
    {
        config.Validate();
        (Device, Config) = (device, config);
        Scheduled = StepValues.Of(config);
        _normalized = device.Tensor(0, 0);
        _mean = device.Tensor(0, 0);
        _deviation = device.Tensor(0, 0);
        _dead = device.Allocate<int>(0);
        _deadCount = device.Scalars(1);
        _deadCountToRead = new Scalar(() => _deadCount.Read(0));
        StepsSinceFired = device.Allocate<int>(config.Latents);
    }

    /// <summary>The device that holds the parameters.</summary>
    public Device Device { get; }

    /// <summary>The configuration.</summary>
    public SaeConfig Config { get; }

    /// <summary>
    /// The coefficients and k that encoding and loss use: those of the configuration, or of the last training step where they are
    /// scheduled.
    /// </summary>
    public StepValues Scheduled { get; internal set; }

    /// <summary>
    /// Whether latents are selected by the model's threshold, so that a row does not depend on its batch, where training selects from the
    /// batch (BatchTopK). Other models select the same way in any case.
    /// </summary>
    public bool SelectsByThreshold { get; set; }

    /// <summary>Whether each row is normalized before it is encoded, so that its mean and deviation are needed to decode it.</summary>
    public bool NormalizesRows => Form.Normalization != InputNormalization.None || Form.InputScale != 1;

    /// <summary>All trained parameters. BatchTopK's b_enc is among them, as in the official code, though nothing reads it.</summary>
    public abstract IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>For each of the M latents, the number of training steps since it fired.</summary>
    public DeviceArray<int> StepsSinceFired { get; }

    /// <summary>
    /// Factor of the auxiliary loss in reported metrics: its coefficient for BatchTopK, 1 for TopK, as the official code reports it.
    /// </summary>
    public virtual double ReportedAuxiliaryFactor => 1;

    /// <summary>Default gradient-clipping norm for this architecture, as in the official code; infinity for no clipping.</summary>
    public virtual double DefaultMaxGradientNorm => 1;

    /// <summary>Makes an autoencoder of its configuration's architecture, with weights of zero.</summary>
    /// <param name="device">The device to keep the parameters on.</param>
    /// <param name="config">The configuration.</param>
    /// <exception cref="ConfigurationException">The configuration is invalid.</exception>
    public static SparseAutoencoder Create(Device device, SaeConfig config) => config.Architecture.Traits().Create(device, config);

    /// <summary>Draws the weights that training starts from.</summary>
    /// <param name="random">The source of random numbers.</param>
    public abstract void Initialize(Random random);

    /// <summary>Called once before the first step.</summary>
    /// <param name="options">The settings of the steps to come.</param>
    /// <param name="firstBatch">Draws the first training batch, B×D values in rows. Drawing may be slow: call it only if needed.</param>
    public virtual void BeforeTraining(StepOptions options, Func<float[]> firstBatch)
    {
    }

    /// <summary>Sets b_dec from the first batch.</summary>
    /// <param name="x">The batch, B×D.</param>
    /// <param name="start">How.</param>
    internal void StartDecoderBias(Tensor x, DecoderBiasStart start) => RowCenters.Set(
        NormalizeInput(x, _normalized, _mean, _deviation) ? _normalized : x,
        start,
        Parameters.Single(parameter => parameter.Name == "b_dec").Value);

    /// <summary>Encodes a batch, recorded on the tape.</summary>
    /// <param name="tape">A tape that was reset.</param>
    /// <param name="batch">The rows.</param>
    /// <returns>The encoded batch; valid until the next call.</returns>
    /// <exception cref="ArgumentException">The rows do not have D features.</exception>
    public Encoding Encode(Tape tape, in Batch batch)
    {
        var x = batch.X;
        if (x.Columns != Config.Dimension)
        {
            throw new ArgumentException($"{x.Columns} features, expected {Config.Dimension}", nameof(batch));
        }

        if (!NormalizeInput(x, _normalized, _mean, _deviation))
        {
            var encoded = EncodeInput(tape, x);
            return new Encoding(encoded.Latents, x, batch.Similarity ?? x) { L0 = encoded.L0, Gate = encoded.Gate };
        }
        else
        {
            var encoded = EncodeInput(tape, _normalized);
            return new Encoding(encoded.Latents, _normalized, batch.Similarity ?? (ComparesNormalizedRows ? _normalized : x))
            {
                Mean = _mean,
                Deviation = _deviation,
                L0 = encoded.L0,
                Gate = encoded.Gate,
            };
        }
    }

    /// <summary>Reconstructs an encoded batch, recorded on the tape.</summary>
    /// <param name="tape">The tape of the encoding.</param>
    /// <param name="encoding">The encoded batch.</param>
    /// <returns>The reconstruction in the scale of x, B×D.</returns>
    public Variable Reconstruct(Tape tape, in Encoding encoding) =>
        ToInputScale(tape, DecodeLatents(tape, encoding.Latents), encoding);

    /// <summary>Reconstructs rows from latents that were not encoded just now, such as edited ones.</summary>
    /// <param name="tape">A tape that was reset.</param>
    /// <param name="latents">z, B×M.</param>
    /// <param name="scale">
    /// μ and σ of every row, each 1×B, as <see cref="Encoding"/> has them; null if the model does not normalize rows
    /// (<see cref="NormalizesRows"/>).
    /// </param>
    /// <returns>The rows in the scale of x, B×D.</returns>
    public Variable Decode(Tape tape, SparseVariable latents, (Tensor Mean, Tensor Deviation)? scale)
    {
        var decoded = DecodeLatents(tape, latents);
        return scale is { } rows ? tape.Denormalize(decoded, rows.Deviation, rows.Mean) : decoded;
    }

    /// <summary>
    /// Counts a training step in <see cref="StepsSinceFired"/>: adds 1 for every latent that did not fire in the batch, and resets those
    /// that did. The forward pass does this before the loss is formed, whose auxiliary term is about the latents that are dead by then.
    /// Right after the encoding, the host waits for the outcomes of both at once.
    /// </summary>
    /// <param name="encoding">The encoded batch.</param>
    /// <param name="deadAfter">n, the number of steps without firing after which a latent is dead.</param>
    /// <returns>
    /// The dead latents of the auxiliary loss, ascending, valid until the next call; null if there are none, or no such loss.
    /// </returns>
    public DeviceArray<int>? UpdateStepsSinceFired(in Encoding encoding, int deadAfter)
    {
        var latents = encoding.Latents.Value;
        if (AuxiliaryDeadSteps(deadAfter) is { } steps)
        {
            return Device.FindDead(latents, StepsSinceFired, StepsAfterFiring, steps, _dead) > 0 ? _dead : null;
        }

        Device.BuildColumnIndex(latents);
        Device.UpdateStepsSinceFired(latents, StepsSinceFired, StepsAfterFiring);
        return null;
    }

    /// <summary>The loss of a batch, recorded on the tape. Neither parameters nor counters change.</summary>
    /// <param name="tape">The tape of the encoding.</param>
    /// <param name="x">B×D rows of unit length.</param>
    /// <param name="encoding">The batch, encoded.</param>
    /// <param name="dead">The dead latents, as <see cref="UpdateStepsSinceFired"/> returns them.</param>
    /// <param name="batchMonoLoss">Whether MonoLoss of the batch is part of the loss.</param>
    public abstract StepLoss Loss(Tape tape, Tensor x, in Encoding encoding, DeviceArray<int>? dead, bool batchMonoLoss);

    /// <summary>Called after the optimizer's step.</summary>
    /// <param name="step">The step that was made.</param>
    public virtual void AfterStep(in CompletedStep step)
    {
    }

    /// <summary>Called when training has ended: finds what only the use of the model needs. Further training is not affected.</summary>
    /// <param name="rows">The training set in batches; may be read several times.</param>
    public virtual void AfterTraining(IEnumerable<Batch> rows)
    {
    }

    /// <summary>Counts the latents that have not fired for more than n steps, without waiting for the device.</summary>
    /// <param name="deadAfter">n.</param>
    /// <returns>The number, until the next call.</returns>
    public Scalar CountDead(int deadAfter)
    {
        Device.CountDead(StepsSinceFired, checked(deadAfter + 1), _deadCount.ToWrite());
        return _deadCountToRead;
    }

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
        _dead.Dispose();
        _deadCount.Dispose();
    }

    /// <summary>The decoder's directions: M×D floats, a row per latent.</summary>
    public float[] DecoderDirections() => StoredTensors.First(stored => stored.Name == "W_dec").Parameter.Value.ToArray();

    /// <summary>The parameters as the weights file stores them, in the file's order.</summary>
    internal abstract IReadOnlyList<StoredTensor> StoredTensors { get; }

    /// <summary>Numbers that the checkpoint stores beside the parameters.</summary>
    internal virtual IReadOnlyList<StoredNumber> StateNumbers => [];

    /// <summary>Numbers of the model's training that the checkpoint stores beside those of the model itself.</summary>
    internal IReadOnlyList<StoredNumber> TrainingNumbers { get; set; } = [];

    /// <summary>Numbers that the weights file stores beside the parameters, as vectors of M equal values; 0 before there is one.</summary>
    internal virtual IReadOnlyList<StoredNumber> WeightNumbers => [];

    /// <summary>
    /// Whether training selects latents from a batch as a whole. Such a model has a threshold too, for rows on their own
    /// (<see cref="SelectsByThreshold"/>).
    /// </summary>
    public virtual bool SelectsFromBatch => false;

    /// <summary>What the model computes, in the words that all tools' formats are described in.</summary>
    internal abstract ImportedForm Form { get; }

    /// <summary>Whether MonoScore compares the layer-normalized rows rather than x, where there is an input layer norm.</summary>
    private protected virtual bool ComparesNormalizedRows => true;

    /// <summary>The counter of a latent after a batch in which it fired.</summary>
    private protected virtual int StepsAfterFiring => 0;

    /// <summary>The counter from which on a latent takes part in the auxiliary loss; null without that loss.</summary>
    /// <param name="deadAfter">n, the number of steps without firing after which a latent is dead.</param>
    private protected virtual int? AuxiliaryDeadSteps(int deadAfter) => null;

    /// <summary>Normalizes rows before they are encoded, if the model does: by layer norm, unless a model has another way.</summary>
    /// <param name="x">B×D.</param>
    /// <param name="normalized">Becomes x̂, B×D.</param>
    /// <param name="mean">Becomes μ, 1×B.</param>
    /// <param name="deviation">Becomes σ, 1×B: reconstructions are multiplied by it before μ is added.</param>
    /// <returns>Whether rows are normalized; if not, nothing was written.</returns>
    private protected virtual bool NormalizeInput(Tensor x, Tensor normalized, Tensor mean, Tensor deviation)
    {
        if (Config.NormalizesInput)
        {
            Device.LayerNorm(x, normalized, mean, deviation);
        }

        return Config.NormalizesInput;
    }

    /// <summary>Encodes the encoder's input.</summary>
    private protected abstract EncodedInput EncodeInput(Tape tape, Tensor input);

    /// <summary>z·W_dec + b_dec, in the scale of the encoder's input.</summary>
    private protected abstract Variable DecodeLatents(Tape tape, SparseVariable latents);

    /// <summary>Undoes the input layer norm of a batch.</summary>
    private protected static Variable ToInputScale(Tape tape, Variable decoded, in Encoding encoding) =>
        encoding.Mean is { } mean ? tape.Denormalize(decoded, encoding.Deviation!, mean) : decoded;

    /// <summary>MonoLoss of the batch if it is part of the loss, else null.</summary>
    private protected MonoLossResult? MonoLoss(Tape tape, in Encoding encoding, bool batchMonoLoss) =>
        batchMonoLoss && Config.MonoCoefficient > 0 ? tape.MonoLoss(encoding.Latents, encoding.ComparedRows) : null;

    /// <summary>
    /// The latents, ascending, whose counter is at least a number of steps; null if there are none. Valid until the next call.
    /// </summary>
    private protected DeviceArray<int>? FindDead(int steps) => Device.FindDead(StepsSinceFired, steps, _dead) > 0 ? _dead : null;
}

/// <summary>A training step that was made.</summary>
/// <param name="Step">Its number, from 1.</param>
/// <param name="Encoding">The step's batch, encoded with the weights before the step.</param>
/// <param name="Options">The settings of the step.</param>
public readonly record struct CompletedStep(long Step, Encoding Encoding, StepOptions Options);
