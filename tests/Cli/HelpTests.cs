using System.Text.RegularExpressions;
using MonoLoss.Cli;
using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Tests.Cli;

/// <summary>Help pages, defaults, and the mapping from options to settings.</summary>
public sealed class HelpTests
{
    [Fact]
    public void Overview_lists_every_command()
    {
        string[][] lines = [[], ["--help"], ["-h"], ["help"], ["help", "help"], ["help", "--help"], ["--quiet", "--help"]];
        foreach (var args in lines)
        {
            var overview = Monoloss.Run(args).Succeeded().Output;
            string[] verbs =
            [
                "extract", "train", "sweep", "eval", "score", "report", "compare", "convert", "encode", "decode", "import", "export",
                "devices", "demo",
            ];
            Assert.All(verbs, verb => Assert.Matches($"(?m)^  {verb} ", overview));
        }
    }

    [Fact]
    public void Train_page_lists_every_option()
    {
        const string Names = "train val test dataset-config features-column label-column model latents k groups untied normalize "
            + "batch-size epochs lr adam-eps max-grad-norm aux-coef aux-k l1-coef bandwidth mono-coef mono-period dead-after "
            + "dead-check-interval seed "
            + "lr-warmup lr-decay lr-decay-steps l1-warmup mono-warmup k-start k-anneal "
            + "target-l0 b-dec-init aux-detach optimizer weight-decay "
            + "device tf32 threads memory out resume skip-existing init no-shuffle eval-every samples "
            + "vocabulary vocabulary-column log-every checkpoint-every quiet";
        var page = Monoloss.Run("train", "--help").Succeeded().Output;
        Assert.Equal(page, Monoloss.Run("help", "train").Succeeded().Output);
        Assert.All(Names.Split(' '), option => Assert.Matches($@"(?m)^  --{option}\s", page));
        Assert.All(page.Split('\n'), line => Assert.True(line.TrimEnd().Length <= 100, line));
        Assert.All(Architectures.Trained, architecture => Assert.Matches($@"(?s)--model .{{0,200}}\b{architecture.Name()}\b", page));
    }

    [Theory]
    [InlineData("model", "batch_topk")]
    [InlineData("latents", "8192")]
    [InlineData("k", "64")]
    [InlineData("mono-coef", "0")]
    [InlineData("batch-size", "2048")]
    [InlineData("epochs", "50")]
    [InlineData("lr", "0.0001")]
    [InlineData("adam-eps", "6.25E-10")]
    [InlineData("aux-coef", "0.03125")]
    [InlineData("dead-after", "10000000")]
    public void Train_page_shows_the_official_defaults(string option, string value) =>
        Assert.Matches(
            $@"(?m)^  --{option} [^[]*(\n    [^[]*)?\[{Regex.Escape(value)}\]\s*$", Monoloss.Run("train", "--help").Succeeded().Output);

    [Fact]
    public void Every_option_of_train_sets_the_setting_of_its_name_or_is_read_by_the_command()
    {
        string[] read =
        [
            "Train", "Validation", "Test", "DatasetConfigPath", "Rows", "Groups", "MemoryBytes", "NoLabels", "NoShuffle", "Architecture",
            "LogEvery", "Quiet", "Optimizer",
            "DeviceName", "Tf32", "Threads",
        ];
        var settings = new TrainCommand().DefaultSettings;
        Assert.Equal(
            read.Order(),
            Options.Of(typeof(TrainCommand)).Where(option => settings.All(set => option.Target(set.GetType()) is null))
                .Select(option => option.Property.Name).Order());
    }

    [Fact]
    public void ApplyTo_sets_what_was_given_and_leaves_the_defaults()
    {
        var command = new TrainCommand { K = 3, AuxK = 7, LearningRate = 0.5, Untied = true };
        var model = command.ApplyTo(new SaeConfig { Architecture = Architecture.TopK, Dimension = 5 });
        Assert.Equal(new SaeConfig { Architecture = Architecture.TopK, Dimension = 5, K = 3, AuxK = 7, Untied = true }, model);
        var training = command.ApplyTo(new TrainingOptions { Train = [], Output = "run" });
        Assert.Equal(0.5, training.LearningRate);
        Assert.Equal("run", training.Output);
    }

    [Fact]
    public void Message_names_the_options_of_the_command_and_leaves_paths_alone()
    {
        var exception = new ConfigurationException("a/Latents/K.parquet: K 5 exceeds Latents, or BatchSize.", "K", "Latents");
        Assert.Equal("a/Latents/K.parquet: --k 5 exceeds --latents, or BatchSize.", Options.Message(exception, typeof(TrainCommand)));
        Assert.Equal("a/Latents/K.parquet: k 5 exceeds latents, or BatchSize.", Options.Message(exception, typeof(DevicesCommand)));
        Assert.Equal("no column 'a b?c'", Options.Message(new UsageException("no column 'a\nb\u001bc'"), command: null));
        Assert.Equal(
            "gpu is out of memory: 3 bytes requested with 2 bytes in use of 4 bytes; try a smaller --batch-size or --latents",
            Options.Message(new DeviceMemoryException("gpu", 3, new DeviceMemory(4, 2, 2)), typeof(TrainCommand)));
    }

    [Theory]
    [InlineData("devices")]
    [InlineData("report")]
    [InlineData("sweep")]
    [InlineData("eval")]
    public void Help_anywhere_shows_the_page_of_the_command(string command)
    {
        var page = Monoloss.Run("help", command).Succeeded().Output;
        Assert.Matches($@"(?m)^  monoloss {command}\b", page);
        foreach (var args in new[] { [command, "--help"], [command, "-h"], ["--help", command], new[] { command, "--bad", "x", "--help" } })
        {
            Assert.Equal(page, Monoloss.Run(args).Succeeded().Output);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public void Help_is_complete_in_a_narrow_terminal(int width)
    {
        var help = Monoloss.RunOnTerminal(width, "train", "--help").Succeeded();
        Assert.Contains("--threads N", help.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Version_prints_the_version() =>
        Assert.Equal($"monoloss {BuildInfo.Version}", Monoloss.Run("--version").Succeeded().Output.Trim());

    [Theory]
    [InlineData("1", 1)]
    [InlineData("512M", 512L << 20)]
    [InlineData("8G", 8L << 30)]
    [InlineData("1.5k", 1536)]
    [InlineData("2GiB", 2L << 30)]
    [InlineData("3MB", 3L << 20)]
    public void ByteSize_parses_units(string text, long bytes) => Assert.Equal(bytes, ByteSize.Parse("--memory", text));

    [Theory]
    [InlineData("")]
    [InlineData("G")]
    [InlineData("-1")]
    [InlineData("0")]
    [InlineData("1e3")]
    [InlineData("9999999999T")]
    public void ByteSize_rejects_what_is_not_a_size(string text) => Assert.Throws<UsageException>(() => ByteSize.Parse("--memory", text));
}
