using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>
/// A process's claim to be the only one that writes into a run folder: a file, .lock, that it holds open. The system releases it when the
/// process ends, however it does. Reading the folder needs no claim.
/// </summary>
/// <param name="folder">The run folder.</param>
public sealed class RunLock(string folder) : IDisposable
{
    /// <summary>What <see cref="ClaimExisting"/> says, after the folder, where another process has claimed it.</summary>
    public const string InUse = "is in use: another process is writing to it";

    private const string Name = ".lock";

    // EWOULDBLOCK on Linux and on macOS; ERROR_SHARING_VIOLATION.
    private static readonly int[] Held = [11, 35, unchecked((int)0x80070020)];

    private FileStream? _file;
    private bool _createdFolder;

    /// <summary>Claims the folder if it exists, unless that is done.</summary>
    /// <exception cref="ConfigurationException">Another process has claimed it.</exception>
    /// <exception cref="DataException">It cannot be written to.</exception>
    public void ClaimExisting()
    {
        if (_file is null && Directory.Exists(folder))
        {
            Claim();
        }
    }

    /// <summary>Claims the folder unless that is done, and creates it if need be.</summary>
    /// <returns>Whether the claim is new.</returns>
    /// <inheritdoc cref="ClaimExisting"/>
    public bool ClaimOrCreate()
    {
        if (_file is not null)
        {
            return false;
        }

        try
        {
            _createdFolder = !Directory.Exists(folder);
            Directory.CreateDirectory(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{folder}: cannot create the folder: {exception.Message}", exception);
        }

        Claim();
        return true;
    }

    /// <summary>Gives the claim up, and removes the folder again if it was created here and is still empty.</summary>
    public void Dispose()
    {
        _file?.Dispose();
        if (!_createdFolder)
        {
            return;
        }

        try
        {
            if (!Directory.EnumerateFileSystemEntries(folder).Any())
            {
                Directory.Delete(folder);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Another process has begun to use the folder, which is as well.
        }
    }

    private void Claim()
    {
        try
        {
            // With these options together .NET holds the file exclusively on Unix too, and does not take one that is just being deleted.
            _file = new FileStream(
                Path.Combine(folder, Name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException exception) when (Held.Contains(exception.HResult))
        {
            throw new ConfigurationException($"{folder} {InUse}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{folder}: cannot be written to: {exception.Message}", exception);
        }
    }
}
