using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using MonoLoss.Autodiff;
using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// The files of a training run. cfg.json and sae_weights.safetensors are laid out as SAELens lays them out, so that its tools load
/// the autoencoder as it is. Every file is written to a temporary name and renamed.
/// </summary>
/// <param name="path">The folder.</param>
public sealed class RunFolder(string path)
{
    private const string ConfigKey = "monoloss";

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

    /// <summary>What it is: architecture and settings.</summary>
    public string Config => File("cfg.json");

    /// <summary>The weights, one tensor each as SAELens names them.</summary>
    public string Weights => File("sae_weights.safetensors");

    /// <summary>All that a resumed run needs: weights, moments, counters.</summary>
    public string State => File("training_state.safetensors");

    /// <summary>A row a step.</summary>
    public string Metrics => File("metrics.parquet");

    /// <summary>A row an epoch and split.</summary>
    public string Evaluations => File("evals.parquet");

    /// <summary>A row a latent.</summary>
    public string Latents => File("latents.parquet");

    /// <summary>The final figures; written last, so that a folder that has it is complete.</summary>
    public string Results => File("results.json");

    /// <summary>Whether a run was begun here.</summary>
    public bool HasRun => System.IO.File.Exists(Config) || System.IO.File.Exists(State) || System.IO.File.Exists(Metrics);

    /// <summary>Whether a run was finished here.</summary>
    public bool IsComplete => System.IO.File.Exists(Results);

    /// <summary>Deletes the run's files and, if nothing else is in it, the folder.</summary>
    public void Delete()
    {
        foreach (var file in new[] { Results, Config, Weights, State, Metrics, Evaluations, Latents })
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
    /// <param name="model">What is trained.</param>
    /// <param name="training">How; null if not known.</param>
    public void WriteConfig(SaeConfig model, TrainingOptions? training)
    {
        // BatchTopK is, outside a batch, a JumpReLU whose threshold is the same for all latents; SAELens stores it so too.
        var json = new JsonObject
        {
            ["architecture"] = model.Architecture switch
            {
                Architecture.TopK => "topk",
                Architecture.Vanilla => "standard",
                _ => "jumprelu",
            },
            ["d_in"] = model.Dimension,
            ["d_sae"] = model.Latents,
            ["dtype"] = "float32",
            ["device"] = "cpu",
            ["apply_b_dec_to_input"] = model.Architecture != Architecture.JumpReLU,
            ["normalize_activations"] = model.NormalizesInput ? "layer_norm" : "none",
            ["reshape_activations"] = "none",
        };
        if (model.Architecture == Architecture.TopK)
        {
            json["k"] = model.K;
            json["rescale_acts_by_decoder_norm"] = false;
        }

        json["metadata"] = new JsonObject();
        json[ConfigKey] = JsonSerializer.SerializeToNode(new StoredConfig(model, training), Json);
        AtomicFile.WriteAllText(Config, json.ToJsonString(Json) + "\n");
    }

    /// <summary>Reads the settings of a run of ours.</summary>
    /// <exception cref="DataException">There is none, or it was not written by this program.</exception>
    public (SaeConfig Model, TrainingOptions? Training) ReadConfig()
    {
        var stored = ReadJson(Config)[ConfigKey]
            ?? throw new DataException($"{Config}: has no '{ConfigKey}' entry, so it is not a run of this program");
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
    /// <exception cref="DataException">It is not there or damaged.</exception>
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

    /// <summary>Writes sae_weights.safetensors: W_enc D×M, b_enc, W_dec M×D, b_dec, and the threshold of JumpReLU or BatchTopK.</summary>
    public void WriteWeights(SparseAutoencoder model)
    {
        var (d, m) = (model.Config.Dimension, model.Config.Latents);
        var values = model.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.ToArray());
        var tensors = new List<SafeTensor>
        {
            SafeTensor.Create("W_enc", [d, m], Transpose(values["W_enc"], m, d)),
            SafeTensor.Create("b_enc", [m], values["b_enc"]),
            SafeTensor.Create("W_dec", [m, d], values.GetValueOrDefault("W_dec") ?? values["W_enc"]),
            SafeTensor.Create("b_dec", [d], values["b_dec"]),
        };
        if (values.TryGetValue("log_threshold", out var logThreshold))
        {
            tensors.Add(SafeTensor.Create("threshold", [m], Array.ConvertAll(logThreshold, MathF.Exp)));
        }
        else if (model is BatchTopK batchTopK)
        {
            var threshold = new float[m];
            Array.Fill(threshold, (float)(batchTopK.InferenceThreshold ?? 0));
            tensors.Add(SafeTensor.Create("threshold", [m], threshold));
        }

        SafetensorsWriter.Write(Weights, tensors);
    }

    /// <summary>
    /// Fills a model with the folder's weights. The tensors' shapes and the model decide; of cfg.json only d_in and d_sae are looked
    /// at. A tied TopK reads W_enc alone; biases that are missing are 0.
    /// </summary>
    /// <exception cref="DataException">A file is missing or damaged, or a shape does not fit the model.</exception>
    public void ReadWeights(SparseAutoencoder model)
    {
        var (d, m) = (model.Config.Dimension, model.Config.Latents);
        if (System.IO.File.Exists(Config))
        {
            var config = ReadJson(Config);
            CheckSize(config, "d_in", d);
            CheckSize(config, "d_sae", m);
        }

        using var file = SafetensorsFile.Open(Weights);
        foreach (var parameter in model.Parameters)
        {
            switch (parameter.Name)
            {
                case "W_enc":
                    file.Find("W_enc", d, m);
                    parameter.Value.Set(Transpose(file.ReadFloats("W_enc"), d, m));
                    break;
                case "W_dec":
                    file.Find("W_dec", m, d);
                    parameter.Value.Set(file.ReadFloats("W_dec"));
                    break;
                case "log_threshold" when !file.Contains("log_threshold"):
                    file.Find("threshold", m);
                    parameter.Value.Set(Array.ConvertAll(file.ReadFloats("threshold"), MathF.Log));
                    break;
                default:
                    if (file.Contains(parameter.Name))
                    {
                        file.Find(parameter.Name, parameter.Value.Count);
                        parameter.Value.Set(file.ReadFloats(parameter.Name));
                    }

                    break;
            }
        }

        if (model is BatchTopK batchTopK && file.Contains("threshold"))
        {
            batchTopK.InferenceThreshold = file.ReadFloats("threshold")[0];
        }
    }

    /// <summary>Writes the checkpoint: everything that the next step depends on, in one file, so that it is whole or the last one.</summary>
    public void WriteState(SparseAutoencoder model, Adam adam, TrainingPosition position)
    {
        var tensors = new List<SafeTensor>();
        foreach (var parameter in model.Parameters)
        {
            long[] shape = [parameter.Value.Rows, parameter.Value.Columns];
            tensors.Add(SafeTensor.Create(parameter.Name, shape, parameter.Value.ToArray()));
            tensors.Add(SafeTensor.Create($"{parameter.Name}.first_moment", shape, parameter.FirstMoment.ToArray()));
            tensors.Add(SafeTensor.Create($"{parameter.Name}.second_moment", shape, parameter.SecondMoment.ToArray()));
        }

        tensors.Add(SafeTensor.Create("silent_batches", [model.Config.Latents], model.StepsSinceFired.ToArray()));
        tensors.Add(SafeTensor.Create<long>("position", [4], [position.Epoch, position.Batch, position.Step, adam.Steps]));
        if (model is BatchTopK { InferenceThreshold: { } threshold })
        {
            tensors.Add(SafeTensor.Create<double>("inference_threshold", [1], [threshold]));
        }

        SafetensorsWriter.Write(State, tensors);
    }

    /// <summary>Reads the checkpoint.</summary>
    /// <exception cref="DataException">It is damaged, or of another model.</exception>
    public TrainingPosition ReadState(SparseAutoencoder model, Adam adam)
    {
        using var file = SafetensorsFile.Open(State);
        foreach (var parameter in model.Parameters)
        {
            foreach (var (suffix, tensor) in new[]
            {
                (string.Empty, parameter.Value), (".first_moment", parameter.FirstMoment), (".second_moment", parameter.SecondMoment),
            })
            {
                file.Find(parameter.Name + suffix, tensor.Rows, tensor.Columns);
                tensor.Set(file.ReadFloats(parameter.Name + suffix));
            }
        }

        file.Find("silent_batches", model.Config.Latents);
        model.StepsSinceFired.CopyFrom(file.ReadInts("silent_batches"));
        file.Find("position", 4);
        var position = file.ReadLongs("position");
        adam.Steps = position[3];
        if (model is BatchTopK batchTopK && file.Contains("inference_threshold"))
        {
            batchTopK.InferenceThreshold = file.ReadDoubles("inference_threshold")[0];
        }

        return new TrainingPosition((int)position[0], position[1], position[2]);
    }

    private static float[] Transpose(float[] values, int rows, int columns)
    {
        // Blocks, so that neither side walks memory a whole row apart at every element.
        const int Block = 32;
        var result = new float[values.Length];
        for (var i0 = 0; i0 < rows; i0 += Block)
        {
            for (var j0 = 0; j0 < columns; j0 += Block)
            {
                for (var i = i0; i < Math.Min(i0 + Block, rows); i++)
                {
                    for (var j = j0; j < Math.Min(j0 + Block, columns); j++)
                    {
                        result[((long)j * rows) + i] = values[((long)i * columns) + j];
                    }
                }
            }
        }

        return result;
    }

    private static string OneLine(Exception exception) => exception.Message.ReplaceLineEndings(" ");

    private static JsonObject ReadJson(string path)
    {
        try
        {
            return JsonNode.Parse(System.IO.File.ReadAllText(path)) as JsonObject
                ?? throw new DataException($"{path}: is no JSON object");
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new DataException(
                exception is FileNotFoundException or DirectoryNotFoundException ? $"{path}: there is no such file" : $"{path}: {OneLine(exception)}",
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

/// <summary>Where in a run a checkpoint was made.</summary>
/// <param name="Epoch">The epoch of the next batch, from 0.</param>
/// <param name="Batch">The next batch of that epoch, from 0.</param>
/// <param name="Step">Steps made.</param>
public readonly record struct TrainingPosition(int Epoch, long Batch, long Step);

/// <summary>What results.json holds.</summary>
/// <param name="Model">What was trained.</param>
/// <param name="Training">How.</param>
/// <param name="Steps">Steps made.</param>
/// <param name="FinalStep">The last step's metrics.</param>
/// <param name="Splits">The final figures of every split that was evaluated.</param>
public sealed record TrainingResults(
    SaeConfig Model, TrainingOptions Training, long Steps, StepMetrics FinalStep, IReadOnlyDictionary<string, EvaluationSummary> Splits);
