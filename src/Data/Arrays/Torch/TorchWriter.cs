using System.Globalization;
using System.Text;

namespace MonoLoss.Data;

/// <summary>
/// Writes .pt files that <c>torch.load(weights_only=True)</c> opens: a zip archive with a pickle of protocol 2 and one uncompressed entry,
/// aligned to 64 bytes, for each tensor. The same values give the same bytes.
/// </summary>
public static class TorchWriter
{
    private const string Folder = "archive";

    /// <summary>Writes a file, completely or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="root">What it holds, mostly a dict.</param>
    /// <param name="leadingLine">
    /// A line of text to put before the archive, as saev does; null for none. For torch the line must be cut off.
    /// </param>
    /// <exception cref="ArgumentException"><paramref name="leadingLine"/> has more than one line.</exception>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public static void Write(string path, TorchItem root, string? leadingLine = null)
    {
        if (leadingLine?.Contains('\n', StringComparison.Ordinal) == true)
        {
            throw new ArgumentException("more than one line", nameof(leadingLine));
        }

        var pickle = PickleWriter.Write(root, out var tensors);
        using var file = new AtomicFile(path);
        try
        {
            if (leadingLine is not null)
            {
                file.Stream.Write(Encoding.UTF8.GetBytes(leadingLine + "\n"));
            }

            Write(new ZipWriter(file.Stream), pickle, tensors);
        }
        catch (Exception exception) when (AtomicFile.IsFailure(exception))
        {
            throw file.Failure(exception);
        }

        file.Commit();
    }

    private static void Write(ZipWriter zip, ReadOnlyMemory<byte> pickle, IReadOnlyList<SafeTensor> tensors)
    {
        zip.Add($"{Folder}/data.pkl", pickle.Length, stream => stream.Write(pickle.Span));
        AddText(zip, "byteorder", "little");
        for (var i = 0; i < tensors.Count; i++)
        {
            zip.Add(string.Create(CultureInfo.InvariantCulture, $"{Folder}/data/{i}"), tensors[i].Bytes, tensors[i].Write);
        }

        AddText(zip, "version", "3\n");
        zip.Finish();
    }

    private static void AddText(ZipWriter zip, string name, string text) =>
        zip.Add($"{Folder}/{name}", text.Length, stream => stream.Write(Encoding.ASCII.GetBytes(text)));
}
