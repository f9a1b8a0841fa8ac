using MonoLoss.Cli;
using MonoLoss.Data;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>What recipes stand for, and which are refused.</summary>
public sealed class RecipeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    /// <summary>A recipe, and the names of its runs.</summary>
    public static TheoryData<string, string[]> Expansions => new()
    {
        { "train: a", ["batch_topk"] },
        { "train: a\nmodel: topk\nseed: 3", ["topk"] },
        { "train: a\nseed: [1, 2]", ["batch_topk_seed=1", "batch_topk_seed=2"] },
        {
            "train: a\nmodel: [batch_topk, topk]\nmono-coef: [0, 3e-4]\nseed: [1]",
            ["batch_topk_mono-coef=0", "batch_topk_mono-coef=0.0003", "topk_mono-coef=0", "topk_mono-coef=0.0003"]
        },
        { "train: a\nnormalize: [true, false]", ["batch_topk_normalize=true", "batch_topk_normalize=false"] },
        { "train: [a/x.npy, [b.npy, c.npy]]", ["batch_topk_train=a-x.npy", "batch_topk_train=b.npy-c.npy"] },
        // What another model alone has is not part of a name.
        {
            "train: a\nruns:\n- {model: topk, mono-coef: [0, 0.1], dead-check-interval: 10}\n- {model: vanilla}",
            ["topk_mono-coef=0", "topk_mono-coef=0.1", "vanilla"]
        },
        // An entry keeps the lists that it does not replace, and two that are the same are one run.
        {
            "train: a\nseed: [1, 2]\nruns:\n- k: 3\n- {k: 5, seed: 4}\n- {seed: 4, k: 5}",
            ["batch_topk_seed=1_k=3", "batch_topk_seed=2_k=3", "batch_topk_seed=4_k=5"]
        },
        { "train: a\nk: [1, 2]\nruns:\n  add:\n  - k: [2, 3]", ["batch_topk_k=1", "batch_topk_k=2", "batch_topk_k=3"] },
        {
            "train: a\nk: [1, 2]\nseed: [1, 2]\nruns:\n  exclude:\n  - {k: 2, seed: [2, 3]}\n  add:\n  - {k: 4, seed: 1}",
            ["batch_topk_k=1_seed=1", "batch_topk_k=1_seed=2", "batch_topk_k=2_seed=1", "batch_topk_k=4_seed=1"]
        },
        { "train: a\nfeatures-column: ['f*', \"f_*\"]", ["batch_topk_features-column=f", "batch_topk_features-column=f_"] },
    };

    /// <summary>A recipe that is none, and what its line says.</summary>
    public static TheoryData<string, string[]> Bad => new()
    {
        { "", ["is empty"] },
        { "# nothing", ["is empty"] },
        { "just words", [":1:", "'just words'", "keys with values"] },
        { "- a\n- b", [":1:", "a list"] },
        { "train: a\nmodel: [topk", [":3:", "is not YAML"] },
        { "train: a\n\tmodel: topk", [":2:", "is not YAML"] },
        { "train: 'a", ["is not YAML"] },
        { "train: a: b", [":1:", "is not YAML"] },
        { "{{{{", ["is not YAML"] },
        { "train: a\n---\ntrain: b", [":2:", "second document"] },
        { "train: a\nseeds: 1", [":2:", "unknown key seeds", "did you mean seed?"] },
        { "train: a\nmono_coef: 1", [":2:", "unknown key mono_coef", "did you mean mono-coef?"] },
        { "train: a\n--seed: 1", [":2:", "unknown key --seed", "did you mean seed?", "without its dashes"] },
        { "train: a\nseed: 1\nseed: 2", [":3:", "seed", "twice", "line 2"] },
        { "train: a\nseed:", [":2:", "seed", "nothing"] },
        { "train: a\nseed: []", [":2:", "seed", "empty list"] },
        { "train: a\nseed: [1, 2, 1]", [":2:", "seed", "1 is given twice"] },
        { "train: a\nlr: [1e-3, 0.001]", [":2:", "lr", "0.001 is given twice"] },
        { "train: a\nseed: [1, [2, 3]]", [":2:", "seed", "a list"] },
        { "train: a\nseed: {from: 1}", [":2:", "seed", "a mapping"] },
        { "train: [[a, [b]]]", [":1:", "train", "a list"] },
        { "train: a\nseed: 1.5", [":2:", "seed", "'1.5'", "integer"] },
        { "train: a\nlr:\n- 1e-3\n- fast", [":4:", "lr", "'fast'", "a number such as"] },
        { "train: a\nlr: .inf", [":2:", "lr", "'.inf'"] },
        { "train: a\nnormalize: yes", [":2:", "normalize", "'yes'", "true or false"] },
        { "train: a\nout: b", [":2:", "out", "--out to sweep"] },
        { "train: a\nresume: true", [":2:", "resume"] },
        { "train: a\nthreads: 2", [":2:", "threads", "--threads to sweep"] },
        { "train: a\nmodel: [topk, topkk]", [":2:", "'topkk'", "expected one of"] },
        { "train: a\nmodel: topk\nk:\n- 3\n- 9000", [":5:", "--k 9000 exceeds --latents 8192"] },
        { "train: a\nlr: -1", [":2:", "--lr"] },
        { "model: topk", ["no training data"] },
        { "train: a\nruns: 3", [":2:", "runs", "'3'"] },
        { "train: a\nruns: []", [":2:", "runs", "an empty list"] },
        { "train: a\nruns:\n- 3", [":3:", "runs", "'3'", "expected a run"] },
        { "train: a\nruns:\n- sede: 3", [":3:", "sede"] },
        { "train: a\nruns:\n  ad:\n  - k: 3", [":3:", "ad", "did you mean add?"] },
        { "train: a\nruns:\n  add: {k: 3}", [":3:", "add", "a mapping"] },
        { "train: a\nk: 3\nruns:\n  exclude:\n  - k: 4", [":5:", "exclude", "excludes nothing"] },
        { "train: a\nk: 3\nruns:\n  exclude:\n  - seed: 4", [":5:", "seed is not a key of the grid"] },
        { "train: ${data}/a", [":1:", "train", "${data}", "--set data="] },
        { "train: !!python/object:os.system a", [":1:", "tag"] },
        { "train: &a x\nval: *a", [":2:", "alias *a"] },
        { "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\ntrain: [*c,*c,*c]", ["alias *a"] },
        { "train: a\n? [1]\n: 2", [":2:", "a key that is not a word"] },
        { "train: \"a\\0b\"", [":1:", "train", "control characters"] },
        { "train: [[[[[[[[[[a]]]]]]]]]]", [":1:", "too deeply"] },
    };

    /// <summary>The weight of MonoLoss in METHOD.md's table: data, autoencoder, then CLIP, SigLIP2, ViT.</summary>
    public static TheoryData<string, string, string[]> Paper => new()
    {
        { "imagenet", "batch_topk", ["0.0003", "0.0001", "0.0004"] },
        { "imagenet", "topk", ["0.09", "0.14", "0.09"] },
        { "imagenet", "jumprelu", ["0.0005", "0.0001", "0.0007"] },
        { "imagenet", "vanilla", ["0.0001", "0.00003", "0.00009"] },
        { "openimages", "batch_topk", ["0.0005", "0.0002", "0.0007"] },
        { "openimages", "topk", ["0.5", "0.3", "0.9"] },
        { "openimages", "jumprelu", ["0.0005", "0.0001", "0.0005"] },
        { "openimages", "vanilla", ["0.0001", "0.00003", "0.0001"] },
    };

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Expansions))]
    public void Recipe_expands_to_named_runs(string recipe, string[] names) =>
        Assert.Equal(names, Read(recipe).Runs.Select(run => run.Name));

    [Theory]
    [MemberData(nameof(Bad))]
    public void Bad_recipe_is_refused_with_its_line_and_key(string recipe, string[] words)
    {
        Monoloss.Run("sweep", Write(recipe), "--out", _folder["out"]).Refused([.. words, "recipe.yaml"]);
        Assert.False(Directory.Exists(_folder["out"]));
    }

    [Fact]
    public void Recipe_that_is_no_text_or_too_large_or_absent_is_refused()
    {
        File.WriteAllBytes(_folder["bytes"], [0x74, 0xff, 0xfe, 0x00]);
        Monoloss.Run("sweep", _folder["bytes"], "--out", _folder["out"]).Refused("UTF-8");
        File.WriteAllText(_folder["large"], new string('#', 5 << 20));
        Monoloss.Run("sweep", _folder["large"], "--out", _folder["out"]).Refused("4 MiB");
        Monoloss.Run("sweep", _folder["absent"], "--out", _folder["out"]).Refused("no such file", "paper-imagenet-clip");
        Monoloss.Run("sweep", "paper-imagenet-clp", "--out", _folder["out"]).Refused("did you mean paper-imagenet-clip?");
        Monoloss.Run("sweep", AppContext.BaseDirectory, "--out", _folder["out"]).Refused("folder");
    }

    [Fact]
    public void Millions_of_runs_are_refused_before_they_are_made()
    {
        var numbers = string.Join(", ", Enumerable.Range(1, 1000));
        Monoloss.Run("sweep", Write($"train: a\nseed: [{numbers}]\nepochs: [{numbers}]"), "--out", _folder["out"])
            .Refused("recipe.yaml:1", "more than 10000 runs");
        var options = new[] { "seed", "epochs", "latents", "batch-size", "aux-k", "dead-after", "samples", "eval-every" };
        Monoloss.Run("sweep", Write("train: a\n" + string.Concat(options.Select(key => $"{key}: [{numbers}]\n"))), "--out", _folder["out"])
            .Refused("more than 10000 runs");
        Assert.Equal(1000, Read($"train: a\nseed: [{numbers}]").Runs.Count);
    }

    [Theory]
    [InlineData("a=b", "${a}")]
    [InlineData("x", "NAME=VALUE")]
    [InlineData("data=", "NAME=VALUE")]
    public void Variable_that_the_recipe_lacks_or_without_a_value_is_refused(string variable, string word) =>
        Monoloss.Run("sweep", Write("train: ${data}/t"), "--out", _folder["out"], "--set", "data=d", variable).Refused("--set", word);

    [Theory]
    [InlineData("--parallel", "0")]
    [InlineData("--max-r2-loss", "-1")]
    [InlineData("--threads", "-1")]
    public void Option_out_of_range_is_refused(string option, string value) =>
        Monoloss.Run("sweep", Write("train: a"), "--out", _folder["out"], option, value).Refused(option, value);

    [Fact]
    public void Variables_are_replaced_and_arguments_are_those_of_train()
    {
        var path = Write("train: ['${d}/a b', [x, -y]]\nuntied: true\nnormalize: false\nmodel: topk\nk: 3\nmono-coef: 1e-5");
        var runs = Recipe.Read(path, new Dictionary<string, string> { ["d"] = "in ${d}" }).Runs;
        string[] common = ["--untied", "--model", "topk", "--k", "3", "--mono-coef", "1E-05"];
        Assert.Equal(["--train", "in ${d}/a b", .. common], runs[0].Arguments);
        Assert.Equal(["--train=x", "--train=-y", .. common], runs[1].Arguments);
        Assert.Equal(["topk_train=in-d-a-b", "topk_train=x--y"], runs.Select(run => run.Name));
    }

    [Fact]
    public void Names_are_different_files_on_any_system_and_not_too_long()
    {
        var runs = Read($"train: a\nfeatures-column: ['f*', 'f?', F, f, '{new string('x', 300)}', '{new string('x', 301)}']").Runs;
        Assert.Equal(6, runs.Select(run => run.Name).Distinct(StringComparer.OrdinalIgnoreCase).Count());
        Assert.All(runs, run => Assert.True(run.Name.Length < 160, run.Name));
    }

    [Fact]
    public void Mutated_recipe_is_read_or_refused()
    {
        const string Seed = "train: [a, '${d}']\nmodel: [topk, 'vanilla']\n# c\nlr: 1e-3\nnormalize: true\nruns:\n  exclude:\n"
            + "  - {model: topk, lr: 0.001}\n  add:\n  - model: jumprelu\n    seed: [1, 2]\n  - k: &x 3\n";
        const string Characters = "[]{}:,-?&*!|>'\"%@`#~ \n\t\r\0a1\\\u0085\u2028\uFEFFé";
        var random = new Random(11);
        var read = 0;
        for (var i = 0; i < 3000; i++)
        {
            var text = Seed.ToList();
            for (var change = random.Next(1, 5); change > 0; change--)
            {
                var (at, character) = (random.Next(text.Count), Characters[random.Next(Characters.Length)]);
                switch (random.Next(3))
                {
                    case 0:
                        text[at] = character;
                        break;
                    case 1:
                        text.Insert(at, character);
                        break;
                    default:
                        text.RemoveRange(at, Math.Min(random.Next(1, 20), text.Count - at));
                        break;
                }
            }

            try
            {
                read += Recipe.Read(Write(string.Concat(text)), new Dictionary<string, string> { ["d"] = "b" }).Runs.Count > 0 ? 1 : 0;
            }
            catch (Exception exception) when (exception is DataException or UsageException)
            {
                Assert.DoesNotContain('\n', exception.Message);
            }
        }

        Assert.InRange(read, 100, 2900);
    }

    [Theory]
    [MemberData(nameof(Paper))]
    public void Paper_recipes_have_the_values_of_the_paper(string data, string model, string[] coefficients)
    {
        foreach (var (encoder, expected) in new[] { "clip", "siglip2", "vit" }.Zip(coefficients))
        {
            var recipe = Recipe.Read($"paper-{data}-{encoder}", new Dictionary<string, string> { ["features"] = "f" });
            Assert.Equal(8, recipe.Runs.Count);
            var pair = recipe.Runs.Where(run => run.Model == model).ToList();
            Assert.Equal([0, double.Parse(expected)], pair.Select(run => Settings(run).Model.MonoCoefficient));
            foreach (var (settings, training) in pair.Select(Settings))
            {
                Assert.Equal(
                    (8192, 64, 1e-3, model == "jumprelu", model == "jumprelu" ? 1e-3 : 1e-4),
                    (settings.Latents, settings.K, settings.Bandwidth, settings.Normalize, settings.L1Coefficient));
                Assert.Equal((2048, 50, 1e-4, 42), (training.BatchSize, training.Epochs, training.LearningRate, training.Seed));
                Assert.Equal(model == "topk" ? 10_000 : new MonoLoss.Models.StepOptions().DeadCheckInterval, training.DeadCheckInterval);
                Assert.Equal(("f/train*", "f/val*"), (Assert.Single(training.Train), Assert.Single(training.Test)));
            }
        }

        Assert.Equal(6, Recipe.BuiltIn.Count);
    }

    private static (MonoLoss.Models.SaeConfig Model, MonoLoss.Models.TrainingOptions Training) Settings(SweepRun run)
    {
        var (configure, training) = ((TrainCommand)Application.Parse(typeof(TrainCommand), [.. run.Arguments])).Settings();
        return (configure(1), training);
    }

    private string Write(string recipe)
    {
        File.WriteAllText(_folder["recipe.yaml"], recipe);
        return _folder["recipe.yaml"];
    }

    private Recipe Read(string recipe) => Recipe.Read(Write(recipe), new Dictionary<string, string>());
}
