using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>An option of a command.</summary>
/// <param name="Property">The command's property that it sets.</param>
/// <param name="Attribute">How it is written and described.</param>
internal sealed record CommandOption(PropertyInfo Property, OptionAttribute Attribute)
{
    /// <summary>The option as the user writes it.</summary>
    public string Flag => $"--{(Attribute.LongName.Length > 0 ? Attribute.LongName : Attribute.ShortName)}";

    /// <summary>The option without dashes, as recipes have it.</summary>
    public string Key => Flag[2..];

    /// <summary>Whether an argument is this option, in its long or its short form.</summary>
    public bool Matches(string argument) => argument == Flag || (Attribute.ShortName.Length > 0 && argument == $"-{Attribute.ShortName}");

    /// <summary>Whether it takes no value.</summary>
    public bool IsSwitch => Property.PropertyType == typeof(bool);

    /// <summary>Whether its value, or each of a list, may be given without its name.</summary>
    public bool IsPositional => Property.IsDefined(typeof(PositionalAttribute));

    /// <summary>Whether it takes any number of values, and may be repeated.</summary>
    public bool IsList => Property.PropertyType == typeof(IEnumerable<string>);

    /// <summary>The type of its value.</summary>
    public Type Type => Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType;

    /// <summary>
    /// The property of the library's settings with the same name and type, which the option sets; null if there is none. A text sets a
    /// choice (<see cref="EnumText"/>).
    /// </summary>
    public PropertyInfo? Target(Type settings) => settings.GetProperty(Property.Name) is { CanWrite: true } target
        && ((Nullable.GetUnderlyingType(target.PropertyType) ?? target.PropertyType) == Type
            || (Type == typeof(string) && EnumText.IsChoice(target.PropertyType))) ? target : null;
}

/// <summary>Connects options with the library's settings and with messages.</summary>
internal static class Options
{
    /// <summary>A command's options: first its own, then those that it shares with others, each in the order of the source.</summary>
    public static IReadOnlyList<CommandOption> Of(Type command) =>
    [
        .. command.GetProperties()
            .OrderBy(property => property.DeclaringType != command).ThenBy(property => property.MetadataToken)
            .Where(property => property.IsDefined(typeof(OptionAttribute)))
            .Select(property => new CommandOption(property, property.GetCustomAttribute<OptionAttribute>()!)),
    ];

    /// <summary>Sets the properties that have the name and type of an option. Options that were not given leave the default.</summary>
    /// <param name="command">The command with its options.</param>
    /// <param name="settings">The settings to change, which must not be shared yet.</param>
    /// <returns>The settings.</returns>
    /// <exception cref="UsageException">A text is none of a setting's choices.</exception>
    public static T ApplyTo<T>(this Command command, T settings)
        where T : class
    {
        foreach (var option in Of(command.GetType()))
        {
            if (option.Property.GetValue(command) is { } value)
            {
                var target = option.Target(typeof(T));
                target?.SetValue(
                    settings,
                    EnumText.IsChoice(target.PropertyType) ? EnumText.Parse(target.PropertyType, option.Flag, (string)value) : value);
            }
        }

        return settings;
    }

    /// <summary>
    /// The message of an exception as one line, with options in place of the library's names: LearningRate becomes --lr, or learning rate
    /// if the command has no such option.
    /// </summary>
    /// <param name="exception">The exception.</param>
    /// <param name="command">The command that was run; null if none was.</param>
    public static string Message(Exception exception, Type? command)
    {
        IReadOnlyList<string> names = exception switch
        {
            ConfigurationException configuration => configuration.Properties,
            DeviceException { Parameter: { } parameter } => [parameter],
            DataException { Property: { } property } => [property],
            _ => [],
        };
        var options = command is null ? [] : Of(command);
        var message = (exception is OutOfMemoryException ? "out of memory" : exception.Message).ReplaceLineEndings(" ");

        // A terminal obeys control characters in the name of a file.
        message = string.Concat(message.Select(c => char.IsControl(c) ? '?' : c));
        foreach (var name in names)
        {
            if (options.FirstOrDefault(option => option.IsSwitch && option.Property.Name == $"No{name}") is { } opposite)
            {
                message = Regex.Replace(
                    message,
                    $@"(?<![\w./\\-]){name} was (not )?set, now (not )?set",
                    match => $"{opposite.Flag} was {(match.Groups[1].Success ? "set, now not set" : "not set, now set")}");
                continue;
            }

            // Only whole words that are not part of a path. A command may lack an option for a setting that it makes itself.
            var option = options.FirstOrDefault(option => name.Equals(option.Property.Name, StringComparison.OrdinalIgnoreCase));
            var text = option?.Flag ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(name).Replace('_', ' ');
            message = Regex.Replace(message, $@"(?<![\w./\\-]){name}(?![\w/\\-])", text);
        }

        if (exception is OutOfMemoryException or DeviceMemoryException)
        {
            string[] sizes = [nameof(TrainingOptions.BatchSize), nameof(SaeConfig.Latents), nameof(TrainingOptions.MemoryBytes)];
            var flags = sizes[..(exception is OutOfMemoryException ? 3 : 2)]
                .Select(size => options.FirstOrDefault(option => option.Property.Name == size)?.Flag).OfType<string>().ToList();
            message += flags.Count > 0 ? $"; try a smaller {string.Join(" or ", flags)}" : string.Empty;
        }

        return message;
    }

    /// <summary>Describes what the parser rejected in one line.</summary>
    public static string Describe(IEnumerable<Error> errors, Type command)
    {
        var missing = errors.OfType<MissingRequiredOptionError>().Select(error => $"--{error.NameInfo.LongName}").ToList();
        var required = Of(command).Where(option => missing.Contains(option.Flag))
            .Select(option => $"{(option.IsPositional ? string.Empty : $"{option.Flag} ")}{option.Attribute.MetaValue}").ToList();
        return required.Count > 0
            ? $"{string.Join(" and ", required)} {(required.Count > 1 ? "are" : "is")} required; {HelpPage.Hint(command)}"
            : $"invalid command line ({errors.First().Tag}); {HelpPage.Hint(command)}";
    }

    /// <summary>Suggests the closest name, in parentheses; empty if none is close.</summary>
    public static string Suggest(string found, IEnumerable<string> names)
    {
        var (name, distance) = names.Select(name => (name, EditDistance(found, name))).DefaultIfEmpty((string.Empty, int.MaxValue))
            .MinBy(pair => pair.Item2);
        return distance <= Math.Max(1, (found.Length + 1) / 3) ? $" (did you mean {name}?)" : string.Empty;
    }

    /// <summary>Levenshtein distance.</summary>
    private static int EditDistance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j - 1], above) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
