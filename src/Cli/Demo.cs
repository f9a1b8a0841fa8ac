using CommandLine;

namespace MonoLoss.Cli;

[Verb("demo", HelpText = "Train with and without MonoLoss on synthetic features, side by side, in under a minute.")]
internal sealed class Demo : Command
{
    [Option("out", Default = "demo", MetaValue = "DIR", HelpText = "Where to.")]
    public string Output { get; set; } = string.Empty;

    public override int Run(Context context) => 0;
}
