namespace MonoLoss.Cli;

/// <summary>
/// Reads the arguments of a command strictly, where the parser would guess or ignore, and brings them into the one form that it reads as
/// they were meant.
/// </summary>
internal static class Arguments
{
    /// <summary>
    /// Checks arguments and normalizes them. Options are written --name VALUE or --name=VALUE; -k 32, -k32 and -k=32 are the same.
    /// </summary>
    /// <param name="command">The command.</param>
    /// <param name="args">The arguments after its name.</param>
    /// <returns>Arguments for the parser.</returns>
    /// <exception cref="UsageException">
    /// An option is unknown, lacks its value, or is given twice; a number is not written as one; or an argument is neither
    /// an option nor the value of one.
    /// </exception>
    public static string[] Normalize(Type command, IReadOnlyList<string> args)
    {
        try
        {
            var given = Read(command, args);
            foreach (var option in given.Select(argument => argument.Option).Distinct())
            {
                Check(option, [.. given.Where(argument => argument.Option == option).Select(argument => argument.Value)]);
            }

            return [.. given.SelectMany(argument => ForParser(argument.Option, argument.Value))];
        }
        catch (UsageException exception)
        {
            throw new UsageException($"{HelpPage.Name(command)}: {exception.Message}");
        }
    }

    private static List<(CommandOption Option, string? Value)> Read(Type command, IReadOnlyList<string> args)
    {
        var options = Options.Of(command);
        var given = new List<(CommandOption Option, string? Value)>();
        CommandOption? list = null;
        for (var i = 0; i < args.Count; i++)
        {
            if (!LooksLikeOption(args[i]))
            {
                var target = list ?? options.FirstOrDefault(option => option.IsPositional)
                    ?? throw new UsageException($"unexpected argument '{args[i]}'; {HelpPage.Hint(command)}");
                given.Add((target, args[i]));
                continue;
            }

            var (option, value) = Find(options, args[i]) ?? throw new UsageException(
                $"unknown option {args[i]}{Options.Suggest(args[i], options.Select(option => option.Flag))}; {HelpPage.Hint(command)}");
            if (option.IsSwitch && value is not null)
            {
                throw new UsageException($"{option.Flag} takes no value, but is given '{value}'");
            }

            if (!option.IsSwitch && value is null)
            {
                value = i + 1 < args.Count && !LooksLikeOption(args[i + 1])
                    ? args[++i]
                    : throw new UsageException($"{option.Flag} needs a value: {option.Attribute.MetaValue}"
                        + Hint(options, option, args.ElementAtOrDefault(i + 1)));
            }

            given.Add((option, value));
            list = option.IsList ? option : null;
        }

        return given;
    }

    /// <summary>A text that starts with a dash and is neither a negative number nor the dash alone.</summary>
    private static bool LooksLikeOption(string text) =>
        text.Length > 1 && text[0] == '-' && !(char.IsAsciiDigit(text[1]) || text[1] == '.');

    /// <summary>How to write a value that starts with a dash, if the next argument may be one.</summary>
    private static string Hint(IReadOnlyList<CommandOption> options, CommandOption option, string? next) =>
        next is null || NumberText.IsNumber(option.Type) || next.StartsWith("--", StringComparison.Ordinal)
            || Find(options, next) is not null
            ? string.Empty
            : $" (write {option.Flag}={next})";

    /// <summary>The option of an argument, and the value that is written in the same argument; null if there is no such option.</summary>
    private static (CommandOption Option, string? Value)? Find(IReadOnlyList<CommandOption> options, string argument)
    {
        var equals = argument.IndexOf('=', StringComparison.Ordinal);
        var (name, value) = equals < 0 ? (argument, null) : (argument[..equals], argument[(equals + 1)..]);
        if (options.FirstOrDefault(option => option.Matches(name)) is { } whole)
        {
            return (whole, value);
        }

        // -k32: a short option with its value.
        return options.FirstOrDefault(option => argument[1] != '-' && option.Matches(argument[..2]) && char.IsAsciiDigit(argument[2]))
            is { } attached
            ? (attached, argument[2..])
            : null;
    }

    private static void Check(CommandOption option, IReadOnlyList<string?> values)
    {
        if (values.Count > 1 && !option.IsList)
        {
            throw new UsageException($"{option.Flag} is given {values.Count} times");
        }

        if (NumberText.IsNumber(option.Type) && NumberText.Expected(option.Type, values[0]!) is { } expected)
        {
            throw new UsageException($"{option.Flag}: found '{values[0]}', expected {expected}");
        }

        if (values.FirstOrDefault(value => value is "" || value?.Contains('\0', StringComparison.Ordinal) == true) is { } empty)
        {
            throw new UsageException($"{option.Flag}: found '{empty}', expected {option.Attribute.MetaValue}");
        }
    }

    /// <summary>The parser takes a value with a dash only after an equals sign, and after one nothing that starts with a space.</summary>
    private static string[] ForParser(CommandOption option, string? value) =>
        value is null ? [option.Flag] : value[0] == '-' ? [$"{option.Flag}={value}"] : [option.Flag, value];
}
