using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>
/// Images in a shard of WebDataset: a tar file in which the files of a sample follow each other and have the same name up to the first dot.
/// The class is in <c>.cls</c>, or <c>label</c> of <c>.json</c>. Nothing is unpacked to disk, so names lead nowhere.
/// </summary>
internal sealed class TarImages : ImageSource
{
    private const long MaxImageBytes = 1L << 30;
    private const long MaxTextBytes = 1 << 20;

    private TarImages(string path)
        : base(path)
    {
    }

    /// <inheritdoc/>
    public override long? Count => null;

    /// <inheritdoc/>
    internal override string Fingerprint => FileFingerprint(Path);

    /// <summary>A shard, packed by gzip or not.</summary>
    /// <exception cref="DataException">It is not a tar file.</exception>
    public static TarImages Open(string path)
    {
        var source = new TarImages(path);
        source.Guard(() =>
        {
            using var reader = source.OpenReader();
            reader.GetNextEntry();
        });
        return source;
    }

    /// <inheritdoc/>
    public override long Read(long skip, Action<ImageEntry> take)
    {
        Guard(() =>
        {
            using var reader = OpenReader();
            var sample = new Sample();
            while (reader.GetNextEntry() is { } entry)
            {
                if (entry.DataStream is null || entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile))
                {
                    continue;
                }

                var (key, extension) = Split(entry.Name);
                if (sample.Key != key)
                {
                    Finish(sample, ref skip, take);
                    sample = new Sample { Key = key };
                }

                sample.Add(extension, entry, wanted: skip == 0);
            }

            Finish(sample, ref skip, take);
        });
        return skip;
    }

    private static void Finish(Sample sample, ref long skip, Action<ImageEntry> take)
    {
        if (!sample.HasImage)
        {
            return;
        }

        if (skip > 0)
        {
            skip--;
            return;
        }

        var bytes = sample.Image;
        take(new ImageEntry(
            sample.Key!, sample.Label, () => bytes ?? throw new DamagedImageException("the file is larger than 1 GiB")));
    }

    private static (string Key, string Extension) Split(string name)
    {
        var dot = name.IndexOf('.', name.LastIndexOf('/') + 1);
        return dot < 0 ? (name, string.Empty) : (name[..dot], name[dot..].ToLowerInvariant());
    }

    private TarReader OpenReader()
    {
        var file = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        Span<byte> magic = stackalloc byte[2];
        var packed = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
        file.Position = 0;
        return new TarReader(packed ? new GZipStream(file, CompressionMode.Decompress) : file);
    }

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (exception is InvalidDataException or FormatException or EndOfStreamException
            or ArgumentException or OverflowException)
        {
            throw new DataException($"{Path}: damaged, or no tar file: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{Path}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>The files of one sample.</summary>
    private sealed class Sample
    {
        public string? Key { get; init; }

        public bool HasImage { get; private set; }

        public byte[]? Image { get; private set; }

        public string? Label { get; private set; }

        public void Add(string extension, TarEntry entry, bool wanted)
        {
            // A name such as 0001.right.jpg is a second image of the sample; the first one counts.
            if (!HasImage && ImageFiles.IsImageName(extension))
            {
                HasImage = true;
                Image = wanted ? ReadAll(entry, MaxImageBytes) : null;
            }
            else if (wanted && extension is ".cls" or ".json" && ReadAll(entry, MaxTextBytes) is { } bytes)
            {
                var text = Encoding.UTF8.GetString(bytes).Trim();
                Label = extension == ".json" ? Label ?? LabelOf(text) : text.Length > 0 ? text : null;
            }
        }

        private static byte[]? ReadAll(TarEntry entry, long most)
        {
            if (entry.Length > most)
            {
                return null;
            }

            // A damaged header may claim any length: the buffer grows with what there is.
            using var buffer = new MemoryStream();
            entry.DataStream!.CopyTo(buffer);
            return buffer.Length == entry.Length
                ? buffer.ToArray()
                : throw new EndOfStreamException($"it ends within '{entry.Name}'");
        }

        private static string? LabelOf(string json)
        {
            try
            {
                using var document = JsonDocument.Parse(json);
                return document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("label", out var label)
                    && label.ValueKind is JsonValueKind.String or JsonValueKind.Number ? label.ToString() : null;
            }
            catch (JsonException)
            {
                return null;
            }
        }
    }
}
