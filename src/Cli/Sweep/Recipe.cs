using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.RegularExpressions;
using MonoLoss.Data;

namespace MonoLoss.Cli;

/// <summary>
/// A grid of training runs, read from YAML. A key is an option of train, a list means each of its values, and runs lists runs in place of
/// the grid, or adds to it and excludes from it.
/// </summary>
internal sealed partial class Recipe
{
    /// <summary>The key of the autoencoder.</summary>
    public const string Model = "model";

    /// <summary>The value of a switch that is given.</summary>
    public const string True = "true";

    private const string False = "false";
    private const string RunsKey = "runs";
    private const string AddKey = "add";
    private const string ExcludeKey = "exclude";
    private const string Resources = "recipes/";
    private const string Extension = ".yaml";
    private const int MaxRuns = 10_000;
    private const int MaxNameLength = 120;
    private const int MaxValueLength = 40;

    // Where a run is written and computed is the sweep's business.
    private static readonly string[] OfTheSweep = ["out", "resume", "skip-existing", "device", "threads", "tf32"];

    private static readonly Dictionary<string, CommandOption> TrainOptions = Options.Of(typeof(TrainCommand))
        .Where(option => !OfTheSweep.Contains(option.Key)).ToDictionary(option => option.Key);

    private readonly string _name;
    private readonly IReadOnlyDictionary<string, string> _variables;
    private readonly HashSet<string> _used = [];

    private Recipe(string name, RecipeNode root, IReadOnlyDictionary<string, string> variables)
    {
        (_name, _variables) = (name, variables);
        if (root is not RecipeMap map)
        {
            throw Failure(root.Line, $"found {Kind(root)}, expected keys with values, such as model: [batch_topk, topk]");
        }

        var expanded = Expand(map);
        if (variables.Keys.FirstOrDefault(variable => !_used.Contains(variable)) is { } unused)
        {
            throw new UsageException($"--set: {name} has no ${{{unused}}}");
        }

        Runs = Name([.. expanded.DistinctBy(run => run.Identity)]);
    }

    /// <summary>The autoencoder that train has without --model.</summary>
    public static string DefaultModel { get; } = (string)TrainOptions[Model].Attribute.Default;

    /// <summary>The names of the recipes that come with the program.</summary>
    public static IReadOnlyList<string> BuiltIn { get; } =
    [
        .. typeof(Recipe).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Resources, StringComparison.Ordinal))
            .Select(name => name[Resources.Length..^Extension.Length]).Order(StringComparer.Ordinal),
    ];

    /// <summary>The runs, different ones, in the order of the recipe.</summary>
    public IReadOnlyList<SweepRun> Runs { get; }

    /// <summary>Reads a recipe.</summary>
    /// <param name="path">The file; if there is none, the name of one that comes with the program.</param>
    /// <param name="variables">What ${NAME} in it stands for.</param>
    /// <exception cref="DataException">It cannot be read, or is not a recipe: one line that names the line and the key.</exception>
    /// <exception cref="UsageException">There is no such recipe, or it does not have a variable.</exception>
    public static Recipe Read(string path, IReadOnlyDictionary<string, string> variables)
    {
        if (Directory.Exists(path))
        {
            throw new UsageException($"{path} is a folder, expected a recipe in YAML");
        }

        var builtIn = File.Exists(path) ? null : BuiltIn.FirstOrDefault(name => path == name || path == name + Extension)
            ?? throw new UsageException($"{path}: no such file{Options.Suggest(path, BuiltIn)}; "
                + $"the recipes that come along are {string.Join(", ", BuiltIn)}");
        try
        {
            using var content = builtIn is null
                ? File.OpenRead(path)
                : typeof(Recipe).Assembly.GetManifestResourceStream($"{Resources}{builtIn}{Extension}")!;
            return new Recipe(path, RecipeNode.Read(path, content), variables);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot be read: {exception.Message}", exception);
        }
    }

    private static string Kind(RecipeNode node) => node switch
    {
        RecipeList => "a list",
        RecipeMap => "a mapping",
        RecipeText { Value: null } => "nothing",
        RecipeText text => $"'{text.Value}'",
        _ => throw new ArgumentException("an unknown node", nameof(node)),
    };

    private IEnumerable<SweepRun> Expand(RecipeMap root)
    {
        var grid = Grid(root.Entries.Where(entry => entry.Key != RunsKey));
        switch (root.Entries.FirstOrDefault(entry => entry.Key == RunsKey)?.Value)
        {
            case null:
                return Product([grid], root.Line);
            case RecipeList list:
                return Product([.. Overlays(RunsKey, list, grid)], list.Line);
            case RecipeMap block:
                if (block.Entries.FirstOrDefault(entry => entry.Key is not (AddKey or ExcludeKey)) is { } unknown)
                {
                    throw Failure(unknown.Line, $"{RunsKey}: unknown key {unknown.Key}"
                        + $"{Options.Suggest(unknown.Key, [AddKey, ExcludeKey])}, expected {AddKey} and {ExcludeKey}");
                }

                var kept = Excluding(grid, block);
                var added = block.Entries.FirstOrDefault(entry => entry.Key == AddKey) is { } add
                    ? Product([.. Overlays(AddKey, add.Value, grid)], add.Line)
                    : [];
                return kept.Concat(added);
            case var other:
                throw Failure(other.Line, $"{RunsKey}: found {Kind(other)}, expected a list of runs, or {AddKey} and {ExcludeKey}");
        }
    }

    private List<SweepRun> Excluding(List<Axis> grid, RecipeMap block)
    {
        var runs = Product([grid], block.Line);
        if (block.Entries.FirstOrDefault(entry => entry.Key == ExcludeKey) is not { } exclude)
        {
            return runs;
        }

        foreach (var map in Maps(ExcludeKey, exclude.Value))
        {
            var axes = Grid(map.Entries);
            if (axes.Find(axis => !grid.Exists(other => other.Option == axis.Option)) is { } foreign)
            {
                throw Failure(map.Line, $"{ExcludeKey}: {foreign.Option.Key} is not a key of the grid, so it excludes nothing");
            }

            var excluded = runs.RemoveAll(run => axes.TrueForAll(
                axis => axis.Choices.Exists(choice => choice.Text == run.Text(axis.Option.Key))));
            if (excluded == 0)
            {
                throw Failure(map.Line, $"{ExcludeKey}: no run of the grid has these values, so it excludes nothing");
            }
        }

        return runs;
    }

    /// <summary>Grids that have the values of the common one but where an entry has others.</summary>
    private IEnumerable<List<Axis>> Overlays(string key, RecipeNode list, List<Axis> common) => Maps(key, list).Select(map =>
    {
        var own = Grid(map.Entries);
        return (List<Axis>)
        [
            .. common.Select(axis => own.Find(other => other.Option == axis.Option) ?? axis),
            .. own.Where(axis => !common.Exists(other => other.Option == axis.Option)),
        ];
    });

    private IEnumerable<RecipeMap> Maps(string key, RecipeNode node)
    {
        if (node is not RecipeList { Items.Count: > 0 } list)
        {
            throw Failure(node.Line, $"{key}: found {(node is RecipeList ? "an empty list" : Kind(node))}, "
                + "expected a list of runs, such as - {model: topk, mono-coef: 0.1}");
        }

        return list.Items.Select(item => item is RecipeMap { Entries.Count: > 0 } map
            ? map
            : throw Failure(item.Line, $"{key}: found {Kind(item)}, expected a run, such as - {{model: topk, mono-coef: 0.1}}"));
    }

    private List<Axis> Grid(IEnumerable<RecipeEntry> entries) => [.. entries.Select(Axis)];

    private Axis Axis(RecipeEntry entry)
    {
        if (OfTheSweep.Contains(entry.Key))
        {
            throw Failure(entry.Line, $"{entry.Key}: is not for recipes: "
                + (entry.Key is "resume" or "skip-existing" ? "a sweep always continues" : $"give --{entry.Key} to sweep"));
        }

        if (!TrainOptions.TryGetValue(entry.Key, out var option))
        {
            var keys = TrainOptions.Keys.Append(RunsKey);
            throw Failure(entry.Line, $"unknown key {entry.Key}{Options.Suggest(entry.Key.TrimStart('-'), keys)}, "
                + $"expected an option of train without its dashes, or {RunsKey}");
        }

        if (entry.Value is RecipeList { Items.Count: 0 })
        {
            throw Failure(entry.Value.Line, $"{entry.Key}: found an empty list, expected {Expected(option)}");
        }

        var choices = entry.Value is RecipeList list
            ? list.Items.Select(item => Choice(option, item)).ToList()
            : [Choice(option, entry.Value)];
        var twice = choices.GroupBy(choice => choice.Text).FirstOrDefault(same => same.Count() > 1);
        return twice is null
            ? new Axis(option, choices)
            : throw Failure(twice.Last().Line, $"{entry.Key}: {twice.Key} is given twice");
    }

    private SweepSetting Choice(CommandOption option, RecipeNode node)
    {
        IReadOnlyList<RecipeNode> nodes = node is RecipeList { Items.Count: > 0 } list && option.IsList ? list.Items : [node];
        return new SweepSetting(option, [.. nodes.Select(each => Value(option, each))], node.Line);
    }

    private string Value(CommandOption option, RecipeNode node)
    {
        if (node is not RecipeText { Value: { Length: > 0 } text })
        {
            throw Failure(node.Line, $"{option.Key}: found {(node is RecipeText ? "nothing" : Kind(node))}, expected {Expected(option)}");
        }

        text = Variable().Replace(text, match =>
        {
            var name = match.Groups[1].Value;
            _used.Add(name);
            return _variables.TryGetValue(name, out var value)
                ? value
                : throw Failure(node.Line, $"{option.Key}: ${{{name}}} has no value: add --set {name}={option.Attribute.MetaValue}");
        });
        if (option.IsSwitch)
        {
            return text is True or False ? text : throw Failure(node.Line, $"{option.Key}: found '{text}', expected {Expected(option)}");
        }

        if (text.Any(char.IsControl))
        {
            throw Failure(node.Line, $"{option.Key}: found '{text}', expected {option.Attribute.MetaValue} without control characters");
        }

        if (!NumberText.IsNumber(option.Type))
        {
            return text;
        }

        return NumberText.Expected(option.Type, text) is { } expected
            ? throw Failure(node.Line, $"{option.Key}: found '{text}', expected {expected}")
            // One number has one text, so that 3e-4 and 0.0003 are the same run.
            : option.Type == typeof(double)
                ? double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture).ToString("R", CultureInfo.InvariantCulture)
                : long.Parse(text, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture);
    }

    private static string Expected(CommandOption option) =>
        option.IsSwitch ? $"{True} or {False}" : $"{option.Attribute.MetaValue.TrimEnd('…')} or a list of them";

    private List<SweepRun> Product(IReadOnlyList<List<Axis>> grids, int line)
    {
        var total = 0L;
        foreach (var grid in grids)
        {
            // Stops before a product could overflow.
            var product = 1L;
            foreach (var axis in grid)
            {
                product = Math.Min(product * axis.Choices.Count, MaxRuns + 1);
            }

            total += product;
            if (total > MaxRuns)
            {
                throw Failure(line, $"more than {MaxRuns} runs; shorten the lists");
            }
        }

        return
        [
            .. grids.SelectMany(grid => grid.Aggregate(
                (IEnumerable<IReadOnlyList<SweepSetting>>)[[]],
                (runs, axis) => [.. runs.SelectMany(run => axis.Choices.Select(choice => (SweepSetting[])[.. run, choice]))]))
                .Select(settings => new SweepRun(string.Empty, settings)),
        ];
    }

    /// <summary>
    /// Names runs by their model and the keys that vary among the runs of that model, so that a name says what is particular about a run
    /// and stays when values are added.
    /// </summary>
    private static IReadOnlyList<SweepRun> Name(IReadOnlyList<SweepRun> runs)
    {
        var varying = runs.GroupBy(run => run.Model).ToDictionary(
            model => model.Key,
            model => model.SelectMany(run => run.Settings.Select(setting => setting.Key)).Distinct()
                .Where(key => key != Model && model.Select(run => run.Text(key)).Distinct().Count() > 1).ToList());
        List<SweepRun> named =
        [
            .. runs.Select(run => run with
            {
                Name = NameOf(run, varying[run.Model]),
                GroupName = NameOf(run, varying[run.Model].Where(key => key != "seed")),
                FamilyName = NameOf(run, varying[run.Model].Where(key => key is not ("seed" or "mono-coef"))),
            }),
        ];

        // Texts that differ only in what a name cannot have, or cannot have on Windows.
        var taken = named.GroupBy(run => run.Name, StringComparer.OrdinalIgnoreCase)
            .Where(same => same.Count() > 1).Select(same => same.Key).ToHashSet(StringComparer.OrdinalIgnoreCase);
        return [.. named.Select(run => taken.Contains(run.Name) || run.Name.Length > MaxNameLength
            ? run with { Name = $"{run.Name[..Math.Min(run.Name.Length, MaxNameLength)]}_{Hash(run.Identity)}" }
            : run)];
    }

    private static string NameOf(SweepRun run, IEnumerable<string> keys) => string.Join('_', keys
        .Select(key => run.Settings.FirstOrDefault(setting => setting.Key == key)).OfType<SweepSetting>()
        .Select(setting => $"{setting.Key}={Safe(setting.Text.ToLowerInvariant())}")
        .Prepend(Safe(run.Model)));

    private static string Safe(string text)
    {
        var safe = Unsafe().Replace(text, "-").Trim('-', '.');
        return safe.Length > MaxValueLength ? safe[^MaxValueLength..].TrimStart('-', '.') : safe;
    }

    private static string Hash(string text) =>
        XxHash32.HashToUInt32(Encoding.UTF8.GetBytes(text)).ToString("x8", CultureInfo.InvariantCulture);

    private DataException Failure(int line, string message) => new($"{_name}:{line}: {message}");

    [GeneratedRegex(@"\$\{([A-Za-z_][A-Za-z0-9_-]*)\}")]
    private static partial Regex Variable();

    [GeneratedRegex("[^A-Za-z0-9._+-]+")]
    private static partial Regex Unsafe();
}

/// <summary>A key of a recipe with all its values.</summary>
/// <param name="Option">The option of train.</param>
/// <param name="Choices">Its values, at least one.</param>
internal sealed record Axis(CommandOption Option, List<SweepSetting> Choices);
