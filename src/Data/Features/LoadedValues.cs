using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Values that were read at once, one per row.</summary>
/// <param name="Kind">What they are.</param>
/// <param name="TypeText">What they are stored as.</param>
/// <param name="Numbers">The numbers, if that is what they are; see <see cref="WholeNumber"/>.</param>
/// <param name="Texts">The texts, if that is what they are; null for a row without one.</param>
internal sealed record LoadedValues(LabelKind Kind, string TypeText, Int128[]? Numbers, string?[]? Texts)
{
    /// <summary>Number of rows.</summary>
    public int Count => Numbers?.Length ?? Texts!.Length;

    /// <summary>Texts as whole numbers, if all are or are empty; else as texts. An empty one is not a value.</summary>
    public static LoadedValues Of(IReadOnlyList<string> texts)
    {
        var numbers = new Int128[texts.Count];
        var found = false;
        for (var i = 0; i < numbers.Length; i++)
        {
            if (texts[i].Length == 0)
            {
                numbers[i] = WholeNumber.Missing;
            }
            else if (TryParse(texts[i], out numbers[i]))
            {
                found = true;
            }
            else
            {
                return new(LabelKind.Text, "text", null, [.. texts.Select(text => text.Length == 0 ? null : text)]);
            }
        }

        return new(LabelKind.Number, found ? "numbers" : "nothing", numbers, null);
    }

    /// <summary>The values of some rows as the column of a file.</summary>
    /// <param name="source">The file, whose row groups they have.</param>
    /// <param name="start">The row of these values that is the first of the file.</param>
    public ValueColumn For(FeatureSource source, long start = 0) => new Column(this, source, start);

    // pandas makes floats of integers where some are missing.
    private static bool TryParse(string text, out Int128 number)
    {
        const System.Globalization.NumberStyles Style = System.Globalization.NumberStyles.AllowLeadingSign
            | System.Globalization.NumberStyles.AllowLeadingWhite | System.Globalization.NumberStyles.AllowTrailingWhite;
        var invariant = System.Globalization.CultureInfo.InvariantCulture;
        if (Int128.TryParse(text, Style, invariant, out number))
        {
            return true;
        }

        if (!double.TryParse(text, Style | System.Globalization.NumberStyles.Float, invariant, out var value))
        {
            return false;
        }

        number = WholeNumber.FromDouble(value);
        return true;
    }

    private sealed class Column(LoadedValues values, FeatureSource source, long start) : ValueColumn
    {
        public override LabelKind Kind => values.Kind;

        public override string TypeText => values.TypeText;

        public override void Read(int rowGroup, ElementReader<Int128> take)
        {
            foreach (var value in Slice(values.Numbers!, rowGroup))
            {
                take(value, value == WholeNumber.Missing, true);
            }
        }

        public override void Read(int rowGroup, ElementReader<string> take)
        {
            foreach (var text in Slice(values.Texts!, rowGroup))
            {
                take(text ?? string.Empty, text is null, true);
            }
        }

        public override void Dispose()
        {
        }

        private ReadOnlySpan<T> Slice<T>(T[] all, int rowGroup) =>
            all.AsSpan((int)(start + source.FirstRow(rowGroup)), (int)source.RowGroups[rowGroup]);
    }
}
