namespace MonoLoss.Data;

/// <summary>An array whose elements are not read. It is refused when it is asked for; the others of the file can be read.</summary>
/// <param name="path">The file.</param>
/// <param name="name">The array.</param>
/// <param name="shape">The dimensions.</param>
/// <param name="type">The type as the file names it.</param>
/// <param name="problem">Why it is not read.</param>
internal sealed class UnreadableArray(string path, string name, IReadOnlyList<long> shape, string type, string problem)
    : StoredArray(path, name, ElementType.Unreadable, shape)
{
    /// <inheritdoc/>
    public override string TypeText => type;

    /// <inheritdoc/>
    public override string? Problem => problem;

    private protected override void ReadNumbersCore<T>(long firstRow, Span<T> target) => throw new NotSupportedException();

    private protected override void ReadTextsCore(long firstRow, Span<string> target) => throw new NotSupportedException();
}
