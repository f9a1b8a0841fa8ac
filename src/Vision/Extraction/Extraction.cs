using System.Diagnostics;
using System.Globalization;
using System.Threading.Tasks.Dataflow;
using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>
/// Computes the features of images by a network in an ONNX file and writes them to a Parquet file. The file appears when it is complete;
/// until then what is done lies in the folder <c>FILE.partial</c>, from which a stopped extraction goes on.
/// </summary>
/// <remarks>
/// A worker decodes and prepares a whole batch and runs the network on it by itself, one worker per core: no core waits for another, and
/// ONNX Runtime needs no threads of its own. The results do not depend on the number of workers.
/// </remarks>
public sealed class Extraction : IDisposable
{
    // More workers than this share their cores: each has the activations of a batch in memory.
    private const int MaxWorkers = 8;

    private static readonly TimeSpan SaveEvery = TimeSpan.FromSeconds(10);

    private readonly ExtractionOptions _options;
    private readonly OnnxModel _model;
    private readonly TokenLayout _layout;
    private readonly int _workers;

    private Extraction(ExtractionOptions options, OnnxModel model, int workers)
    {
        (_options, _model, _workers) = (options, model, workers);
        Preprocessor = FindPreprocessor(options, model);
        BatchSize = model.Batch ?? options.BatchSize;
        var input = new float[BatchSize * 3 * Preprocessor.Height * Preprocessor.Width];
        var probe = model.Run(input, model.Batch ?? 1, Preprocessor.Height, Preprocessor.Width);
        _layout = TokenLayout.Create($"{model.Path}: output '{model.Output}'", probe.Shape, options.Token, options.PrefixTokens);
        if (probe.Values.Length != (model.Batch ?? 1) * _layout.Values)
        {
            throw new DataException($"{model.Path}: output '{model.Output}' has {probe.Values.Length} values for "
                + $"{model.Batch ?? 1} images, expected {_layout.Values} for each");
        }
    }

    /// <summary>How images are prepared.</summary>
    public Preprocessor Preprocessor { get; }

    /// <summary>Images of a batch.</summary>
    public int BatchSize { get; }

    /// <summary>The model's output that is taken.</summary>
    public string Output => _model.Output;

    /// <summary>Which tokens are taken: cls, mean, patches, all, or pooled.</summary>
    public string Token => _layout.Name;

    /// <summary>Rows of an image.</summary>
    public int RowsPerImage => _layout.Rows;

    /// <summary>Features per row.</summary>
    public int Dimension => _layout.Dimension;

    /// <summary>Number of images, where all sources know theirs.</summary>
    public long? Total =>
        _options.Sources.All(source => source.Count is not null) ? _options.Sources.Sum(source => source.Count) : null;

    /// <summary>Opens the model and runs it once, so that what does not fit is known at the start.</summary>
    /// <param name="options">What is extracted.</param>
    /// <exception cref="DataException">The model or its configuration does not fit, or a stopped extraction is in the way.</exception>
    public static Extraction Open(ExtractionOptions options)
    {
        PartialFeatures.Check(options.OutputPath, options.Resume);
        var threads = options.Threads > 0 ? options.Threads : Environment.ProcessorCount;
        var workers = Math.Min(threads, MaxWorkers);
        var model = OnnxModel.Open(
            options.Model, options.OutputName, options.Token is not null, Math.Max(1, threads / workers));
        try
        {
            return new Extraction(options, model, workers);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Extracts all images.</summary>
    /// <param name="progress">Called after every batch, and once at the start with what was done before.</param>
    /// <param name="stop">Ends the extraction so that it can go on later.</param>
    /// <exception cref="DataException">
    /// A source or the model fails, the disk is full, no image can be used, or one cannot and
    /// <see cref="ExtractionOptions.Strict"/> is set.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public ExtractionResult Run(Action<ExtractionProgress> progress, CancellationToken stop)
    {
        using var partial = PartialFeatures.Open(_options.OutputPath, Settings(), _options.Resume);
        try
        {
            Extract(partial, progress, stop);
        }
        finally
        {
            partial.Flush();
        }

        if (partial.Images == partial.Skipped.Count)
        {
            var first = partial.Skipped.Count > 0 ? $"; the first, '{partial.Skipped[0].Id}': {partial.Skipped[0].Reason}" : string.Empty;
            partial.Delete();
            throw new DataException($"{_options.Sources[0].Path}: none of {partial.Images} images can be used{first}");
        }

        var rows = FeatureFileWriter.Write(_options.OutputPath, partial, _layout, Metadata());
        partial.Delete();
        return new ExtractionResult(partial.Images - partial.Skipped.Count, rows, _layout.Dimension, partial.Skipped);
    }

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();

    private static Preprocessor FindPreprocessor(ExtractionOptions options, OnnxModel model)
    {
        var file = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(options.Model))!, PreprocessorConfig.FileName);
        if (options.Preprocessor is { } preset)
        {
            return preset.WithSize(model.Width ?? preset.Width, model.Height ?? preset.Height);
        }

        if (!File.Exists(file))
        {
            throw new DataException($"{options.Model}: there is no {PreprocessorConfig.FileName} beside it; give --preset");
        }

        var read = PreprocessorConfig.Read(file);
        return (model.Width ?? read.Width) == read.Width && (model.Height ?? read.Height) == read.Height
            ? read
            : throw new DataException($"{file}: images become {read.Width} × {read.Height}, but the model takes "
                + $"{model.Width} × {model.Height}");
    }

    private PartialSettings Settings() => new(
        PartialFeatures.Version,
        _model.Hash().ToString("x16", CultureInfo.InvariantCulture),
        _model.Output,
        _layout.Name,
        Preprocessor.Description,
        _layout.Rows,
        _layout.Dimension,
        BatchSize,
        [.. _options.Sources.Select(source => source.Fingerprint)]);

    private Dictionary<string, string> Metadata() => FeatureOrigin.ToMetadata(new Dictionary<string, string>
    {
        [FeatureOrigin.Model] = Path.GetFileName(_options.Model),
        [FeatureOrigin.Layer] = _model.Output,
        [FeatureOrigin.Token] = _layout.Name,
        [FeatureOrigin.Preprocessing] = Preprocessor.Description,
    });

    private void Extract(PartialFeatures partial, Action<ExtractionProgress> progress, CancellationToken stop)
    {
        progress(new ExtractionProgress(partial.Images, Total, partial.Skipped.Count));
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var work = new TransformBlock<List<ImageEntry>, Batch>(Process, new ExecutionDataflowBlockOptions
        {
            MaxDegreeOfParallelism = _workers,
            BoundedCapacity = 2 * _workers,
            SingleProducerConstrained = true,
            CancellationToken = ended.Token,
        });
        var reading = Task.Run(() => ReadSources(partial.Images, work, ended.Token), CancellationToken.None);
        try
        {
            Collect(work, partial, progress, stop);
            reading.GetAwaiter().GetResult();
        }
        finally
        {
            ended.Cancel();
            // The block does not end before its last results are taken. Sources and model are closed after this.
            work.LinkTo(DataflowBlock.NullTarget<Batch>());
            Task.WhenAny(Task.WhenAll(reading, work.Completion)).Wait(CancellationToken.None);
        }
    }

    private void Collect(
        TransformBlock<List<ImageEntry>, Batch> work, PartialFeatures partial, Action<ExtractionProgress> progress, CancellationToken stop)
    {
        var sinceSaved = Stopwatch.StartNew();
        while (work.OutputAvailableAsync(stop).GetAwaiter().GetResult())
        {
            var batch = work.Receive(stop);
            if (_options.Strict && batch.Records.Find(record => record.Error is not null) is { } damaged)
            {
                throw new DataException($"{damaged.Id}: {damaged.Error}");
            }

            partial.Append(batch.Records, batch.Values);
            progress(new ExtractionProgress(partial.Images, Total, partial.Skipped.Count));
            if (sinceSaved.Elapsed > SaveEvery)
            {
                partial.Flush();
                sinceSaved.Restart();
            }
        }

        try
        {
            work.Completion.GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            stop.ThrowIfCancellationRequested();
        }
    }

    private void ReadSources(long skip, TransformBlock<List<ImageEntry>, Batch> work, CancellationToken ended)
    {
        var batch = new List<ImageEntry>();
        void Send()
        {
            // A block that has failed or was stopped takes nothing any more.
            if (!work.SendAsync(batch, ended).GetAwaiter().GetResult())
            {
                throw new OperationCanceledException();
            }

            batch = [];
        }

        try
        {
            foreach (var source in _options.Sources)
            {
                skip = source.Read(skip, entry =>
                {
                    batch.Add(entry);
                    if (batch.Count == BatchSize)
                    {
                        Send();
                    }
                });
            }

            if (batch.Count > 0)
            {
                Send();
            }

            work.Complete();
        }
        catch (OperationCanceledException)
        {
            work.Complete();
        }
        catch (Exception)
        {
            // What came before is kept; the caller sees the failure when it waits for this task.
            work.Complete();
            throw;
        }
    }

    private Batch Process(List<ImageEntry> entries)
    {
        var size = 3 * Preprocessor.Height * Preprocessor.Width;
        var input = new float[BatchSize * size];
        var records = new List<ImageRecord>(entries.Count);
        var used = 0;
        foreach (var entry in entries)
        {
            var error = Prepare(entry, input.AsSpan(used * size, size));
            used += error is null ? 1 : 0;
            records.Add(new ImageRecord(entry.Id, entry.Label, error));
        }

        if (used == 0)
        {
            return new Batch(records, []);
        }

        var (values, _) = _model.Run(input, _model.Batch ?? used, Preprocessor.Height, Preprocessor.Width);
        return Take(records, values);
    }

    private string? Prepare(ImageEntry entry, Span<float> target)
    {
        try
        {
            Preprocessor.Normalize(ImageDecoder.Decode(entry.Read(), Preprocessor.Fit), target);
            return null;
        }
        catch (DamagedImageException exception)
        {
            return exception.Message;
        }
    }

    private Batch Take(List<ImageRecord> records, float[] values)
    {
        var target = new List<float>();
        var rows = new float[_layout.Rows * _layout.Dimension];
        var at = 0;
        for (var i = 0; i < records.Count; i++)
        {
            if (records[i].Error is not null)
            {
                continue;
            }

            _layout.Take(values.AsSpan(at, _layout.Values), rows);
            at += _layout.Values;
            if (Array.TrueForAll(rows, float.IsFinite))
            {
                target.AddRange(rows);
            }
            else
            {
                records[i] = records[i] with { Error = "the model gives a value that is not finite" };
            }
        }

        return new Batch(records, [.. target]);
    }

    private sealed record Batch(List<ImageRecord> Records, float[] Values);
}
