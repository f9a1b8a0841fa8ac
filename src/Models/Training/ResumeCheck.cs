using System.Collections;
using System.Globalization;
using System.Text.Json;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>
/// Checks, before anything is loaded, that a run can go on from a checkpoint: the model, the settings that the weights depend on and the
/// training data must be those that the run began with. How far it goes, what it evaluates and where files are may change.
/// </summary>
/// <param name="folder">The folder with the checkpoint.</param>
/// <param name="options">The settings now.</param>
internal sealed class ResumeCheck(RunFolder folder, TrainingOptions options)
{
    // What may change, and whether a complete run is then evaluated anew.
    private static readonly Dictionary<string, bool> MayChange = new()
    {
        [nameof(TrainingOptions.Train)] = false,
        [nameof(TrainingOptions.Output)] = false,
        [nameof(TrainingOptions.Epochs)] = true,
        [nameof(TrainingOptions.CheckpointEvery)] = false,
        [nameof(TrainingOptions.EvalEvery)] = true,
        [nameof(TrainingOptions.Samples)] = true,
        [nameof(TrainingOptions.Vocabulary)] = true,
        [nameof(TrainingOptions.VocabularyColumn)] = true,
        [nameof(TrainingOptions.Validation)] = true,
        [nameof(TrainingOptions.Test)] = true,
        [nameof(TrainingOptions.LabelColumn)] = true,
        [nameof(TrainingOptions.ReadLabels)] = true,
        [nameof(TrainingOptions.LabelsFile)] = true,
        [nameof(TrainingOptions.ValidationLabelsFile)] = true,
        [nameof(TrainingOptions.TestLabelsFile)] = true,
        // Follows from the data, which have fingerprints.
        [nameof(TrainingOptions.FeatureNames)] = false,
        [nameof(TrainingOptions.Resume)] = false,
        [nameof(TrainingOptions.SkipExisting)] = false,
    };

    /// <summary>Checks a checkpoint.</summary>
    /// <param name="config">The model's configuration now.</param>
    /// <param name="train">The training set now.</param>
    /// <returns>Whether all is done already: as many epochs, and the same evaluations.</returns>
    /// <exception cref="ConfigurationException">The run cannot go on: one line that says what has changed.</exception>
    /// <exception cref="DataException">A file of the run is missing or damaged, or the training data are others.</exception>
    public bool IsDone(SaeConfig config, FeatureSet train)
    {
        var (model, training) = folder.ReadConfig();
        if (model.Dimension != config.Dimension)
        {
            throw new DataException($"{train.Files[0]}: its features have {config.Dimension} dimensions, "
                + $"those that the run in {folder.Path} was trained on {model.Dimension}");
        }

        var differences = Differences(model, config).Concat(training is null ? [] : Differences(training, options)).ToList();
        RequireNone(differences.Where(property => !MayChange.ContainsKey(property.Name)).ToList());

        var (position, data) = folder.ReadPosition();
        CheckData(train, position, data);
        CheckEpochs(position, training);
        return folder.IsComplete && training is not null && position.Epoch == options.Epochs
            && !differences.Exists(property => MayChange[property.Name]);
    }

    /// <summary>
    /// Whether two settings give the same run and the same results, apart from where these are written and how often it is saved.
    /// </summary>
    /// <param name="stored">The settings of a run.</param>
    /// <param name="now">Others.</param>
    public static bool AreSame<T>(T stored, T now) => Differences(stored, now).All(property => property.Name is
        nameof(TrainingOptions.Output) or nameof(TrainingOptions.CheckpointEvery) or nameof(TrainingOptions.FeatureNames)
            or nameof(TrainingOptions.ReadLabels) or nameof(TrainingOptions.Resume) or nameof(TrainingOptions.SkipExisting));

    private static List<(string Name, string Was, string Now)> Differences<T>(T stored, T now) =>
    [
        .. typeof(T).GetProperties().Where(property => property.CanWrite)
            .Select(property => (property.Name, Was: Text(property.GetValue(stored)), Now: Text(property.GetValue(now))))
            .Where(property => property.Was != property.Now),
    ];

    private static string Text(object? value) => value switch
    {
        null => "the default",
        true => "set",
        false => "not set",
        Architecture architecture => architecture.Name(),
        Enum choice => JsonNamingPolicy.KebabCaseLower.ConvertName(choice.ToString()),
        string text => text,
        IEnumerable list => string.Join(", ", list.Cast<object?>().Select(Text).DefaultIfEmpty("none")),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private void RequireNone(List<(string Name, string Was, string Now)> differences)
    {
        if (differences.Count > 0)
        {
            throw new ConfigurationException(
                $"{folder.Path} contains a run with other settings: "
                    + string.Join(", ", differences.Select(property => $"{property.Name} was {property.Was}, now {property.Now}")),
                [.. differences.Select(property => property.Name)]);
        }
    }

    private void CheckData(FeatureSet train, TrainingPosition position, IReadOnlyList<FileFingerprint>? data)
    {
        if (data is not null)
        {
            RequireSame(train, data);
        }

        // All that checkpoints of older versions can show is that their steps are not those that these rows give.
        var perEpoch = train.Rows / options.BatchSize;
        if (position.Batch > perEpoch || position.Step != (position.Epoch * perEpoch) + position.Batch)
        {
            throw new DataException($"{train.Files[0]}: {train.Rows} training rows give {perEpoch} steps per epoch, which does not fit "
                + $"the checkpoint in {folder.Path}: {position.Step} steps, of them {position.Batch} in epoch {position.Epoch + 1L}");
        }
    }

    private void RequireSame(FeatureSet train, IReadOnlyList<FileFingerprint> data)
    {
        var now = train.Fingerprints;
        var same = now.Zip(data).TakeWhile(pair => pair.First == pair.Second).Count();
        if (same == now.Count && same == data.Count)
        {
            return;
        }

        var first = same < now.Count ? train.Files[same] : train.Files[^1];
        // Numbers from a file may have any size.
        var rows = data.Sum(file => (decimal)file.Rows);
        if (rows != train.Rows || now.Count != data.Count)
        {
            throw new DataException($"{first}: the run in {folder.Path} was trained on other data: "
                + $"{rows} rows in {Files(data.Count)}, now {train.Rows} rows in {Files(now.Count)}");
        }

        throw new DataException(now.OrderBy(file => file.Hash).SequenceEqual(data.OrderBy(file => file.Hash))
            ? $"{first}: the run in {folder.Path} was trained on the same files in another order"
            : $"{first}: not the file that the run in {folder.Path} was trained on: its footer differs");
    }

    private static string Files(int count) => count == 1 ? "1 file" : $"{count} files";

    private void CheckEpochs(TrainingPosition position, TrainingOptions? training)
    {
        if (training is { LearningRateDecay: not LearningRateDecay.None } && training.Epochs != options.Epochs)
        {
            throw new ConfigurationException(
                $"{folder.Path}: with LearningRateDecay the learning rate of every step depends on Epochs, "
                    + $"which was {training.Epochs}, now {options.Epochs}",
                nameof(TrainingOptions.LearningRateDecay),
                nameof(TrainingOptions.Epochs));
        }

        var begun = position.Epoch + (position.Batch > 0 ? 1 : 0);
        if (begun > options.Epochs)
        {
            throw new ConfigurationException(
                $"{folder.Path} has done {(position.Batch > 0 ? $"a part of epoch {begun}" : $"{begun} epochs")} already: "
                    + $"Epochs must be at least {begun}, but is {options.Epochs}",
                nameof(TrainingOptions.Epochs));
        }
    }
}
