namespace MonoLoss.Data;

/// <summary>
/// A file, or what is in it, is not what it should be. The message is one line that names the file (and the column and row where
/// there is one), what was found and what was expected: it is meant to be shown to the user as it is.
/// </summary>
public sealed class DataException : Exception
{
    /// <summary>Makes the exception; control characters, which a damaged file may have put into a name, become '?'.</summary>
    /// <param name="message">The line.</param>
    /// <param name="inner">What caused it.</param>
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

/// <summary>Bytes that cannot be decoded. Whoever knows the file and the column turns it into a <see cref="DataException"/>.</summary>
internal class CorruptException(string message) : Exception(message);

/// <summary>Bytes that end before what they hold does.</summary>
internal sealed class EndOfDataException(string what) : CorruptException($"{what} ends early");
