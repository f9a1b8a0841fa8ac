using System.Runtime.InteropServices;
using System.Text.Json;
using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>
/// What a running extraction has so far, in a folder beside its target, so that a stopped one can go on: the features of all images one
/// after another, and a line for each image. Batches are appended whole; the lines tell what counts.
/// </summary>
internal sealed class PartialFeatures : IDisposable
{
    /// <summary>The version of the layout.</summary>
    public const int Version = 1;

    private const string SettingsFile = "settings.json";
    private const string RecordsFile = "images.jsonl";
    private const string ValuesFile = "features.f32";

    private readonly string _folder;
    private readonly PartialSettings _settings;
    private readonly FileStream _values;
    private readonly FileStream _records;

    private PartialFeatures(string folder, PartialSettings settings, FileStream values, FileStream records)
    {
        (_folder, _settings, _values, _records) = (folder, settings, values, records);
        Recover();
    }

    /// <summary>Images that are done, skipped ones included.</summary>
    public long Images { get; private set; }

    /// <summary>Images that were skipped, with the reason.</summary>
    public List<(string Id, string Reason)> Skipped { get; } = [];

    /// <summary>Whether all labels are integers as they are usually written.</summary>
    public bool LabelsAreIntegers { get; private set; } = true;

    /// <summary>Whether any image has a label.</summary>
    public bool HasLabels { get; private set; }

    /// <summary>Whether all images have one.</summary>
    public bool AllHaveLabels { get; private set; } = true;

    private int ImageBytes => _settings.Rows * _settings.Dimension * sizeof(float);

    /// <summary>Checks that an extraction may start or go on, before anything slow happens.</summary>
    /// <param name="target">The file to be written in the end.</param>
    /// <param name="resume">Whether to go on with a stopped one.</param>
    /// <exception cref="DataException">There is a stopped one and it is not asked for.</exception>
    public static void Check(string target, bool resume)
    {
        if (!resume && File.Exists(Path.Combine(FolderOf(target), SettingsFile)))
        {
            throw new DataException($"{target}: an extraction was stopped; continue it with --resume, or delete {FolderOf(target)}");
        }
    }

    /// <summary>Opens the folder.</summary>
    /// <param name="target">The file to be written in the end.</param>
    /// <param name="settings">What the extraction does.</param>
    /// <param name="resume">Whether to go on with a stopped one, if there is one.</param>
    /// <exception cref="DataException">The folder cannot be written, is in use, or belongs to another extraction.</exception>
    public static PartialFeatures Open(string target, PartialSettings settings, bool resume)
    {
        Check(target, resume);
        var folder = FolderOf(target);
        try
        {
            Directory.CreateDirectory(folder);
            // The file of values is the lock: a second process cannot open it.
            var values = Open(Path.Combine(folder, ValuesFile));
            try
            {
                CheckSettings(target, folder, settings);
                return new PartialFeatures(folder, settings, values, Open(Path.Combine(folder, RecordsFile)));
            }
            catch
            {
                values.Dispose();
                throw;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{folder}: cannot be written, or is in use: {exception.Message}", exception);
        }
    }

    /// <summary>Appends images.</summary>
    /// <param name="records">The images.</param>
    /// <param name="values">The features of those that were not skipped.</param>
    /// <exception cref="DataException">The disk is full.</exception>
    public void Append(IReadOnlyList<ImageRecord> records, ReadOnlySpan<float> values)
    {
        try
        {
            _values.Write(MemoryMarshal.AsBytes(values));
            _values.Flush();
            foreach (var record in records)
            {
                Note(record);
                _records.Write(JsonSerializer.SerializeToUtf8Bytes(record, ExtractionJson.Default.ImageRecord));
                _records.WriteByte((byte)'\n');
            }

            _records.Flush();
        }
        catch (Exception exception) when (AtomicFile.IsFailure(exception))
        {
            throw new DataException($"{_folder}: cannot be written: {exception.Message}", exception);
        }
    }

    /// <summary>Makes sure that what was appended outlives a power failure.</summary>
    public void Flush()
    {
        _values.Flush(flushToDisk: true);
        _records.Flush(flushToDisk: true);
    }

    /// <summary>Reads everything back in order.</summary>
    /// <param name="take">Called for each image that was not skipped, with its features.</param>
    public void Read(Action<ImageRecord, float[]> take)
    {
        _values.Position = 0;
        var values = new float[_settings.Rows * _settings.Dimension];
        foreach (var (record, _) in Records())
        {
            if (record.Error is null)
            {
                _values.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
                take(record, values);
            }
        }
    }

    /// <summary>Deletes the folder.</summary>
    public void Delete()
    {
        Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _values.Dispose();
        _records.Dispose();
    }

    private static string FolderOf(string target) => $"{target}.partial";

    private static FileStream Open(string path) => new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1 << 16);

    private static void CheckSettings(string target, string folder, PartialSettings settings)
    {
        var path = Path.Combine(folder, SettingsFile);
        if (!File.Exists(path))
        {
            AtomicFile.WriteAllText(path, JsonSerializer.Serialize(settings, ExtractionJson.Default.PartialSettings));
            return;
        }

        PartialSettings? earlier = null;
        try
        {
            earlier = JsonSerializer.Deserialize(File.ReadAllText(path), ExtractionJson.Default.PartialSettings);
        }
        catch (JsonException)
        {
            // The line below says what to do.
        }

        var different = earlier is null || earlier.Version != settings.Version ? "cannot be read"
            : earlier.Model != settings.Model ? "is of another model"
            : earlier.Output != settings.Output ? $"is of output {earlier.Output}, not {settings.Output}"
            : earlier.Token != settings.Token || earlier.Rows != settings.Rows || earlier.Dimension != settings.Dimension
                ? $"is of token {earlier.Token}, not {settings.Token}"
            : earlier.Preprocessing != settings.Preprocessing ? $"has other preprocessing ({earlier.Preprocessing})"
            : earlier.BatchSize != settings.BatchSize ? $"has batch size {earlier.BatchSize}, not {settings.BatchSize}"
            : !earlier.Images.SequenceEqual(settings.Images) ? "is of other images, or they have changed"
            : null;
        if (different is not null)
        {
            throw new DataException($"{target}: the stopped extraction {different}; extract to another file, or delete {folder}");
        }
    }

    // Whole batches count, so that those to come are the same as without the stop; a batch's lines come after its features.
    private void Recover()
    {
        var (images, kept, good) = (0L, 0L, 0L);
        var batch = new List<ImageRecord>();
        foreach (var (record, end) in Records())
        {
            batch.Add(record);
            kept += record.Error is null ? 1 : 0;
            if (kept * ImageBytes > _values.Length)
            {
                break;
            }

            if (batch.Count == _settings.BatchSize)
            {
                batch.ForEach(Note);
                (images, good) = (images + batch.Count, end);
                batch.Clear();
            }
        }

        _records.SetLength(good);
        _records.Position = good;
        _values.SetLength((images - Skipped.Count) * ImageBytes);
        _values.Position = _values.Length;
    }

    private void Note(ImageRecord record)
    {
        Images++;
        if (record.Error is { } error)
        {
            Skipped.Add((record.Id, error));
            return;
        }

        HasLabels |= record.Label is not null;
        AllHaveLabels &= record.Label is not null;
        LabelsAreIntegers &= record.Label is null || LabelText.IsInteger(record.Label);
    }

    private IEnumerable<(ImageRecord Record, long End)> Records()
    {
        _records.Position = 0;
        using var reader = new StreamReader(_records, leaveOpen: true);
        var end = 0L;
        while (reader.ReadLine() is { } line)
        {
            ImageRecord? record = null;
            try
            {
                record = JsonSerializer.Deserialize(line, ExtractionJson.Default.ImageRecord);
            }
            catch (JsonException)
            {
                // A line that was cut off: what follows does not count.
            }

            if (record is null)
            {
                yield break;
            }

            end += System.Text.Encoding.UTF8.GetByteCount(line) + 1;
            yield return (record, end);
        }
    }
}
