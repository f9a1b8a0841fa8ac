using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// A file of arrays, open for reading: .npy and .npz of numpy, .pt of torch, .safetensors. Opening reads and checks what the file says
/// about its arrays; their elements are read on request, by any number of threads.
/// </summary>
public abstract class ArrayFile : IDisposable
{
    private const int MostNamed = 10;

    private Dictionary<string, StoredArray>? _byName;

    private protected ArrayFile(string path) => Path = path;

    /// <summary>The path, as given.</summary>
    public string Path { get; }

    /// <summary>The arrays in the file's order. That of a .npy file is called <c>array</c>, a bare tensor <c>tensor</c>.</summary>
    public IReadOnlyList<StoredArray> Arrays { get; private protected set; } = [];

    /// <summary>Whether files with this ending are arrays: .npy, .npz, .pt, .pth, .safetensors.</summary>
    public static bool IsKnown(string path) => Extension(path) is ".npy" or ".npz" or ".pt" or ".pth" or ".safetensors";

    /// <summary>Opens a file; its kind follows from its name's ending.</summary>
    /// <exception cref="DataException">There is no such file, it is of another kind, is damaged, or holds what is not read.</exception>
    public static ArrayFile Open(string path) => Open(path, () => FileBytes.Open(path));

    /// <summary>Opens a file whose content is in memory.</summary>
    /// <inheritdoc cref="Open(string)"/>
    internal static ArrayFile Open(string name, ReadOnlyMemory<byte> content) => Open(name, () => FileBytes.InMemory(name, content));

    /// <summary>Whether there is an array with this name.</summary>
    public bool Contains(string name) => ByName.ContainsKey(name);

    /// <summary>Finds an array.</summary>
    /// <exception cref="DataException">There is no array with this name.</exception>
    public StoredArray Find(string name)
    {
        if (ByName.TryGetValue(name, out var array))
        {
            return array;
        }

        var names = string.Join(", ", Arrays.Take(MostNamed).Select(item => item.Name));
        var more = Arrays.Count > MostNamed ? $" and {Arrays.Count - MostNamed} more" : "";
        throw new DataException($"{Path}: no array '{name}'; the arrays are: {(Arrays.Count == 0 ? "none" : names)}{more}");
    }

    /// <summary>All arrays as the rows of one, if that is what they are: see <see cref="StackedArray.Of"/>.</summary>
    public StackedArray? Stack() => StackedArray.Of(Arrays);

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Opens something and turns what can be wrong with a file into a line for the user.</summary>
    /// <param name="bytes">The file, closed on failure.</param>
    /// <param name="kind">The kind of file, in words.</param>
    /// <param name="open">What to do.</param>
    private protected static T Guard<T>(FileBytes bytes, string kind, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (Exception exception)
        {
            bytes.Dispose();
            if (StoredArray.IsDamage(exception))
            {
                throw new DataException($"{bytes.Path}: cannot be read as {kind}: {exception.Message}", exception);
            }

            throw;
        }
    }

    /// <summary>Closes the file.</summary>
    private protected abstract void Dispose(bool disposing);

    private Dictionary<string, StoredArray> ByName => _byName ??= Arrays.ToDictionary(array => array.Name, StringComparer.Ordinal);

    private static ArrayFile Open(string path, Func<FileBytes> open) => Extension(path) switch
    {
        ".npy" => NpyFile.Open(open()),
        ".npz" => NpzFile.Open(open()),
        ".pt" or ".pth" => TorchFile.Open(open()),
        ".safetensors" => SafetensorsArrays.Open(open()),
        var other => throw new DataException(
            $"{path}: '{other}' is not a kind of array file; expected .npy, .npz, .pt, .pth or .safetensors"),
    };

    private static string Extension(string path) => System.IO.Path.GetExtension(path).ToLowerInvariant();
}
