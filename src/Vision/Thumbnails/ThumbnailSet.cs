using System.Collections.Concurrent;
using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>A row of features whose image is wanted.</summary>
/// <param name="Row">Its number within the set of features.</param>
/// <param name="Id">Its id; null if it has none.</param>
public readonly record struct WantedImage(long Row, string? Id);

/// <summary>How thumbnails are made.</summary>
public sealed record ThumbnailOptions
{
    /// <summary>The longest side of a thumbnail, in pixels.</summary>
    public int Size { get; init; } = 128;

    /// <summary>The number of rows of the set of features; null if it is not known.</summary>
    public long? Rows { get; init; }

    /// <summary>Whether an image may have several rows, so that only ids tell which image a row is of.</summary>
    public bool NeedsIds { get; init; }

    /// <summary>Shows what the network sees, as it is prepared by this; null for the whole image.</summary>
    public Preprocessor? Crop { get; init; }
}

/// <summary>Which thumbnails were made.</summary>
/// <param name="Index">The number of each row's thumbnail; rows without one are not in it.</param>
/// <param name="Problems">What the user should know about images that were not found or are damaged.</param>
public sealed record ThumbnailSet(IReadOnlyDictionary<long, int> Index, IReadOnlyList<string> Problems)
{
    private const int ShownDamaged = 5;
    private const int QueuedPerWorker = 8;

    /// <summary>
    /// Finds the images of rows and makes their thumbnails, on all cores. Images are found by their ids; where no row has the id of an
    /// image, or rows have none, row i is of image i, and there must be as many images as rows.
    /// </summary>
    /// <param name="sources">The images.</param>
    /// <param name="wanted">The rows; one may be there several times.</param>
    /// <param name="options">How they are made.</param>
    /// <param name="write">Takes the number and the WebP file of a thumbnail, on any thread.</param>
    /// <param name="stop">Cancels the work.</param>
    /// <exception cref="DataException">A source cannot be read, or images and rows do not fit.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static ThumbnailSet Make(
        IReadOnlyList<ImageSource> sources,
        IEnumerable<WantedImage> wanted,
        ThumbnailOptions options,
        Action<int, byte[]> write,
        CancellationToken stop)
    {
        var rows = wanted.DistinctBy(image => image.Row).ToList();
        var ids = new Dictionary<string, int>();
        foreach (var image in rows)
        {
            if (image.Id is { } id)
            {
                ids.TryAdd(id, ids.Count);
            }
        }

        var byId = new Work(sources, options, write, stop);
        if (ids.Count > 0)
        {
            var images = byId.Run((entry, _) => ids.TryGetValue(entry.Id, out var index) ? index : -1);
            if (byId.Found > 0)
            {
                return byId.Result(rows.Where(image => image.Id is not null).Select(image => (image.Row, ids[image.Id!])), rows.Count);
            }

            if (options.NeedsIds)
            {
                throw new DataException($"{Names(sources)}: no image has the id of a row, such as '{rows[0].Id}'");
            }

            CheckCount(images);
        }
        else if (options.NeedsIds)
        {
            throw new DataException("rows of patches have no ids, so it is not known which images they are of");
        }
        else if (sources.All(source => source.Count is not null))
        {
            CheckCount(sources.Sum(source => source.Count!.Value));
        }

        var numbers = rows.Index().ToDictionary(image => image.Item.Row, image => image.Index);
        var byRow = new Work(sources, options, write, stop);
        CheckCount(byRow.Run((_, position) => numbers.GetValueOrDefault(position, -1)));
        return byRow.Result(numbers.Select(number => (number.Key, number.Value)), rows.Count);

        void CheckCount(long count)
        {
            if (options.Rows is { } expected && count != expected)
            {
                var reason = ids.Count > 0 ? $"no image has the id of a row, such as '{ids.Keys.First()}', and " : "rows have no ids, and ";
                throw new DataException($"{Names(sources)}: {reason}the number of images is {count}, that of rows {expected}");
            }
        }
    }

    private static string Names(IReadOnlyList<ImageSource> sources) => string.Join(", ", sources.Select(source => source.Path));

    /// <summary>One pass over the sources.</summary>
    private sealed class Work(
        IReadOnlyList<ImageSource> sources, ThumbnailOptions options, Action<int, byte[]> write, CancellationToken stop)
    {
        private readonly ConcurrentDictionary<int, bool> _made = [];
        private readonly ConcurrentDictionary<long, string> _damaged = [];

        public int Found { get; private set; }

        /// <summary>Makes thumbnails.</summary>
        /// <param name="choose">The number of an image, by its position among all; −1 if it is not wanted.</param>
        /// <returns>The number of images.</returns>
        public long Run(Func<ImageEntry, long, int> choose)
        {
            var workers = Environment.ProcessorCount;
            using var queue = new BlockingCollection<(ImageEntry Entry, int Index)>(workers * QueuedPerWorker);
            using var failed = CancellationTokenSource.CreateLinkedTokenSource(stop);
            long position = 0;
            var seen = new HashSet<int>();
            var reader = Task.Run(() =>
            {
                try
                {
                    foreach (var source in sources)
                    {
                        source.Read(skip: 0, entry =>
                        {
                            failed.Token.ThrowIfCancellationRequested();
                            var index = choose(entry, position++);
                            // Of images with equal ids the first is taken.
                            if (index >= 0 && seen.Add(index))
                            {
                                queue.Add((entry, index), failed.Token);
                            }
                        });
                    }
                }
                finally
                {
                    queue.CompleteAdding();
                }
            });
            var making = Enumerable.Range(0, workers).Select(_ => Task.Run(() =>
            {
                try
                {
                    foreach (var (entry, index) in queue.GetConsumingEnumerable(failed.Token))
                    {
                        Make(entry, index);
                    }
                }
                catch
                {
                    failed.Cancel();
                    throw;
                }
            })).ToList();
            try
            {
                Task.WaitAll([reader, .. making], CancellationToken.None);
            }
            catch (AggregateException exception)
            {
                // What was cancelled because something else failed is not the cause.
                stop.ThrowIfCancellationRequested();
                var cause = exception.Flatten().InnerExceptions.FirstOrDefault(inner => inner is not OperationCanceledException);
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(cause ?? exception);
            }

            Found = seen.Count;
            return position;
        }

        public ThumbnailSet Result(IEnumerable<(long Row, int Image)> images, int wanted)
        {
            var index = images.Where(image => _made.ContainsKey(image.Image)).ToDictionary(image => image.Row, image => image.Image);
            List<string> problems = [.. _damaged.OrderBy(image => image.Key).Take(ShownDamaged).Select(image => image.Value)];
            if (index.Count < wanted)
            {
                problems.Add($"{wanted - index.Count} of {wanted} rows have no image that can be shown");
            }

            return new ThumbnailSet(index, problems);
        }

        private void Make(ImageEntry entry, int index)
        {
            try
            {
                write(index, ImageDecoder.Decode(entry.Read(), image =>
                    Thumbnail.Encode(options.Crop is { } crop ? crop.Fit(image) : image, options.Size)));
                _made[index] = true;
            }
            catch (DamagedImageException exception)
            {
                _damaged[index] = $"{entry.Id}: {exception.Message}";
            }
        }
    }
}
