using MonoLoss.Data.Parquet;

namespace MonoLoss.Vision;

/// <summary>Turns what an extraction has collected into the Parquet file: id, label, position and features.</summary>
internal static class FeatureFileWriter
{
    private const int RowGroupBytes = 32 << 20;
    private const int MaxRowGroupRows = 65536;

    /// <summary>Writes the file; it appears when it is complete.</summary>
    /// <param name="path">The file.</param>
    /// <param name="partial">What was collected.</param>
    /// <param name="layout">Which rows an image has.</param>
    /// <param name="metadata">Texts to keep beside the data.</param>
    /// <returns>The number of rows.</returns>
    /// <exception cref="Data.DataException">The file cannot be written.</exception>
    public static long Write(string path, PartialFeatures partial, TokenLayout layout, IReadOnlyDictionary<string, string> metadata)
    {
        var perGroup = Math.Clamp(RowGroupBytes / sizeof(float) / layout.Dimension, layout.Rows, Math.Max(layout.Rows, MaxRowGroupRows));
        using var writer = new ParquetRowWriter(path, new ParquetWriterOptions { RowGroupRows = int.MaxValue, Metadata = metadata });
        var group = new Group(partial, layout);
        long rows = 0;
        partial.Read((record, values) =>
        {
            group.Add(record, values);
            rows += layout.Rows;
            if (group.Rows + layout.Rows > perGroup)
            {
                group.Write(writer);
            }
        });
        if (group.Rows > 0)
        {
            group.Write(writer);
        }

        writer.Commit();
        return rows;
    }

    private sealed class Group(PartialFeatures partial, TokenLayout layout)
    {
        private readonly List<string> _ids = [];
        private readonly List<string?> _labels = [];
        private readonly List<int> _positions = [];
        private readonly List<float> _features = [];

        public int Rows => _ids.Count;

        public void Add(ImageRecord record, float[] values)
        {
            for (var row = 0; row < layout.Rows; row++)
            {
                _ids.Add(record.Id);
                _labels.Add(record.Label);
                _positions.Add(layout.Position(row));
            }

            _features.AddRange(values);
        }

        public void Write(ParquetRowWriter writer)
        {
            List<ParquetData> columns = [ParquetData.Create("id", (string?[])[.. _ids])];
            if (partial.HasLabels)
            {
                columns.Add(Labels());
            }

            if (layout.HasPositions)
            {
                columns.Add(ParquetData.Create("position", (int[])[.. _positions]));
            }

            columns.Add(ParquetData.FloatLists("features", _features.ToArray(), layout.Dimension));
            writer.Write(columns);
            _ids.Clear();
            _labels.Clear();
            _positions.Clear();
            _features.Clear();
        }

        private ParquetData Labels() => (partial.LabelsAreIntegers, partial.AllHaveLabels) switch
        {
            (true, true) => ParquetData.Create("label", (long[])[.. _labels.Select(label => LabelText.Parse(label!))]),
            (true, false) => ParquetData.Create(
                "label", (long?[])[.. _labels.Select(label => label is null ? (long?)null : LabelText.Parse(label))]),
            (false, var all) => ParquetData.Create("label", _labels, nullable: !all),
        };
    }
}
