using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using MonoLoss.Autodiff;
using MonoLoss.Data;

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

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new ArchitectureConverter() },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
        RespectNullableAnnotations = true,
    };

    /// <summary>The folder.</summary>
    public string Path { get; } = path;

    /// <summary>The architecture and the settings.</summary>
    public string Config => File("cfg.json");

    /// <summary>The weights, named as in SAELens.</summary>
    public string Weights => File("sae_weights.safetensors");

    /// <summary>The checkpoint, with all that a resumed run needs: weights, moments, counters.</summary>
    public string State => File("training_state.safetensors");

    /// <summary>One row per step.</summary>
    public string Metrics => File("metrics.parquet");

    /// <summary>One row per epoch and split.</summary>
    public string Evaluations => File("evals.parquet");

    /// <summary>One row per latent.</summary>
    public string Latents => File("latents.parquet");

    /// <summary>The final figures; written last, so that a folder with this file is complete.</summary>
    public string Results => File("results.json");

    /// <summary>Whether the folder contains a run, complete or not.</summary>
    public bool HasRun => System.IO.File.Exists(Config) || System.IO.File.Exists(State) || System.IO.File.Exists(Metrics);

    /// <summary>Whether the folder contains a complete run.</summary>
    public bool IsComplete => System.IO.File.Exists(Results);

    /// <summary>The files of a run, whether they exist or not.</summary>
    public IReadOnlyList<string> Files => [Results, Config, Weights, State, Metrics, Evaluations, Latents];

    /// <summary>Deletes the files of the run, and the folder if nothing else is in it.</summary>
    public void Delete()
    {
        foreach (var file in Files)
        {
            if (System.IO.File.Exists(file))
            {
                System.IO.File.Delete(file);
            }
        }

        if (Directory.Exists(Path) && !Directory.EnumerateFileSystemEntries(Path).Any())
        {
            Directory.Delete(Path);
        }
    }

    /// <summary>Writes cfg.json.</summary>
    /// <param name="model">The model.</param>
    /// <param name="training">The settings of its training; null if not known.</param>
    public void WriteConfig(SparseAutoencoder model, TrainingOptions? training)
    {
        var json = SaeLensFormat.Config(model);
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
            foreach (var split in (json["splits"] as JsonObject ?? []).Select(split => split.Value).OfType<JsonObject>())
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
    public void WriteWeights(SparseAutoencoder model) => SaeLensFormat.WriteWeights(Weights, model, Fetch(model));

    /// <summary>
    /// Fills a model with the folder's weights. The model's shapes decide what is read; of cfg.json only d_in and d_sae are checked. A tied
    /// TopK reads W_enc alone; biases that are missing are 0.
    /// </summary>
    /// <param name="model">The model to fill.</param>
    /// <exception cref="DataException">A file is missing or damaged, or a shape does not fit the model.</exception>
    public void ReadWeights(SparseAutoencoder model)
    {
        if (System.IO.File.Exists(Config))
        {
            var config = ReadJson(Config);
            CheckSize(config, "d_in", model.Config.Dimension);
            CheckSize(config, "d_sae", model.Config.Latents);
        }

        SaeLensFormat.ReadWeights(Weights, model);
    }

    /// <summary>
    /// Writes the weights and the checkpoint. The checkpoint is one file with everything that the next step depends on, so that it is
    /// either complete or still the previous one.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="adam">Its optimizer.</param>
    /// <param name="position">How far the run is.</param>
    public void WriteCheckpoint(SparseAutoencoder model, Adam adam, TrainingPosition position)
    {
        var values = Fetch(model);
        SaeLensFormat.WriteWeights(Weights, model, values);

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
        foreach (var number in model.StoredNumbers)
        {
            if (number.Get() is { } value)
            {
                tensors.Add(SafeTensor.Create<double>(number.StateName, [1], [value]));
            }
        }

        SafetensorsWriter.Write(State, tensors);
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
        file.Find(Position, 4);
        var position = file.ReadLongs(Position);
        adam.Steps = position[3];
        foreach (var number in model.StoredNumbers.Where(number => file.Contains(number.StateName)))
        {
            number.Set(file.ReadDoubles(number.StateName)[0]);
        }

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
