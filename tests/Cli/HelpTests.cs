using System.Reflection;
using CommandLine;
using MonoLoss.Cli;
using MonoLoss.Models;

namespace MonoLoss.Tests.Cli;

public sealed class HelpTests
{
    [Fact]
    public void TheOverviewNamesEveryVerb()
    {
        foreach (var args in new[] { Array.Empty<string>(), ["--help"], ["-h"], ["help"] })
        {
            var overview = Monoloss.Run(args).Succeeded().Output;
            Assert.All(new[] { "train", "eval", "score", "devices", "demo" }, verb => Assert.Matches($"(?m)^  {verb} ", overview));
        }
    }

    [Fact]
    public void TheTrainPageNamesEveryOption()
    {
        const string Options = "train val test dataset-config features-column label-column model latents k untied normalize batch-size "
            + "epochs lr adam-eps max-grad-norm aux-coef aux-k l1-coef bandwidth mono-coef mono-period dead-after dead-check-interval seed "
            + "device tf32 threads memory out resume skip-existing init no-shuffle eval-every log-every checkpoint-every quiet";
        var page = Monoloss.Run("train", "--help").Succeeded().Output;
        Assert.Equal(page, Monoloss.Run("help", "train").Succeeded().Output);
        Assert.All(Options.Split(' '), option => Assert.Matches($@"(?m)^  --{option}\s", page));
        Assert.All(page.Split('\n'), line => Assert.True(line.TrimEnd().Length <= 100, line));
    }

    [Fact]
    public void TheDefaultsAreTheOfficialOnes()
    {
        var model = new SaeConfig { Architecture = Architecture.BatchTopK, Dimension = 1 };
        var training = new TrainingOptions { Train = [], Output = string.Empty };
        var defaults = HelpPage.Options(typeof(TrainCommand)).ToDictionary(option => option.Property.Name, option => option.Attribute.Default);
        foreach (var (record, property) in typeof(SaeConfig).GetProperties().Select(property => ((object)model, property))
            .Concat(typeof(TrainingOptions).GetProperties().Select(property => ((object)training, property))))
        {
            if (defaults.TryGetValue(property.Name, out var value) && value is not null)
            {
                Assert.Equal(property.GetValue(record), value);
            }
        }

        Assert.Equal(8192, defaults["Latents"]);
        Assert.Equal("batch_topk", typeof(TrainCommand).GetProperty("Model")!.GetCustomAttribute<OptionAttribute>()!.Default);
    }

    [Fact]
    public void Version_option_prints_the_version() => Assert.Matches(@"^monoloss \d+\.\d+\.\d+\s*$", Monoloss.Run("--version").Succeeded().Output);

    [Theory]
    [InlineData("1", 1)]
    [InlineData("512M", 512L << 20)]
    [InlineData("8G", 8L << 30)]
    [InlineData("1.5k", 1536)]
    [InlineData("2GiB", 2L << 30)]
    [InlineData("3MB", 3L << 20)]
    public void Byte_sizes_are_parsed(string text, long bytes) => Assert.Equal(bytes, ByteSize.Parse("--memory", text));

    [Theory]
    [InlineData("")]
    [InlineData("G")]
    [InlineData("-1")]
    [InlineData("0")]
    [InlineData("1e3")]
    [InlineData("9999999999T")]
    public void Invalid_byte_sizes_are_refused(string text) => Assert.Throws<UsageException>(() => ByteSize.Parse("--memory", text));
}
