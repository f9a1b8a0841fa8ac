using System.Globalization;
using System.Reflection;
using CommandLine;

namespace MonoLoss.Cli;

/// <summary>The overview of all verbs, and a page for each with its options in sections.</summary>
internal static class HelpPage
{
    private const int Width = 100;

    /// <summary>A verb's name on the command line.</summary>
    public static string Name(Type verb) => verb.GetCustomAttribute<VerbAttribute>()!.Name;

    /// <summary>A verb's options, in the order of the source.</summary>
    public static IEnumerable<(PropertyInfo Property, OptionAttribute Attribute)> Options(Type verb) => verb.GetProperties()
        .OrderBy(property => property.MetadataToken)
        .Select(property => (Property: property, Attribute: property.GetCustomAttribute<OptionAttribute>()!))
        .Where(option => option.Attribute is not null);

    /// <summary>
    /// An option as it is written. The parser knows names of one letter only as -k; here every name begins with two dashes.
    /// </summary>
    public static string Flag(OptionAttribute attribute) =>
        $"--{(attribute.LongName.Length > 0 ? attribute.LongName : attribute.ShortName)}";

    /// <summary>Writes what the program does and its verbs.</summary>
    public static void WriteOverview(CliContext context, IReadOnlyList<Type> verbs)
    {
        context.WriteLine("monoloss trains sparse autoencoders with MonoLoss on features kept in Parquet files.");
        context.WriteLine();
        context.WriteLine("  monoloss COMMAND [options]");
        context.WriteLine("  monoloss COMMAND --help");
        context.WriteLine();
        foreach (var verb in verbs)
        {
            context.WriteLine($"  {Name(verb),-10}{verb.GetCustomAttribute<VerbAttribute>()!.HelpText}");
        }

        context.WriteLine();
        context.WriteLine("Begin with:  monoloss demo");
    }

    /// <summary>Writes a verb's page.</summary>
    public static void WriteVerb(CliContext context, Type verb)
    {
        context.WriteLine($"monoloss {Name(verb)}: {verb.GetCustomAttribute<VerbAttribute>()!.HelpText}");
        var options = Options(verb).ToList();
        var column = options.Max(option => Left(option.Property, option.Attribute).Length) + 2;
        foreach (var (property, attribute) in options)
        {
            if (property.GetCustomAttribute<SectionAttribute>() is { } section)
            {
                context.WriteLine();
                context.WriteLine(section.Title);
            }

            var left = Left(property, attribute).PadRight(column);
            foreach (var line in Wrap(Right(property, attribute), Width - column))
            {
                context.WriteLine(left + line);
                left = new string(' ', column);
            }
        }
    }

    private static string Left(PropertyInfo property, OptionAttribute attribute) =>
        property.PropertyType == typeof(bool) ? $"  {Flag(attribute)}" : $"  {Flag(attribute)} {attribute.MetaValue}";

    private static string Right(PropertyInfo property, OptionAttribute attribute) =>
        attribute.Default is null || property.PropertyType == typeof(bool)
            ? attribute.HelpText
            : $"{attribute.HelpText} [{string.Format(CultureInfo.InvariantCulture, "{0}", attribute.Default)}]";

    private static IEnumerable<string> Wrap(string text, int width)
    {
        while (text.Length > width && text.LastIndexOf(' ', width) is > 0 and var space)
        {
            yield return text[..space];
            text = text[(space + 1)..];
        }

        yield return text;
    }
}
