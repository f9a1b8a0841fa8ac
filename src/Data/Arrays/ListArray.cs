namespace MonoLoss.Data;

/// <summary>A list of texts, or of integers, that a file has beside its arrays: one dimension, in memory already.</summary>
internal sealed class ListArray : StoredArray
{
    private readonly Func<int, string>? _text;
    private readonly Func<int, long>? _integer;

    private ListArray(string path, string name, ElementType type, int count, Func<int, string>? text, Func<int, long>? integer)
        : base(path, name, type, [count]) => (_text, _integer) = (text, integer);

    /// <summary>A list of texts.</summary>
    public static ListArray OfTexts(string path, string name, int count, Func<int, string> text) =>
        new(path, name, ElementType.Text, count, text, null);

    /// <summary>A list of integers.</summary>
    public static ListArray OfIntegers(string path, string name, int count, Func<int, long> integer) =>
        new(path, name, ElementType.Int64, count, null, integer);

    private protected override void ReadNumbersCore<T>(long firstRow, Span<T> target)
    {
        for (var i = 0; i < target.Length; i++)
        {
            target[i] = NumberConversion<long, T>.Convert(_integer!((int)firstRow + i));
        }
    }

    private protected override void ReadTextsCore(long firstRow, Span<string> target)
    {
        for (var i = 0; i < target.Length; i++)
        {
            target[i] = _text!((int)firstRow + i);
        }
    }
}
