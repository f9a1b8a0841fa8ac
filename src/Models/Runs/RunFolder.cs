using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using MonoLoss.Autodiff;
using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// The files of a training run. cfg.json and sae_weights.safetensors have the layout of SAELens. Every file is written to a temporary name
/// and renamed.
/// </summary>
/// <param name="path">The folder.</param>
public sealed class RunFolder(string path)
{
    private const string ConfigKey = "monoloss";
    private const string FirstMoment = ".first_moment";
    private const string SecondMoment = ".second_moment";
    private const string Counters = "silent_batches";
    private const string Position = "position";
    private const string DataRows = "data_rows";
    private const string DataHashes = "data_hashes";

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new ArchitectureConverter(), new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
        RespectNullableAnnotations = true,
    };

    /// <summary>The folder.</summary>
    public string Path { get; } = path;

    /// <summary>The architecture and the settings.</summary>
    public string Config => File("cfg.json");

    /// <summary>The weights, named as in SAELens.</summary>
    public string Weights => File("sae_weights.safetensors");

    /// <summary>The firing rate of every latent on the training set, as SAELens stores it.</summary>
    public string Sparsity => File("sparsity.safetensors");

    /// <summary>The checkpoint, with all that a resumed run needs: weights, moments, counters.</summary>
    public string State => File("training_state.safetensors");

    /// <summary>One row per step.</summary>
    public string Metrics => File("metrics.parquet");

    /// <summary>One row per epoch and split.</summary>
    public string Evaluations => File("evals.parquet");

    /// <summary>One row per latent.</summary>
    public string Latents => File("latents.parquet");

    /// <summary>The rows that show what each latent stands for.</summary>
    public string Samples => File("samples.parquet");

    /// <summary>The final figures; written last, so that a folder with this file is complete.</summary>
    public string Results => File("results.json");

    /// <summary>
    /// Whether the folder contains a run, complete or not, or files that could be one. What a run leaves that ended before its first
    /// checkpoint is none: there is nothing to continue and nothing to lose.
    /// </summary>
    public bool HasRun => Files.Any(System.IO.File.Exists) && !IsAbandoned;

    /// <summary>Whether the folder has the settings of a run of this program.</summary>
    public bool HasConfig
    {
        get
        {
            try
            {
                return System.IO.File.Exists(Config) && ReadJson(Config).ContainsKey(ConfigKey);
            }
            catch (DataException)
            {
                return false;
            }
        }
    }

    /// <summary>Whether the folder contains the checkpoint of a run.</summary>
    public bool HasCheckpoint => System.IO.File.Exists(State);

    /// <summary>Whether the folder contains a complete run.</summary>
    public bool IsComplete => System.IO.File.Exists(Results);

    /// <summary>The files of a run, whether they exist or not.</summary>
    public IReadOnlyList<string> Files => [Results, Config, Weights, Sparsity, State, Metrics, Evaluations, Latents, Samples];

    /// <summary>
    /// Whether a run of this program began here and ended before its first checkpoint: weights and results come after the first one.
    /// </summary>
    private bool IsAbandoned => HasConfig && !new[] { State, Weights, Results }.Any(System.IO.File.Exists);

    /// <summary>Deletes the files of the run, and the folder if nothing else is in it.</summary>
    public void Delete()
    {
        foreach (var file in Files.Where(System.IO.File.Exists))
        {
            System.IO.File.Delete(file);
        }

        if (Directory.Exists(Path) && !Directory.EnumerateFileSystemEntries(Path).Any())
        {
            Directory.Delete(Path);
        }
    }

    /// <summary>
    /// Deletes the temporary files that a killed process has left of the run's files. No other process may be writing the run.
    /// </summary>
    /// <exception cref="DataException">A file cannot be deleted.</exception>
    public void DeleteLeftovers()
    {
        foreach (var file in Files.Append(File("report.html")))
        {
            AtomicFile.DeleteLeftovers(file);
        }
    }

    /// <summary>Writes cfg.json.</summary>
    /// <param name="model">The model.</param>
    /// <param name="training">The settings of its training; null if not known.</param>
    /// <param name="metadata">What other tools shall keep about the model; null for what the settings say.</param>
    public void WriteConfig(
        SparseAutoencoder model, TrainingOptions? training, IReadOnlyDictionary<string, JsonNode?>? metadata = null)
    {
        var json = SaeLensFormat.Config(
            PortableSae.RawForm(model.Form, model.Config.UnitRows), model.Config, metadata ?? Provenance.Of(model.Config, training));
        json[ConfigKey] = JsonSerializer.SerializeToNode(new StoredConfig(model.Config, training), Json);
        AtomicFile.WriteAllText(Config, json.ToJsonString(Json) + "\n");
    }

    /// <summary>Reads the settings of a run of this program.</summary>
    /// <exception cref="DataException">cfg.json is missing, or was not written by this program.</exception>
    public (SaeConfig Model, TrainingOptions? Training) ReadConfig()
    {
        var stored = ReadJson(Config)[ConfigKey]
            ?? throw new DataException($"{Config}: has no '{ConfigKey}' entry, so this is not a run of monoloss");
        try
        {
            var config = stored.Deserialize<StoredConfig>(Json) is { Model: not null } read ? read : throw new JsonException("no 'model'");
            config.Model.Validate();
            config.Training?.Validate();
            return (config.Model, config.Training);
        }
        catch (Exception exception)
            when (exception is JsonException or InvalidOperationException or NotSupportedException or ConfigurationException)
        {
            throw new DataException($"{Config}: '{ConfigKey}' cannot be read: {OneLine(exception)}", exception);
        }
    }

    /// <summary>Reads what cfg.json says of the network and the features that the model was trained on.</summary>
    /// <exception cref="DataException">cfg.json is missing or damaged.</exception>
    public IReadOnlyDictionary<string, string> ReadOrigin()
    {
        var metadata = ReadJson(Config)["metadata"] as JsonObject;
        return SaeLensReader.Origin(name => metadata?[name]);
    }

    /// <summary>Makes a run folder of an autoencoder of another tool.</summary>
    /// <param name="foreign">The autoencoder.</param>
    /// <param name="config">Its configuration.</param>
    /// <exception cref="DataException">The folder or a file cannot be written.</exception>
    public void Import(ForeignSae foreign, SaeConfig config)
    {
        try
        {
            Directory.CreateDirectory(Path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{Path}: cannot create the folder: {exception.Message}", exception);
        }

        using var device = DeviceFactory.Open("cpu");
        using var model = SparseAutoencoder.Create(device, config);
        foreign.CopyTo(model);
        WriteWeights(model);
        WriteConfig(model, training: null, Provenance.Of(config, training: null, features: foreign.Metadata));
    }

    /// <summary>Writes results.json.</summary>
    public void WriteResults(TrainingResults results) =>
        AtomicFile.WriteAllText(Results, JsonSerializer.Serialize(results, Json) + "\n");

    /// <summary>Reads results.json.</summary>
    /// <exception cref="DataException">It is missing or damaged.</exception>
    public TrainingResults ReadResults()
    {
        var json = ReadJson(Results);
        try
        {
            // Until version 0.2 the silent latents of a split were called dead.
            string[] figures = ["splits", "by_threshold"];
            foreach (var split in figures.SelectMany(name => json[name] as JsonObject ?? [])
                .Select(split => split.Value).OfType<JsonObject>())
            {
                if (split.Remove("dead_latents", out var silent))
                {
                    split.TryAdd("silent_latents", silent);
                }
            }

            return json.Deserialize<TrainingResults>(Json) is { Model: not null, Training: not null, Splits: not null } results
                && !results.Splits.Values.Contains(null!)
                    ? results
                    : throw new DataException($"{Results}: model, training or splits is missing");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or NotSupportedException)
        {
            throw new DataException($"{Results}: {OneLine(exception)}", exception);
        }
    }

    /// <summary>Whether the folder contains the complete run of some settings, rather than one of others.</summary>
    /// <param name="configure">The model's configuration, given the number of features.</param>
    /// <param name="options">How it is trained; where its files are and how often it is saved make no difference.</param>
    /// <exception cref="DataException">results.json is damaged.</exception>
    public bool IsCompleteRunOf(Func<int, SaeConfig> configure, TrainingOptions options) =>
        IsComplete && ReadResults() is var results
            && ResumeCheck.AreSame(results.Model, configure(results.Model.Dimension))
            && ResumeCheck.AreSame(results.Training, options);

    /// <summary>Reads all results of a complete run, as <see cref="Trainer"/> had them at its end.</summary>
    /// <exception cref="DataException">A file is missing or damaged, or the run was resumed since and has not ended.</exception>
    public CompletedRun ReadCompleted()
    {
        if (!HasRun && !IsComplete)
        {
            throw new DataException($"{Path}: no run in this folder: it has neither {Config} nor {Results}");
        }

        if (!IsComplete)
        {
            throw new DataException($"{Path}: the run is not complete: it has no {System.IO.Path.GetFileName(Results)} yet");
        }

        var results = ReadResults();
        var steps = MetricsFiles.ReadSteps(Metrics);
        if (steps.Count == 0 || steps[^1].Step != results.Steps)
        {
            throw new DataException($"{Metrics}: has {(steps.Count == 0 ? "no steps" : $"steps to {steps[^1].Step}")}, but {Results} is of "
                + $"step {results.Steps}: the run was resumed and is not complete");
        }

        if (results.Splits.Count == 0)
        {
            return new CompletedRun(results, steps, [], [], []);
        }

        var (latents, classes) = MetricsFiles.ReadLatents(Latents);
        return new CompletedRun(results, steps, MetricsFiles.ReadEvaluations(Evaluations), latents, classes);
    }

    /// <summary>Writes sae_weights.safetensors.</summary>
    /// <param name="model">The model.</param>
    public void WriteWeights(SparseAutoencoder model) => WriteWeights(model, Fetch(model));

    /// <summary>
    /// Fills a model with the folder's weights. A tied TopK reads W_enc alone; biases that are missing are 0. Where the weights file is for
    /// rows as they are and the model for unit rows, its weights are those of the checkpoint, to the bit; without a checkpoint the scale is
    /// undone, which rounds.
    /// </summary>
    /// <param name="model">The model to fill.</param>
    /// <exception cref="DataException">
    /// A file is missing or damaged, a shape does not fit the model, or a value is not finite or not a threshold.
    /// </exception>
    public void ReadWeights(SparseAutoencoder model)
    {
        var isFolded = false;
        if (System.IO.File.Exists(Config))
        {
            var config = ReadJson(Config);
            CheckSize(config, "d_in", model.Config.Dimension);
            CheckSize(config, "d_sae", model.Config.Latents);
            // Until version 0.2 the file had the weights for unit rows.
            isFolded = config[SaeLensFormat.Normalization]?.ToString() == SaeLensFormat.ConstantNorm
                && model.Form.Normalization == InputNormalization.None && model.Config.UnitRows;
        }

        SaeLensFormat.ReadWeights(Weights, model);
        if (isFolded && !ReadTrainedWeights(model))
        {
            var root = (float)Math.Sqrt(model.Config.Dimension);
            foreach (var parameter in model.Parameters)
            {
                var factor = parameter.Name switch { "W_enc" => root, "W_dec" or "b_dec" => 1 / root, _ => 1 };
                model.Device.LinearCombination(factor, parameter.Value, 0, parameter.Value, parameter.Value);
            }
        }
    }

    /// <summary>Writes sparsity.safetensors: log10(firing rate + 1e-10) of every latent.</summary>
    /// <param name="latents">The latents on the training set.</param>
    /// <param name="rows">The rows of that set.</param>
    public void WriteSparsity(IReadOnlyList<LatentResult> latents, long rows)
    {
        const double Least = 1e-10;
        SafetensorsWriter.Write(Sparsity,
        [
            SafeTensor.Create("sparsity", [latents.Count],
                latents.Select(latent => (float)Math.Log10(((double)latent.ActivationCount / rows) + Least)).ToArray()),
        ]);
    }

    /// <summary>
    /// Writes the checkpoint and the weights. The checkpoint is one file with everything that the next step depends on, so that it is
    /// either complete or still the previous one. It comes first: weights without a checkpoint are not of an interrupted run.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="adam">Its optimizer.</param>
    /// <param name="position">How far the run is.</param>
    /// <param name="data">The fingerprints of the training files, in order; null if not known.</param>
    public void WriteCheckpoint(
        SparseAutoencoder model, Adam adam, TrainingPosition position, IReadOnlyList<FileFingerprint>? data = null)
    {
        var values = Fetch(model);
        var tensors = new List<SafeTensor>();
        foreach (var parameter in model.Parameters)
        {
            long[] shape = [parameter.Value.Rows, parameter.Value.Columns];
            tensors.Add(SafeTensor.Create(parameter.Name, shape, values[parameter]));
            tensors.Add(SafeTensor.Create($"{parameter.Name}{FirstMoment}", shape, parameter.FirstMoment.ToArray()));
            tensors.Add(SafeTensor.Create($"{parameter.Name}{SecondMoment}", shape, parameter.SecondMoment.ToArray()));
        }

        tensors.Add(SafeTensor.Create(Counters, [model.Config.Latents], model.StepsSinceFired.ToArray()));
        tensors.Add(SafeTensor.Create<long>(Position, [4], [position.Epoch, position.Batch, position.Step, adam.Steps]));
        foreach (var number in model.StateNumbers.Concat(model.TrainingNumbers))
        {
            if (number.Get() is { } value)
            {
                tensors.Add(SafeTensor.Create<double>(number.Name, [1], [value]));
            }
        }

        if (data is not null)
        {
            tensors.Add(SafeTensor.Create(DataRows, [data.Count], data.Select(file => file.Rows).ToArray()));
            tensors.Add(SafeTensor.Create(DataHashes, [data.Count], data.Select(file => unchecked((long)file.Hash)).ToArray()));
        }

        SafetensorsWriter.Write(State, tensors);
        WriteWeights(model, values);
    }

    /// <summary>Reads how far the checkpoint's run was, and on what it was trained.</summary>
    /// <returns>The position, and the fingerprints of the training files; null if the checkpoint does not have them.</returns>
    /// <exception cref="DataException">The checkpoint is damaged.</exception>
    public (TrainingPosition Position, IReadOnlyList<FileFingerprint>? Data) ReadPosition()
    {
        using var file = SafetensorsFile.Open(State);
        var position = ReadPosition(file, out _);
        if (!file.Contains(DataRows))
        {
            return (position, null);
        }

        var rows = file.ReadLongs(DataRows);
        file.Find(DataHashes, rows.Length);
        return (position, [.. rows.Zip(file.ReadLongs(DataHashes), (count, hash) => new FileFingerprint(count, unchecked((ulong)hash)))]);
    }

    /// <summary>Reads the checkpoint.</summary>
    /// <param name="model">The model to fill.</param>
    /// <param name="adam">Its optimizer.</param>
    /// <exception cref="DataException">The checkpoint is damaged, or of another model.</exception>
    public TrainingPosition ReadCheckpoint(SparseAutoencoder model, Adam adam)
    {
        using var file = SafetensorsFile.Open(State);
        foreach (var parameter in model.Parameters)
        {
            foreach (var (suffix, tensor) in new[]
            {
                (string.Empty, parameter.Value), (FirstMoment, parameter.FirstMoment), (SecondMoment, parameter.SecondMoment),
            })
            {
                file.Find(parameter.Name + suffix, tensor.Rows, tensor.Columns);
                tensor.Set(file.ReadFloats(parameter.Name + suffix));
            }
        }

        file.Find(Counters, model.Config.Latents);
        model.StepsSinceFired.CopyFrom(file.ReadInts(Counters));
        var position = ReadPosition(file, out var steps);
        adam.Steps = steps;
        foreach (var number in model.StateNumbers.Concat(model.TrainingNumbers).Where(number => file.Contains(number.Name)))
        {
            file.Find(number.Name, 1);
            number.Set(file.ReadDoubles(number.Name)[0]);
        }

        return position;
    }

    private void WriteWeights(SparseAutoencoder model, IReadOnlyDictionary<Parameter, float[]> values)
    {
        var sae = PortableSae.Of(model, values);
        sae.FoldForRawRows();
        SafetensorsWriter.Write(Weights, SaeLensFormat.Tensors(sae));
    }

    /// <summary>Fills a model with the checkpoint's weights, if the weights file was made of them.</summary>
    private bool ReadTrainedWeights(SparseAutoencoder model)
    {
        if (!HasCheckpoint)
        {
            return false;
        }

        using var state = SafetensorsFile.Open(State);
        var values = new Dictionary<Parameter, float[]>();
        foreach (var parameter in model.Parameters)
        {
            state.Find(parameter.Name, parameter.Value.Rows, parameter.Value.Columns);
            values[parameter] = state.ReadFloats(parameter.Name);
        }

        using var file = SafetensorsFile.Open(Weights);
        var sae = PortableSae.Of(model, values);
        sae.FoldForRawRows();
        var rows = SaeLensFormat.Transpose(file.ReadFloats("W_enc"), model.Config.Dimension, model.Config.Latents);
        if (!sae.Encoder.AsSpan().SequenceEqual(rows) || !sae.Decoder.AsSpan().SequenceEqual(file.ReadFloats("W_dec")))
        {
            return false;
        }

        foreach (var (parameter, value) in values)
        {
            parameter.Value.Set(value);
        }

        return true;
    }

    private static TrainingPosition ReadPosition(SafetensorsFile file, out long adamSteps)
    {
        file.Find(Position, 4);
        var position = file.ReadLongs(Position);
        if (position.Min() < 0 || position[0] >= int.MaxValue)
        {
            throw new DataException($"{file.Path}: tensor '{Position}' is damaged: found {string.Join(", ", position)}");
        }

        adamSteps = position[3];
        return new TrainingPosition((int)position[0], position[1], position[2]);
    }

    private static Dictionary<Parameter, float[]> Fetch(SparseAutoencoder model) =>
        model.Parameters.ToDictionary(parameter => parameter, parameter => parameter.Value.ToArray());

    private static string OneLine(Exception exception) => exception.Message.ReplaceLineEndings(" ");

    private static JsonObject ReadJson(string path)
    {
        try
        {
            var options = new JsonDocumentOptions { AllowDuplicateProperties = false };
            return JsonNode.Parse(System.IO.File.ReadAllText(path), documentOptions: options) as JsonObject
                ?? throw new DataException($"{path}: is not a JSON object");
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new DataException(
                exception is FileNotFoundException or DirectoryNotFoundException
                    ? $"{path}: no such file"
                    : $"{path}: {OneLine(exception)}",
                exception);
        }
    }

    private void CheckSize(JsonObject config, string name, int expected)
    {
        if (config[name] is JsonValue value && value.TryGetValue<int>(out var size) && size != expected)
        {
            throw new DataException($"{Config}: {name} is {size}, expected {expected}");
        }
    }

    private string File(string name) => System.IO.Path.Combine(Path, name);

    private sealed record StoredConfig(SaeConfig Model, TrainingOptions? Training);
}
