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
    private const string DataRows = "data_rows";
    private const string DataHashes = "data_hashes";

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter<Architecture>(JsonNamingPolicy.SnakeCaseLower) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
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

    /// <summary>
    /// Whether the folder contains a run, complete or not, or files that could be one. What a run leaves that ended before its first
    /// checkpoint is none: there is nothing to continue and nothing to lose.
    /// </summary>
    public bool HasRun => Files.Any(System.IO.File.Exists) && !IsAbandoned;

    /// <summary>Whether the folder contains the checkpoint of a run.</summary>
    public bool HasCheckpoint => System.IO.File.Exists(State);

    /// <summary>Whether the folder contains a complete run.</summary>
    public bool IsComplete => System.IO.File.Exists(Results);

    private IEnumerable<string> Files => [Results, Config, Weights, State, Metrics, Evaluations, Latents];

    /// <summary>
    /// Whether a run of this program began here and ended before its first checkpoint: weights and results come after the first one.
    /// </summary>
    private bool IsAbandoned
    {
        get
        {
            if (!System.IO.File.Exists(Config) || new[] { State, Weights, Results }.Any(System.IO.File.Exists))
            {
                return false;
            }

            try
            {
                return ReadJson(Config).ContainsKey(ConfigKey);
            }
            catch (DataException)
            {
                return false;
            }
        }
    }

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
            var config = stored.Deserialize<StoredConfig>(Json)!;
            return (config.Model, config.Training);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or NotSupportedException)
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
        try
        {
            return ReadJson(Results).Deserialize<TrainingResults>(Json)!;
        }
        catch (JsonException exception)
        {
            throw new DataException($"{Results}: {OneLine(exception)}", exception);
        }
    }

    /// <summary>Writes sae_weights.safetensors.</summary>
    /// <param name="model">The model.</param>
    public void WriteWeights(SparseAutoencoder model) => SaeLensFormat.WriteWeights(Weights, model, Fetch(model));

    /// <summary>
    /// Fills a model with the folder's weights. The model's shapes decide what is read; of cfg.json only d_in and d_sae are checked. A tied
    /// TopK reads W_enc alone; biases that are missing are 0.
    /// </summary>
    /// <param name="model">The model to fill.</param>
    /// <exception cref="DataException">
    /// A file is missing or damaged, a shape does not fit the model, or a value is not finite or not a threshold.
    /// </exception>
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
        foreach (var number in model.StateNumbers)
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
        SaeLensFormat.WriteWeights(Weights, model, values);
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
        foreach (var number in model.StateNumbers.Where(number => file.Contains(number.Name)))
        {
            file.Find(number.Name, 1);
            number.Set(file.ReadDoubles(number.Name)[0]);
        }

        return position;
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
            return JsonNode.Parse(System.IO.File.ReadAllText(path)) as JsonObject
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
