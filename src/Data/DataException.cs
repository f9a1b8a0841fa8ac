namespace MonoLoss.Data;

/// <summary>
/// A file cannot be read or written, or its contents are invalid. The message is one line that names the file (and the column and row
/// where there is one), what was found and what was expected; it is meant to be shown to the user as it is.
/// </summary>
public sealed class DataException : Exception
{
    /// <summary>Creates the exception. Control characters, which a damaged file may have put into a name, become '?'.</summary>
    /// <param name="message">The line to show.</param>
    /// <param name="inner">The cause, if another exception is.</param>
    /// <param name="property">
    /// The property of <see cref="FeatureSetOptions"/> or <see cref="BatchOptions"/> that the message mentions, if it does.
    /// </param>
    public DataException(string message, Exception? inner = null, string? property = null)
        : base(OneLine(message), inner) => Property = property;

    /// <summary>
    /// The property of <see cref="FeatureSetOptions"/> or <see cref="BatchOptions"/> that the message mentions, so that a user interface
    /// can replace it by its own name; null for none.
    /// </summary>
    public string? Property { get; }

    private static string OneLine(string message) =>
        string.Create(message.Length, message, static (line, source) =>
        {
            for (var i = 0; i < line.Length; i++)
            {
                line[i] = char.IsControl(source[i]) ? '?' : source[i];
            }
        });
}

/// <summary>Bytes that cannot be decoded. Code that knows the file and the column turns it into a <see cref="DataException"/>.</summary>
internal class CorruptException(string message) : Exception(message);

/// <summary>Bytes that end too early.</summary>
internal sealed class EndOfDataException(string what) : CorruptException($"{what} ends early");
