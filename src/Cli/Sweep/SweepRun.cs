using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>An option of a run with its value.</summary>
/// <param name="Option">The option of train.</param>
/// <param name="Values">The value as train takes it; of an option that takes several, all of them.</param>
/// <param name="Line">The line of the recipe.</param>
internal sealed record SweepSetting(CommandOption Option, IReadOnlyList<string> Values, int Line)
{
    /// <summary>The key in a recipe.</summary>
    public string Key => Option.Key;

    /// <summary>The value as one text.</summary>
    public string Text => string.Join(' ', Values);

    /// <summary>The setting as arguments of train.</summary>
    public IEnumerable<string> Arguments => Option.IsSwitch
        ? Values[0] == Recipe.True ? [Option.Flag] : []
        // Apart from numbers, a value with a dash is only taken for one after an equals sign.
        : Values.Any(value => value[0] == '-') ? Values.Select(value => $"{Option.Flag}={value}")
        : Values.Prepend(Option.Flag);
}

/// <summary>A run of a sweep.</summary>
/// <param name="Name">The name of its folder.</param>
/// <param name="Settings">What the recipe says of it.</param>
internal sealed record SweepRun(string Name, IReadOnlyList<SweepSetting> Settings)
{
    private const string MonoCoefficient = "mono-coef";
    private const string Seed = "seed";

    /// <summary>The settings as one text, by which runs are told apart.</summary>
    public string Identity => IdentityWithout();

    /// <summary>The settings but the seed: runs that have it in common differ by chance alone.</summary>
    public string Group => IdentityWithout(Seed);

    /// <summary>The settings but the seed and the weight of MonoLoss: what is compared with one baseline.</summary>
    public string Family => IdentityWithout(Seed, MonoCoefficient);

    /// <summary>The name without the seed.</summary>
    public string GroupName { get; init; } = Name;

    /// <summary>The name without the seed and the weight of MonoLoss.</summary>
    public string FamilyName { get; init; } = Name;

    /// <summary>The seed; empty for the default.</summary>
    public string SeedText => Text(Seed) ?? string.Empty;

    /// <summary>The autoencoder; the default if the recipe does not say.</summary>
    public string Model => Text(Recipe.Model) ?? Recipe.DefaultModel;

    /// <summary>The arguments of train, without its name and without where to run and write.</summary>
    public IReadOnlyList<string> Arguments => [.. Settings.SelectMany(setting => setting.Arguments)];

    /// <summary>The text of a setting; null if the recipe does not have it for this run.</summary>
    public string? Text(string key) => Settings.FirstOrDefault(setting => setting.Key == key)?.Text;

    private string IdentityWithout(params string[] keys) => string.Join('\n', Settings
        .Where(setting => !keys.Contains(setting.Key))
        .Select(setting => $"{setting.Key}={string.Join('\0', setting.Values)}")
        .Order(StringComparer.Ordinal));
}

/// <summary>A run of a sweep with its folder and what train makes of its settings.</summary>
/// <param name="Run">The run.</param>
/// <param name="Folder">Its folder.</param>
/// <param name="Configure">The model's configuration, given the number of features.</param>
/// <param name="Options">How it is trained.</param>
internal sealed record PlannedRun(SweepRun Run, string Folder, Func<int, SaeConfig> Configure, TrainingOptions Options)
{
    /// <summary>Whether the run is complete, with these settings.</summary>
    public bool IsDone
    {
        get
        {
            try
            {
                return new RunFolder(Folder).IsCompleteRunOf(Configure, Options);
            }
            catch (MonoLoss.Data.DataException)
            {
                // Train says what is wrong with it.
                return false;
            }
        }
    }

    /// <summary>
    /// The arguments of train, its name first. A run that is complete with other settings is resumed: train goes on to more epochs, and
    /// says what it cannot change.
    /// </summary>
    public IReadOnlyList<string> Command =>
    [
        HelpPage.Name(typeof(TrainCommand)), .. Run.Arguments, $"--out={Folder}",
        new RunFolder(Folder) is { IsComplete: true, HasCheckpoint: true } && !IsDone ? "--resume" : "--skip-existing",
    ];
}
