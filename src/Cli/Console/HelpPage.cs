using System.Globalization;
using System.Reflection;
using CommandLine;
using CommandLine.Text;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>
/// The overview of all commands, and a page for each command. The pages group options in sections, which the parser's HelpText cannot do.
/// </summary>
internal static class HelpPage
{
    private const int Width = 100;

    /// <summary>A command's name on the command line.</summary>
    public static string Name(Type command) => command.GetCustomAttribute<VerbAttribute>()!.Name;

    /// <summary>Where a command's options are explained, for messages.</summary>
    public static string Hint(Type command) => $"see monoloss {Name(command)} --help";

    /// <summary>Writes what the program does and its commands.</summary>
    public static void WriteOverview(CliContext context, Type[] commands)
    {
        var help = new HelpText("monoloss trains sparse autoencoders with MonoLoss on features stored in Parquet files.\n")
        {
            AutoHelp = false,
            AutoVersion = false,
            AddDashesToOption = false,
            AdditionalNewLineAfterOption = false,
            MaximumDisplayWidth = Width,
        };
        help.AddPreOptionsLines(["  monoloss COMMAND [options]", "  monoloss COMMAND --help"]);
        help.AddVerbs(commands);
        help.AddPostOptionsLine("Start with:  monoloss demo");
        context.WriteLine(help);
    }

    /// <summary>Writes a command's page.</summary>
    public static void WriteCommand(CliContext context, Type command)
    {
        context.WriteLine($"monoloss {Name(command)}: {command.GetCustomAttribute<VerbAttribute>()!.HelpText}");
        context.WriteLine();
        context.WriteLine($"  {Usage(command)}");
        var options = Options.Of(command);
        var defaults = ((Command)Activator.CreateInstance(command)!).DefaultSettings;
        var rows = options.Select(option => (Option: option, Left: Left(option), Right: Right(option, defaults))).ToList();
        var column = rows.Select(row => row.Left.Length).DefaultIfEmpty().Max();
        Grid? grid = null;
        foreach (var (option, left, right) in rows)
        {
            if (grid is null || option.Property.IsDefined(typeof(SectionAttribute)))
            {
                WriteGrid(context, grid);
                context.WriteLine();
                if (option.Property.GetCustomAttribute<SectionAttribute>() is { } section)
                {
                    context.WriteLine(section.Title);
                }

                grid = new Grid().AddColumn(new GridColumn { Width = column, NoWrap = true, Padding = new Padding(2, 0, 2, 0) })
                    .AddColumn(new GridColumn { Padding = new Padding(0) });
            }

            grid.AddRow(new Text(left), new Text(right));
        }

        WriteGrid(context, grid);
    }

    /// <summary>How a command is called: its required options, and whether it has others.</summary>
    private static string Usage(Type command)
    {
        var options = Options.Of(command);
        var required = options.Where(option => option.Attribute.Required)
            .OrderByDescending(option => option.IsPositional)
            .Select(option => option.IsPositional ? $" {option.Attribute.MetaValue}" : $" {Left(option)}").ToList();
        return $"monoloss {Name(command)}{string.Concat(required)}{(options.Count > required.Count ? " [options]" : string.Empty)}";
    }

    private static void WriteGrid(CliContext context, Grid? grid)
    {
        if (grid is not null)
        {
            context.Write(grid, Width);
        }
    }

    private static string Left(CommandOption option) => option.IsSwitch ? option.Flag : $"{option.Flag} {option.Attribute.MetaValue}";

    private static string Right(CommandOption option, IReadOnlyList<object> settings)
    {
        var value = option.Attribute.Default
            ?? settings.Select(set => option.Target(set.GetType())?.GetValue(set)).FirstOrDefault(value => value is not null);
        // A help text may end with a default of its own.
        return option.IsSwitch || value is null or "" || option.Attribute.HelpText.EndsWith(']')
            ? option.Attribute.HelpText
            : string.Create(
                CultureInfo.InvariantCulture, $"{option.Attribute.HelpText} [{(value is Enum ? EnumText.Of(value) : value)}]");
    }
}
