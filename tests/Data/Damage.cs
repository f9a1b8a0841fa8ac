using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

/// <summary>Reads files that may be damaged.</summary>
internal static class Damage
{
    /// <summary>Reads all columns that could be features or labels, of all row groups.</summary>
    public static void ReadAll(FileBytes bytes)
    {
        using var file = ParquetFile.Open(bytes);
        long first = 0;
        for (var g = 0; g < file.RowGroups.Count; g++)
        {
            foreach (var column in file.Columns)
            {
                if (column.IsFloat)
                {
                    var row = new float[column.IsList ? FloatColumn.FirstLength(file, column, g) : 1];
                    using var floats = new FloatColumn(column, row.Length);
                    floats.Open(file, g, first);
                    for (long i = 0; i < file.RowGroups[g]; i++)
                    {
                        floats.Read(row);
                    }
                }
                else if (column.IsInteger)
                {
                    FlatColumn.ReadIntegers(file, column, g, (_, _) => { });
                }
                else if (column.IsString)
                {
                    FlatColumn.ReadTexts(file, column, g, (_, _) => { });
                }
            }

            first += file.RowGroups[g];
        }
    }

    /// <summary>Whether reading succeeds; fails the test if it throws anything but a <see cref="DataException"/> of one line.</summary>
    public static bool Survives(string what, Action read)
    {
        try
        {
            read();
            return true;
        }
        catch (DataException exception)
        {
            Assert.DoesNotContain('\n', exception.Message);
            return false;
        }
        catch (Exception exception)
        {
            Assert.Fail($"{what}: {exception}");
            return false;
        }
    }
}
