using MonoLoss.Cli;

namespace MonoLoss.Tests.Cli;

/// <summary>Numbers on the command line: one notation, in every option of every command, in every form of an option.</summary>
public sealed class NumberTests
{
    private static readonly Type[] Commands =
    [
        typeof(TrainCommand), typeof(EvalCommand), typeof(ScoreCommand), typeof(ReportCommand), typeof(DemoCommand),
        typeof(DevicesCommand),
    ];

    public static TheoryData<string, string, bool> NumericOptions()
    {
        var options = new TheoryData<string, string, bool>();
        foreach (var command in Commands)
        {
            foreach (var option in Options.Of(command).Where(option => NumberText.IsNumber(option.Type)))
            {
                options.Add(HelpPage.Name(command), option.Flag, option.Type != typeof(double));
            }
        }

        return options;
    }

    [Theory]
    [MemberData(nameof(NumericOptions))]
    public void What_another_culture_writes_is_refused(string command, string flag, bool integer)
    {
        string[] wrong =
        [
            "0,001", "1,5", "1,000", "1 000", "1\u00a0000", "1_000", "1'000",
        " 1", "1 ", "+1", "0x10", "#10", "1e", "e5", ".", "1.2.3", "1d",
            "1f", "NaN", "Infinity", "∞", "١", "１", "−1", "(1)", "$1", "1%", "1\n",
        ];
        string[] whole = integer ? ["1.0", "1e3", "99999999999999999999", "-99999999999999999999"] : ["1e400", "-1e400", "1e-400"];
        foreach (var text in wrong.Concat(whole))
        {
            Monoloss.Run(command, flag, text).Refused(flag, "found", "expected");
            Monoloss.Run(command, $"{flag}={text}").Refused(flag, "found", "expected");
        }

        Monoloss.Run(command, flag, "1", $"{flag}=1").Refused(flag, "2 times");
        Monoloss.Run(command, flag).Refused(flag, "needs a value");
    }

    [Theory]
    [InlineData("0.001")]
    [InlineData("1e-3")]
    [InlineData("1E+20")]
    [InlineData("-1")]
    [InlineData(".5")]
    [InlineData("-.5")]
    [InlineData("6.25E-10")]
    [InlineData("0e0")]
    [InlineData("0.0")]
    public void What_the_invariant_culture_writes_is_a_number(string text) => Assert.Null(NumberText.Expected(typeof(double), text));

    [Theory]
    [InlineData(typeof(int), "2147483647", true)]
    [InlineData(typeof(int), "-2147483648", true)]
    [InlineData(typeof(int), "2147483648", false)]
    [InlineData(typeof(long), "9223372036854775807", true)]
    [InlineData(typeof(long), "9223372036854775808", false)]
    public void Integers_are_in_the_range_of_their_type(Type type, string text, bool fits) =>
        Assert.Equal(fits, NumberText.Expected(type, text) is null);

    [UnixFact]
    public void Messages_have_the_same_notation_in_every_culture()
    {
        using var process = Monoloss.Start(
            "unset LC_ALL LC_MESSAGES; export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=0 LANG=de_DE.UTF-8", "demo", "--mono-coef", "-0.5");
        Monoloss.Finish(process).Refused("--mono-coef must be positive, but is -0.5");
    }

    [Theory]
    [InlineData("-k", "1,5")]
    [InlineData("-k1,5")]
    [InlineData("-k=1,5")]
    [InlineData("--k=1,5")]
    public void A_short_option_is_read_as_strictly(params string[] args) => Monoloss.Run(["train", .. args]).Refused("--k", "'1,5'");

    [Theory]
    [InlineData("-k", "17")]
    [InlineData("-k17")]
    [InlineData("-k=17")]
    [InlineData("--k=17")]
    public void A_short_option_may_have_its_value_attached(params string[] args) =>
        Monoloss.Run(["train", "--train", "absent", "--latents", "16", .. args]).Refused("--k 17 exceeds --latents 16");

    [Theory]
    [InlineData("1,5G")]
    [InlineData("1 G")]
    [InlineData(" 1G")]
    [InlineData("+1G")]
    [InlineData("1_0G")]
    [InlineData("١G")]
    public void A_size_is_read_as_strictly(string text) => Assert.Throws<UsageException>(() => ByteSize.Parse("--memory", text));
}
