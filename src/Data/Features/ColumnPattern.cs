using System.Globalization;
using System.Text.RegularExpressions;

namespace MonoLoss.Data;

/// <summary>
/// Selects columns by name: parts with commas between them, each a name, a pattern of * and ?, a range such as <c>0..23</c> or
/// <c>f[0-767]</c>, or one of these after <c>!</c>, whose columns are left out.
/// </summary>
internal static partial class ColumnPattern
{
    private static readonly string[] IdNames = ["id", "ids", "idx", "index", "uid", "uuid", "guid", "key", "row", "rowid", "row_number"];

    /// <summary>Whether a text is more than the name of one column.</summary>
    public static bool IsPattern(string text) =>
        FilePatterns.IsPattern(text) || text.Contains(',', StringComparison.Ordinal) || Range().IsMatch(text) || Brackets().IsMatch(text);

    /// <summary>Selects columns.</summary>
    /// <param name="file">The file.</param>
    /// <param name="text">What to select.</param>
    /// <param name="labels">Whether a name is that of labels, which a pattern leaves out.</param>
    /// <param name="leftOut">Receives the columns that a pattern left out for their names, labels and pandas' index aside.</param>
    /// <returns>The columns, in the order of the numbers in their names.</returns>
    /// <exception cref="DataException">There is no such column, or one holds no number.</exception>
    public static IReadOnlyList<string> Select(ColumnTable file, string text, Func<string, bool> labels, ICollection<string> leftOut)
    {
        // A name may have a comma itself, such as those of pandas' levels of columns.
        var whole = FilePatterns.IsPattern(text) && file.Names.Any(name => FilePatterns.Matches(text, name));
        string[] parts = whole ? [text] : text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var excluded = parts.Where(part => part[0] == '!').SelectMany(part => Find(file, text, part[1..], column => true))
            .ToHashSet(StringComparer.Ordinal);
        var selected = new SortedSet<string>(Comparer<string>.Create(NaturalOrder.Compare));
        foreach (var column in parts.Where(part => part[0] != '!').SelectMany(part => Find(file, text, part, IsFeature)))
        {
            if (!excluded.Contains(column))
            {
                selected.Add(column);
            }
        }

        foreach (var column in selected)
        {
            if (file.Other(column) is { } other)
            {
                throw new DataException($"{file.Path}: column '{column}' is taken by '{text}' but holds {other}, expected a number; "
                    + $"leave it out with '{text},!{column}'");
            }
        }

        return [.. selected];

        bool IsFeature(string column)
        {
            if (excluded.Contains(column) || labels(column) || file.IsIndex(column))
            {
                return false;
            }

            if (IsId(column))
            {
                leftOut.Add(column);
                return false;
            }

            return true;
        }
    }

    /// <summary>Whether a column is one of ids, by its name.</summary>
    public static bool IsId(string name) => IdNames.Contains(name, StringComparer.OrdinalIgnoreCase)
        || name.EndsWith("_id", StringComparison.OrdinalIgnoreCase) || name.EndsWith("_idx", StringComparison.OrdinalIgnoreCase)
        || name.EndsWith("_index", StringComparison.OrdinalIgnoreCase);

    // What is named in full is taken whatever its name; what a wildcard matches must look like a feature.
    private static IEnumerable<string> Find(ColumnTable file, string text, string part, Func<string, bool> isFeature)
    {
        if (file.Find(part) is { } column)
        {
            return [column];
        }

        if (Bounds(part) is not { } range)
        {
            return FilePatterns.IsPattern(part)
                ? file.Names.Where(column => FilePatterns.Matches(part, column) && isFeature(column))
                : throw Missing(file, text, part);
        }

        return Expand(file, text, range, isFeature);
    }

    private static IEnumerable<string> Expand(
        ColumnTable file, string text, NumberRange range, Func<string, bool> isFeature)
    {
        if (range.Last < range.First)
        {
            throw new DataException($"{file.Path}: the range of columns in '{text}' ends before it begins");
        }

        for (var number = range.First; number <= range.Last; number++)
        {
            var name = range.Before + number.ToString(CultureInfo.InvariantCulture).PadLeft(range.Width, '0') + range.After;
            if (Bounds(name) is { } inner)
            {
                foreach (var column in Expand(file, text, inner, isFeature))
                {
                    yield return column;
                }
            }
            else if (file.Find(name) is { } column)
            {
                yield return column;
            }
            else
            {
                var matches = FilePatterns.IsPattern(name)
                    ? file.Names.Where(column => FilePatterns.Matches(name, column) && isFeature(column)).ToList()
                    : [];
                if (matches.Count == 0)
                {
                    throw Missing(file, text, name);
                }

                foreach (var match in matches)
                {
                    yield return match;
                }
            }
        }
    }

    private static DataException Missing(ColumnTable file, string text, string name) => new(
        $"{file.Path}: no column '{name}' as in '{text}'; the columns are: {file.Describe()}");

    private static NumberRange? Bounds(string part)
    {
        var match = Range().Match(part) is { Success: true } range ? range : Brackets().Match(part);
        if (!match.Success
            || !long.TryParse(match.Groups["first"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            || !long.TryParse(match.Groups["last"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            || last == long.MaxValue)
        {
            return null;
        }

        // Leading zeros in the first number are those of all: f[000-767].
        var digits = match.Groups["first"].ValueSpan;
        var width = digits.Length > 1 && digits[0] == '0' ? digits.Length : 1;
        return new NumberRange(match.Groups["before"].Value, first, last, width, match.Groups["after"].Value);
    }

    [GeneratedRegex(@"^(?<before>.*?)(?<first>[0-9]+)\.\.(\k<before>)?(?<last>[0-9]+)(?<after>)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Range();

    [GeneratedRegex(@"^(?<before>[^\[\]]*)\[(?<first>[0-9]+)(-|\.\.)(?<last>[0-9]+)\](?<after>.*)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Brackets();

    private sealed record NumberRange(string Before, long First, long Last, int Width, string After);
}
