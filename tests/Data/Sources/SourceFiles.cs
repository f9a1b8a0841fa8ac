using System.Buffers.Binary;
using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Sources;

/// <summary>Small feature files of every format, with the values of <see cref="Fixtures"/>.</summary>
internal static class SourceFiles
{
    public const int Rows = 20;
    public const int Dimension = Fixtures.Dimension;

    public static float[] Values { get; } =
        [.. Enumerable.Range(0, Rows * Dimension).Select(i => Fixtures.Feature(i / Dimension, i % Dimension))];

    /// <summary>All rows of a set as they are.</summary>
    public static float[] Read(FeatureSet set)
    {
        var values = new float[set.Rows * set.Dimension];
        using var reader = set.OpenReader();
        Assert.Equal(set.Rows, reader.Read(values));
        return values;
    }

    public static FeatureSet Open(string path, string? column = null, string? label = null, string? labels = null) =>
        FeatureSet.Open(path, new FeatureSetOptions { FeaturesColumn = column, LabelColumn = label, LabelsFile = labels,
            Normalize = false });

    /// <summary>The labels of all rows as they are shown; empty for none.</summary>
    public static string[] Labels(FeatureSet set)
    {
        var labels = new LabelBatch();
        set.GetLabels(0, (int)set.Rows, labels);
        return [.. Enumerable.Range(0, labels.Rows).Select(row => string.Join('+', labels[row].ToArray().Select(label
            => set.Classes[label])))];
    }

    /// <summary>Writes a file or a stream by Apache.Arrow, of columns id, features, label and name, in batches.</summary>
    public static void WriteArrow(string path, bool isFile, CompressionCodecType? codec, params int[] batches)
    {
        var schema = new Schema(
            [
                new Field("id", Int64Type.Default, false), new Field("features", new ListType(FloatType.Default), true),
                new Field("label", Int32Type.Default, true), new Field("name", StringType.Default, true),
            ],
            null);
        var options = new IpcOptions { CompressionCodec = codec, CompressionCodecFactory = new CompressionCodecFactory() };
        using var stream = File.Create(path);
        using ArrowStreamWriter writer = isFile
            ? new ArrowFileWriter(stream, schema, false, options)
            : new ArrowStreamWriter(stream, schema, false, options);
        for (int b = 0, first = 0; b < batches.Length; first += batches[b++])
        {
            var (ids, labels, names) = (new Int64Array.Builder(), new Int32Array.Builder(), new StringArray.Builder());
            var lists = new Apache.Arrow.ListArray.Builder(FloatType.Default);
            var elements = (FloatArray.Builder)lists.ValueBuilder;
            for (var row = first; row < first + batches[b]; row++)
            {
                ids.Append(row);
                lists.Append();
                elements.AppendRange(Values[(row * Dimension)..((row + 1) * Dimension)]);
                names.Append($"class {Fixtures.Label(row)}");
                _ = row % 5 == 0 ? labels.AppendNull() : labels.Append(Fixtures.Label(row));
            }

            using var batch = new RecordBatch(schema, [ids.Build(), lists.Build(), labels.Build(), names.Build()], batches[b]);
            writer.WriteRecordBatch(batch);
        }

        writer.WriteEnd();
    }

    /// <summary>Writes one batch of other columns.</summary>
    public static void WriteArrow(string path, params (string Name, IArrowArray Values)[] columns)
    {
        var schema = new Schema(columns.Select(column => new Field(column.Name, column.Values.Data.DataType, true)), null);
        using var stream = File.Create(path);
        using var writer = new ArrowFileWriter(stream, schema);
        using var batch = new RecordBatch(schema, columns.Select(column => column.Values), columns[0].Values.Length);
        writer.WriteRecordBatch(batch);
        writer.WriteEnd();
    }

    /// <summary>Lists of floats, of which one may be null, as one element may be.</summary>
    public static IArrowArray Lists(params float?[]?[] rows)
    {
        var lists = new Apache.Arrow.ListArray.Builder(FloatType.Default);
        var elements = (FloatArray.Builder)lists.ValueBuilder;
        foreach (var row in rows)
        {
            if (row is null)
            {
                lists.AppendNull();
                continue;
            }

            lists.Append();
            foreach (var value in row)
            {
                _ = value is null ? elements.AppendNull() : elements.Append(value.Value);
            }
        }

        return lists.Build();
    }

    /// <summary>
    /// A store of LMDB with the official layout, in a branch page over two leaves; values are in the leaves or on overflow pages.
    /// </summary>
    public static byte[] Lmdb(IReadOnlyList<float[]> rows, string shape, bool overflow, int? without = null, string? length = null)
    {
        const int Page = 4096;
        var entries = Enumerable.Range(0, rows.Count).Where(row => row != without)
            .Select(row => (Key: $"{row}", Value: rows[row].SelectMany(BitConverter.GetBytes).ToArray()))
            .Append(("__len__", Bytes(length ?? $"{rows.Count}"))).Append(("__shape__", Bytes(shape)))
            .OrderBy(entry => entry.Item1, StringComparer.Ordinal).ToList();
        var pages = new List<byte[]> { new byte[Page], new byte[Page], new byte[Page] };
        var leaves = new List<(int Number, string FirstKey)>();
        foreach (var half in entries.Chunk((entries.Count + 1) / 2))
        {
            var nodes = new List<byte[]>();
            var number = pages.Count;
            pages.Add([]);
            foreach (var (key, value) in half)
            {
                var big = overflow && key[0] != '_';
                if (big)
                {
                    var first = pages.Count;
                    var stored = new byte[(value.Length + 16 + Page - 1) / Page * Page];
                    Header(stored, first, 4);
                    BinaryPrimitives.WriteInt32LittleEndian(stored.AsSpan(12), stored.Length / Page);
                    value.CopyTo(stored, 16);
                    pages.AddRange(stored.Chunk(Page));
                    nodes.Add(Node(value.Length, 1, key, BitConverter.GetBytes((long)first)));
                }
                else
                {
                    nodes.Add(Node(value.Length, 0, key, value));
                }
            }

            pages[number] = NodePage(number, 2, nodes);
            leaves.Add((number, half[0].Item1));
        }

        pages[2] = NodePage(2, 1, [.. leaves.Select((leaf, i) => Node(leaf.Number, 0, i == 0 ? "" : leaf.FirstKey, []))]);
        for (var meta = 0; meta < 2; meta++)
        {
            Header(pages[meta], meta, 8);
            var at = pages[meta].AsSpan(16);
            BinaryPrimitives.WriteUInt32LittleEndian(at, 0xBEEFC0DE);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], 1);
            BinaryPrimitives.WriteInt32LittleEndian(at[24..], Page);
            BinaryPrimitives.WriteInt64LittleEndian(at[64..], -1);
            BinaryPrimitives.WriteInt64LittleEndian(at[104..], entries.Count);
            // The older one of the two has no data.
            BinaryPrimitives.WriteInt64LittleEndian(at[112..], meta == 0 ? -1 : 2);
            BinaryPrimitives.WriteInt64LittleEndian(at[120..], pages.Count - 1);
            BinaryPrimitives.WriteInt64LittleEndian(at[128..], meta + 1);
        }

        return [.. pages.SelectMany(page => page)];

        static byte[] Bytes(string text) => System.Text.Encoding.ASCII.GetBytes(text);

        static void Header(byte[] page, int number, int flags)
        {
            BinaryPrimitives.WriteInt64LittleEndian(page, number);
            BinaryPrimitives.WriteInt16LittleEndian(page.AsSpan(10), (short)flags);
        }

        static byte[] Node(int low, short flags, string key, byte[] value)
        {
            var node = new byte[8 + key.Length + value.Length + ((key.Length + value.Length) & 1)];
            BinaryPrimitives.WriteInt32LittleEndian(node, low);
            BinaryPrimitives.WriteInt16LittleEndian(node.AsSpan(4), flags);
            BinaryPrimitives.WriteInt16LittleEndian(node.AsSpan(6), (short)key.Length);
            Bytes(key).CopyTo(node, 8);
            value.CopyTo(node, 8 + key.Length);
            return node;
        }

        static byte[] NodePage(int number, int flags, List<byte[]> nodes)
        {
            var page = new byte[Page];
            Header(page, number, flags);
            var (lower, upper) = (16, Page);
            foreach (var node in nodes)
            {
                upper -= node.Length;
                node.CopyTo(page, upper);
                BinaryPrimitives.WriteInt16LittleEndian(page.AsSpan(lower), (short)upper);
                lower += 2;
            }

            Assert.True(lower <= upper);
            BinaryPrimitives.WriteInt16LittleEndian(page.AsSpan(12), (short)lower);
            BinaryPrimitives.WriteInt16LittleEndian(page.AsSpan(14), (short)upper);
            return page;
        }
    }
}
