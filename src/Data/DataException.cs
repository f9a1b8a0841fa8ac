namespace MonoLoss.Data;

/// <summary>
/// A file or its content is not as expected. The message is one line for the user: it names the file (and column and row, if any), what was
/// found and what was expected.
/// </summary>
public sealed class DataException : Exception
{
    /// <summary>Creates the exception. Control characters, which a damaged file may have in a name, become '?'.</summary>
    /// <param name="message">The message.</param>
    /// <param name="inner">The cause; may be null.</param>
    public DataException(string message, Exception? inner = null)
        : base(OneLine(message), inner)
    {
    }

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
