using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

/// <summary>
/// The files of apache/parquet-testing. What they hold is known from their CSV files and from DuckDB (fixtures/parquet-testing.tsv
/// has a hash of what it reads, column by column).
/// </summary>
public sealed class ParquetTestingTests
{
    public static TheoryData<string> KnownFiles =>
        [.. Expectations().Select(line => line[0]).Distinct().Order(StringComparer.Ordinal)];

    [SharedDataTheory]
    [MemberData(nameof(KnownFiles))]
    public void ValuesAreThoseThatDuckDbReads(string name)
    {
        using var file = ParquetFile.Open(Good(name));
        foreach (var line in Expectations().Where(line => line[0] == name))
        {
            var column = file.FindColumn(line[1]);
            Assert.True(column is not null, line[1]);
            var values = Texts(file, column, line[2]);
            Assert.Equal(int.Parse(line[3], CultureInfo.InvariantCulture), values.Count);
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', values))))[..12];
            Assert.True(line[4] == hash, $"{name}: {line[1]}: {string.Join(' ', values.Take(8))}");
        }
    }

    [SharedDataTheory]
    [InlineData("delta_binary_packed")]
    [InlineData("delta_byte_array")]
    [InlineData("delta_encoding_required_column")]
    [InlineData("delta_encoding_optional_column")]
    public void ValuesAreThoseOfTheCsvFile(string name)
    {
        using var file = ParquetFile.Open(Good(name + ".parquet"));
        var lines = File.ReadAllLines(Good(name + "_expect.csv"));
        var columns = file.Columns.Select(column => Texts(file, column, column.IsString ? "VARCHAR" : "BIGINT")).ToList();
        Assert.Equal(file.Rows, lines.Length - 1);
        for (var i = 1; i < lines.Length; i++)
        {
            var fields = Csv(lines[i]);
            for (var c = 0; c < columns.Count; c++)
            {
                Assert.Equal(fields[c].Length == 0 ? "null" : fields[c], columns[c][i - 1]);
            }
        }
    }

    [SharedDataTheory]
    [InlineData("hadoop_lz4_compressed", "lz4_raw_compressed")]
    [InlineData("non_hadoop_lz4_compressed", "lz4_raw_compressed")]
    [InlineData("hadoop_lz4_compressed_larger", "lz4_raw_compressed_larger")]
    public void EveryKindOfLz4HoldsTheSame(string name, string other)
    {
        using var file = ParquetFile.Open(Good(name + ".parquet"));
        using var raw = ParquetFile.Open(Good(other + ".parquet"));
        for (var c = 0; c < file.Columns.Count; c++)
        {
            var type = file.Columns[c].Type switch { ParquetType.Int64 => "BIGINT", ParquetType.Double => "DOUBLE", _ => "BLOB" };
            Assert.Equal(Texts(raw, raw.Columns[c], type), Texts(file, file.Columns[c], type));
        }
    }

    [SharedDataFact]
    public void ByteStreamSplitHoldsTheSameAsPlain()
    {
        using var file = ParquetFile.Open(Good("byte_stream_split_extended.gzip.parquet"));
        for (var c = 0; c < file.Columns.Count; c += 2)
        {
            var type = file.Columns[c] switch { { IsFloat: true } => "DOUBLE", { IsInteger: true } => "BIGINT", _ => "BLOB" };
            Assert.Equal(200, file.Rows);
            Assert.Equal(Texts(file, file.Columns[c], type), Texts(file, file.Columns[c + 1], type));
        }
    }

    [SharedDataFact]
    public void BytesOfFixedLengthAreRead()
    {
        using var decimals = ParquetFile.Open(Good("fixed_length_decimal.parquet"));
        var values = decimals.ReadColumn<byte[]>("value", 0).Values;
        Assert.Equal(Enumerable.Range(1, 24).Select(i => i * 100), values.Select(value => (value[^2] << 8) | value[^1]));
        Assert.All(values, value => Assert.Equal(11, value.Length));
        using var stamps = ParquetFile.Open(Good("int96_from_spark.parquet"));
        Assert.Equal("002A1ED963430000978A2500", Convert.ToHexString(stamps.ReadColumn<byte[]>("a", 0).Values[0]));
    }

    [SharedDataFact]
    public void MapsAreListsOfKeysAndOfValues()
    {
        using var file = ParquetFile.Open(Good("map_no_value.parquet"));
        foreach (var name in new[] { "my_map.key_value.key", "my_map_no_v.key_value.key", "my_list" })
        {
            Assert.Equal(["[1,2,3]", "[4,5,6]", "[7,8,9]"], Texts(file, file.FindColumn(name)!, "BIGINT[]"));
        }
    }

    [SharedDataTheory]
    [InlineData("datapage_v1-corrupt-checksum.parquet", "a", "checksum")]
    [InlineData("rle-dict-uncompressed-corrupt-checksum.parquet", "long_field", "checksum")]
    [InlineData("nested_lists.snappy.parquet", "a", "lists of lists")]
    [InlineData("old_list_structure.parquet", "a", "lists of lists")]
    [InlineData("encrypt_columns_plaintext_footer.parquet.encrypted", "float_field", "encrypted")]
    public void WhatIsWrongWithAColumnIsSaidInALine(string name, string column, string problem)
    {
        using var file = ParquetFile.Open(Good(name));
        Throws.Line(() => Texts(file, file.FindColumn(column)!, "BLOB"), name, $"column '{column}'", problem);
    }

    [SharedDataFact]
    public void EncryptedFooterIsSaidInALine()
    {
        var files = Directory.GetFiles(Good(""), "*.encrypted")
            .Where(path => !path.Contains("plaintext", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(files);
        foreach (var path in files)
        {
            Throws.Line(() => ParquetFile.Open(path), Path.GetFileName(path), "encrypted");
        }
    }

    [SharedDataFact]
    public void EveryBadFileIsRefused()
    {
        // Odd but not wrong: indexes of no bits into a dictionary of one value. DuckDB and hyparquet read it, too.
        const string Readable = "ARROW-GH-43605.parquet";
        var files = Directory.GetFiles(SharedData.File("parquet-testing", "bad_data"), "*.parquet");
        Assert.Equal(8, files.Length);
        foreach (var path in files.Where(path => Path.GetFileName(path) != Readable))
        {
            Throws.Line(() => Damage.ReadAll(path), Path.GetFileName(path));
        }

        using var file = ParquetFile.Open(SharedData.File("parquet-testing", "bad_data", Readable));
        Assert.Equal(new long[21186], file.ReadColumn<long>("min_fl", 0).Values);
    }

    private static string Good(string name) => SharedData.File("parquet-testing", "data", name);

    private static IEnumerable<string[]> Expectations() =>
        File.ReadLines(Fixtures.File("parquet-testing.tsv")).Select(line => line.Split('\t'));

    private static List<string> Csv(string line)
    {
        var fields = new List<string>();
        var quoted = false;
        var field = new StringBuilder();
        foreach (var character in line)
        {
            if (character == '"')
            {
                quoted = !quoted;
            }
            else if (character == ',' && !quoted)
            {
                fields.Add(field.ToString());
                field.Clear();
            }
            else
            {
                field.Append(character);
            }
        }

        fields.Add(field.ToString());
        return fields;
    }

    private static List<string> Texts(ParquetFile file, ParquetColumn column, string type)
    {
        var texts = new List<string>();
        for (var g = 0; g < file.RowGroups.Count; g++)
        {
            texts.AddRange(type.TrimEnd('[', ']') switch
            {
                "VARCHAR" => Texts(file.ReadColumn<string>(column, g), text => text),
                "BLOB" => Texts(file.ReadColumn<byte[]>(column, g), Convert.ToHexStringLower),
                "BOOLEAN" => Texts(file.ReadColumn<bool>(column, g), value => value ? "true" : "false"),
                "FLOAT" or "DOUBLE" => Texts(file.ReadColumn<double>(column, g), value =>
                    double.IsNaN(value) ? "NaN" : BitConverter.DoubleToUInt64Bits(value).ToString("x16", CultureInfo.InvariantCulture)),
                _ => Texts(file.ReadColumn<long>(column, g), value => value.ToString(CultureInfo.InvariantCulture)),
            });
        }

        return texts;
    }

    private static IEnumerable<string> Texts<T>(ParquetValues<T> column, Func<T, string> text)
    {
        var values = column.Values.Select((value, i) => column.IsNull(i) ? "null" : text(value)).ToArray();
        return column.Offsets is not { } offsets
            ? values
            : Enumerable.Range(0, offsets.Length - 1).Select(row => column.NullRows is not null && column.NullRows[row]
                ? "null"
                : $"[{string.Join(',', values[offsets[row]..offsets[row + 1]])}]");
    }
}
