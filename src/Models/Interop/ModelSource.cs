using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>A trained autoencoder in a folder: a run of this program, or the files of another tool.</summary>
public sealed class ModelSource
{
    private readonly string _path;
    private readonly ForeignSae? _foreign;

    private ModelSource(string path, SaeConfig config, TrainingOptions? training, ForeignSae? foreign) =>
        (_path, Config, Training, _foreign) = (path, config, training, foreign);

    /// <summary>The configuration of the model.</summary>
    public SaeConfig Config { get; }

    /// <summary>The settings of its training; null if it was not trained by this program.</summary>
    public TrainingOptions? Training { get; }

    /// <summary>What it is, in a few words, if it is of another tool; null for a run of this program.</summary>
    public string? Description => _foreign?.Description;

    /// <summary>
    /// Whether training that starts from the weights takes rows of unit length: where the model does, and where another tool scales them
    /// to a length of its own.
    /// </summary>
    public bool TrainsOnUnitRows => Config.UnitRows || Config.Imported?.Normalization == InputNormalization.ConstantNorm;

    /// <summary>Whether the model adds a bias to its pre-activations, or would once b_dec is subtracted from its rows.</summary>
    public bool HasEncoderBias => _foreign is not null
        && (!_foreign.Form.SubtractsDecoderBias
            || (_foreign.Weights.TryGetValue("b_enc", out var biases) && Array.Exists(biases, bias => bias != 0)));

    /// <summary>The shares of the latents that its groups have (<see cref="SaeConfig.Groups"/>); null if it has none.</summary>
    public IReadOnlyList<double>? Groups => Config.Groups
        ?? Config.Imported?.GroupSizes?.Select(size => (double)size / Config.Latents).ToArray();

    /// <summary>Whether a folder has weights alone, without a word about the model that they are of.</summary>
    public static bool HasWeightsOnly(string path)
    {
        var folder = new RunFolder(path);
        return File.Exists(folder.Weights) && !File.Exists(folder.Config);
    }

    /// <summary>Opens a folder.</summary>
    /// <param name="path">A run folder, or a folder or file of another tool.</param>
    /// <exception cref="DataException">It is neither, damaged, or of a kind that is not supported.</exception>
    public static ModelSource Open(string path)
    {
        var folder = new RunFolder(path);
        if (folder.HasConfig || !Directory.Exists(path) || !ForeignFormats.Recognizes(path))
        {
            if (File.Exists(path))
            {
                var file = ForeignFormats.Read(path);
                return new ModelSource(path, file.Config, null, file);
            }

            var (config, training) = folder.ReadConfig();
            return new ModelSource(path, config, training, null);
        }

        var foreign = ForeignFormats.Read(path);
        return new ModelSource(path, foreign.Config, null, foreign);
    }

    /// <summary>What is known of the network and the features that it was trained on, by the names of the file that said so.</summary>
    public IReadOnlyDictionary<string, string> Origin => _foreign?.Metadata ?? new RunFolder(_path).ReadOrigin();

    /// <summary>Makes the model, with its weights.</summary>
    /// <param name="device">The device to keep it on; the caller disposes it.</param>
    /// <param name="unitRows">Whether it is to take rows of unit length; null for what the source says.</param>
    /// <exception cref="DataException">A file is missing or damaged, or does not fit the configuration.</exception>
    public SparseAutoencoder Load(Device device, bool? unitRows = null)
    {
        var model = SparseAutoencoder.Create(device, Config with { UnitRows = unitRows ?? Config.UnitRows });
        try
        {
            if (_foreign is not null)
            {
                _foreign.CopyTo(model);
            }
            else
            {
                new RunFolder(_path).ReadWeights(model);
            }

            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Gives a model that is about to be trained these weights. It may be of another architecture: what differs is folded into the
    /// weights where that changes nothing, and refused where it cannot be.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <exception cref="DataException">The sizes differ, or the model cannot have these weights.</exception>
    public void Initialize(SparseAutoencoder model)
    {
        if (Config.Dimension != model.Config.Dimension || Config.Latents != model.Config.Latents)
        {
            throw new DataException($"{Path.Combine(_path, "cfg.json")}: {Config.Latents} latents of {Config.Dimension} features, expected "
                + $"{model.Config.Latents} of {model.Config.Dimension}");
        }

        if (_foreign is null && Config.Architecture == model.Config.Architecture && Config.Untied == model.Config.Untied)
        {
            // The same parameters, to the bit.
            new RunFolder(_path).ReadWeights(model);
            return;
        }

        PortableSae sae;
        if (_foreign is not null)
        {
            sae = PortableSae.Of(_foreign);
        }
        else
        {
            using var source = Load(model.Device);
            sae = PortableSae.Of(source);
        }

        sae.CopyTo(model, _path);
    }
}
