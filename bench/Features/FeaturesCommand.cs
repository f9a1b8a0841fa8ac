using CommandLine;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using Parquet;
using ParquetWriter = MonoLoss.Data.Parquet.ParquetWriter;

namespace MonoLoss.Bench;

/// <summary>Compares our reader of float32 lists in Parquet files with Parquet.Net's.</summary>
[Verb("features", HelpText = "Reads float lists from Parquet files with our reader and with Parquet.Net's, in turn.")]
internal sealed class FeaturesCommand : MeasuringCommand
{
    private const int UsualRounds = 7;
    private const int Dimension = 768;
    private const int RowGroupRows = 16384;
    private const int Rows = 5 * RowGroupRows;
    private const int BatchRows = 1024;
    private const double FloatBytes = (double)Rows * Dimension * sizeof(float);

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        var folder = Directory.CreateTempSubdirectory("monoloss-bench-").FullName;
        try
        {
            Console.WriteLine($"{Rows} rows of {Dimension} float32, {RowGroupRows} rows per row group, one thread\n");
            var table = new Table(
                "codec", "MB in the file", "ours MB/s", "Parquet.Net MB/s", "ratio", "ours peak MB", "Parquet.Net peak MB");
            foreach (var codec in new[] { CompressionMethod.None, CompressionMethod.Snappy, CompressionMethod.Zstd })
            {
                var path = Path.Combine(folder, $"{codec}.parquet");
                Write(path, codec);
                var (ours, theirs) = (new List<double>(), new List<double>());
                long oursPeak = 0, theirsPeak = 0;
                for (var round = -1; round < RoundsOr(UsualRounds); round++)
                {
                    var (oursSeconds, oursBytes) = MeasureOnce(() => ReadByOurs(path));
                    var (theirsSeconds, theirsBytes) = MeasureOnce(() => ReadByLibrary(path).GetAwaiter().GetResult());
                    (oursPeak, theirsPeak) = (Math.Max(oursPeak, oursBytes), Math.Max(theirsPeak, theirsBytes));
                    if (round >= 0)
                    {
                        ours.Add(oursSeconds);
                        theirs.Add(theirsSeconds);
                    }
                }

                table.Add(
                    $"{codec}", $"{new FileInfo(path).Length / 1e6:0}", $"{FloatBytes / Timing.Median(ours) / 1e6:0}",
                    $"{FloatBytes / Timing.Median(theirs) / 1e6:0}", $"{Timing.Ratio(theirs, ours):0.0}", $"{oursPeak / 1e6:0}",
                    $"{theirsPeak / 1e6:0}");
                File.Delete(path);
            }

            table.Print();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Write(string path, CompressionMethod codec)
    {
        var rows = SyntheticData.UnitRows(Rows, Dimension, 1);
        ParquetWriter.Write(
            path,
            [ParquetData.FloatLists("features", rows, Dimension)],
            new ParquetWriterOptions { Compression = codec, RowGroupRows = RowGroupRows });
    }

    private static void ReadByOurs(string path)
    {
        var set = FeatureSet.Open(path, new FeatureSetOptions { Normalize = false });
        using var reader = set.OpenReader();
        var batch = new float[BatchRows * Dimension];
        while (reader.Read(batch) > 0)
        {
        }
    }

    private static async Task ReadByLibrary(string path)
    {
        await using var reader = await ParquetReader.CreateAsync(path);
        var field = reader.Schema.GetDataFields()[0];
        const int Floats = RowGroupRows * Dimension;
        var (values, definition, repetition) = (new float[Floats], new int[Floats], new int[Floats]);
        foreach (var group in reader.RowGroups)
        {
            await group.ReadRawAsync<float>(field, values, definition, repetition);
        }
    }

    /// <summary>Returns the time in seconds and the largest growth of the process's memory during it.</summary>
    private static (double Seconds, long Peak) MeasureOnce(Action work)
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        var before = Environment.WorkingSet;
        long peak = 0;
        using var sampler = new Timer(_ => peak = Math.Max(peak, Environment.WorkingSet - before), null, 0, 2);
        var seconds = Timing.Seconds(work);
        return (seconds, peak);
    }
}
