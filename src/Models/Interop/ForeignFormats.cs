using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Opens autoencoders of other tools, whatever tool they are from.</summary>
public static class ForeignFormats
{
    private static readonly (string Files, Func<string, bool> Recognizes, Func<string, ForeignSae> Read)[] Readers =
    [
        ("cfg.json and sae_weights.safetensors (SAELens)", SaeLensReader.Recognizes, SaeLensReader.Read),
        ("cfg.json and sae.safetensors (sparsify)", SparsifyReader.Recognizes, SparsifyReader.Read),
    ];

    /// <summary>Reads an autoencoder.</summary>
    /// <param name="source">A folder as its tool writes it, or one of the files in it.</param>
    /// <exception cref="DataException">
    /// It is none that is known, damaged, or of a kind that is not supported; one line that names the file and the kind.
    /// </exception>
    public static ForeignSae Read(string source)
    {
        var folder = Directory.Exists(source) ? source
            : File.Exists(source) ? Path.GetDirectoryName(Path.GetFullPath(source))!
            : throw new DataException($"{source}: no such file or folder");
        foreach (var reader in Readers)
        {
            if (reader.Recognizes(folder))
            {
                return reader.Read(folder);
            }
        }

        throw new DataException(
            $"{source}: not an autoencoder of a known tool; expected {string.Join(", or ", Readers.Select(reader => reader.Files))}");
    }
}
