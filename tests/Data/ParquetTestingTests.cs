using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

/// <summary>
/// The files of apache/parquet-testing, as far as they have columns that could be features or labels: floats and lists of floats, integers
/// and texts. Their values are known from their CSV files and from DuckDB (fixtures/parquet-testing.tsv has a hash of what it reads,
/// column by column).
/// </summary>
public sealed class ParquetTestingTests
{
    public static TheoryData<string> KnownFiles =>
        [.. Expectations().Select(line => line[0]).Distinct().Order(StringComparer.Ordinal)];

    [SharedDataTheory]
    [MemberData(nameof(KnownFiles))]
    public void Values_are_those_that_DuckDB_reads(string name)
    {
        using var file = ParquetFile.Open(Good(name));
        foreach (var line in Expectations().Where(line => line[0] == name))
        {
            var column = file.FindColumn(line[1]);
            Assert.True(column is not null, line[1]);
            if (line[4] == "null")
            {
                Throws.Line(() => Texts(file, column, line[2]), name, $"column '{line[1]}'", "null");
                continue;
            }

            var values = Texts(file, column, line[2]);
            Assert.Equal(int.Parse(line[3], CultureInfo.InvariantCulture), values.Count);
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', values))))[..12];
            Assert.True(line[4] == hash, $"{name}: {line[1]}: {string.Join(' ', values.Take(8))}");
        }
    }

    [SharedDataTheory]
    [InlineData("delta_binary_packed", 65)]
    [InlineData("delta_byte_array", 0)]
    [InlineData("delta_encoding_required_column", 9)]
    [InlineData("delta_encoding_optional_column", 9)]
    public void Values_are_those_of_the_CSV_file(string name, int integers)
    {
        using var file = ParquetFile.Open(Good(name + ".parquet"));
        var lines = File.ReadAllLines(Good(name + "_expect.csv")).Skip(1).Select(Csv).ToList();
        var read = 0;
        for (var c = 0; c < file.Columns.Count; c++)
        {
            var expected = lines.Select(line => line[c].Length == 0 ? "null" : line[c]);
            Assert.Equal(expected, Texts(file, file.Columns[c], file.Columns[c].IsString ? "VARCHAR" : "BIGINT"));
            read += file.Columns[c].IsInteger ? 1 : 0;
        }

        Assert.True(read >= integers, $"{read}");
    }

    [SharedDataTheory]
    [InlineData("hadoop_lz4_compressed", "lz4_raw_compressed")]
    [InlineData("non_hadoop_lz4_compressed", "lz4_raw_compressed")]
    [InlineData("hadoop_lz4_compressed_larger", "lz4_raw_compressed_larger")]
    public void Every_kind_of_LZ4_holds_the_same(string name, string other)
    {
        using var file = ParquetFile.Open(Good(name + ".parquet"));
        using var raw = ParquetFile.Open(Good(other + ".parquet"));
        for (var c = 0; c < file.Columns.Count; c++)
        {
            var type = file.Columns[c] switch { { IsInteger: true } => "BIGINT", { IsFloat: true } => "DOUBLE", _ => "VARCHAR" };
            Assert.Equal(Texts(raw, raw.Columns[c], type), Texts(file, file.Columns[c], type));
        }
    }

    [SharedDataFact]
    public void Byte_stream_split_holds_the_same_as_plain()
    {
        using var file = ParquetFile.Open(Good("byte_stream_split_extended.gzip.parquet"));
        Assert.Equal(200, file.Rows);
        for (var c = 0; c < file.Columns.Count; c += 2)
        {
            if (file.Columns[c].IsFloat || file.Columns[c].IsInteger)
            {
                var type = file.Columns[c].IsFloat ? "DOUBLE" : "BIGINT";
                Assert.Equal(Texts(file, file.Columns[c], type), Texts(file, file.Columns[c + 1], type));
            }
        }
    }

    [SharedDataTheory]
    [InlineData("datapage_v1-corrupt-checksum.parquet", "a", "checksum")]
    [InlineData("rle-dict-uncompressed-corrupt-checksum.parquet", "long_field", "checksum")]
    [InlineData("nested_lists.snappy.parquet", "a", "list<list<")]
    [InlineData("old_list_structure.parquet", "a", "list<list<")]
    [InlineData("encrypt_columns_plaintext_footer.parquet.encrypted", "float_field", "encrypted")]
    public void Column_that_cannot_be_read_gives_one_line(string name, string column, string problem)
    {
        using var file = ParquetFile.Open(Good(name));
        Throws.Line(() => Texts(file, file.FindColumn(column)!, "BIGINT"), name, $"column '{column}'", problem);
    }

    [SharedDataFact]
    public void Encrypted_footer_gives_one_line()
    {
        var files = Directory.GetFiles(Good(""), "*.encrypted")
            .Where(path => !path.Contains("plaintext", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(files);
        foreach (var path in files)
        {
            Throws.Line(() => ParquetFile.Open(path), Path.GetFileName(path), "encrypted");
        }
    }

    [SharedDataTheory]
    [InlineData("ARROW-GH-45185.parquet")]
    [InlineData("ARROW-RS-GH-6229-DICTHEADER.parquet")]
    [InlineData("PARQUET-1481.parquet")]
    public void Bad_file_is_refused(string name) => Throws.Line(() => Damage.ReadAll(FileBytes.Open(Bad(name))), name);

    [SharedDataFact]
    public void Bad_levels_of_a_column_that_holds_no_features_are_not_read()
    {
        // The page has fewer repetition levels than values. Its column, the only one, is in a list of structs and only has nulls by
        // its type, so it is neither features nor labels.
        const string Name = "ARROW-RS-GH-6229-LEVELS.parquet";
        using var file = ParquetFile.Open(Bad(Name));
        var column = Assert.Single(file.Columns);
        Assert.Equal("list<null>, a field of a list of structs", column.ToString());
        Assert.False(column.IsNumber || column.IsString);
        Throws.Line(() => FeatureSet.Open(Bad(Name)), Name, "no column holds lists of numbers");
        Throws.Line(() => FlatColumn.ReadIntegers(file, column, 0, (_, _) => { }), Name, "list<null>");
        // The levels are refused where they are read.
        Throws.Line(
            () => FlatColumn.ReadElements(file, column, 0, new NumberReader<int>(), (_, _, _) => { }), Name, "column 'outer.c'");
    }

    [SharedDataFact]
    public void Bad_files_do_no_harm()
    {
        // What is wrong with some is in columns of types that are neither features nor labels.
        var files = Directory.GetFiles(Bad(""), "*.parquet");
        Assert.Equal(8, files.Length);
        foreach (var path in files)
        {
            Damage.Survives(path, () => Damage.ReadAll(FileBytes.Open(path)));
        }

        // Odd but not wrong: indexes of no bits into a dictionary of one value. DuckDB and hyparquet read it, too.
        using var file = ParquetFile.Open(Bad("ARROW-GH-43605.parquet"));
        Assert.Equal(Enumerable.Repeat("0", 21186), Texts(file, file.FindColumn("min_fl")!, "BIGINT"));
    }

    private static string Bad(string name) => SharedData.File("parquet-testing", "bad_data", name);

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

    // The values of a column as text, floats as the bits of a float64.
    private static List<string> Texts(ParquetFile file, ParquetColumn column, string type)
    {
        var texts = new List<string>();
        long first = 0;
        for (var g = 0; g < file.RowGroups.Count; g++)
        {
            switch (type)
            {
                case "VARCHAR":
                    FlatColumn.ReadTexts(file, column, g, (value, isNull) => texts.Add(isNull ? "null" : value));
                    break;
                case "BIGINT":
                    FlatColumn.ReadIntegers(
                        file, column, g, (value, isNull) => texts.Add(isNull ? "null" : value.ToString(CultureInfo.InvariantCulture)));
                    break;
                case "DOUBLE" when column is { IsList: false, Type: Parquet.Meta.Type.DOUBLE }:
                    FlatColumn.ReadDoubles(file, column, g, (value, isNull) => texts.Add(isNull ? "null" : Bits(value)));
                    break;
                default:
                    var width = column.IsList ? FloatColumn.FirstLength(file, column, 0) : 1;
                    using (var floats = new FloatColumn(column, width))
                    {
                        var row = new float[width];
                        floats.Open(file, g, first);
                        for (var i = 0; i < file.RowGroups[g]; i++)
                        {
                            floats.Read(row);
                            var values = string.Join(',', row.Select(value => Bits(value)));
                            texts.Add(column.IsList ? $"[{values}]" : values);
                        }
                    }

                    break;
            }

            first += file.RowGroups[g];
        }

        return texts;
    }

    private static string Bits(double value) => double.IsNaN(value)
        ? "NaN"
        : BitConverter.DoubleToUInt64Bits(value).ToString("x16", CultureInfo.InvariantCulture);
}
