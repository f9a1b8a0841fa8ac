using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

/// <summary>Reads files that may be damaged.</summary>
internal static class Damage
{
    /// <summary>Reads all columns of all row groups.</summary>
    public static void ReadAll(string path)
    {
        using var file = ParquetFile.Open(path);
        for (var g = 0; g < file.RowGroups.Count; g++)
        {
            foreach (var column in file.Columns)
            {
                switch (column.Type)
                {
                    case ParquetType.Boolean:
                        file.ReadColumn<bool>(column, g);
                        break;
                    case ParquetType.Int32 or ParquetType.Int64:
                        file.ReadColumn<long>(column, g);
                        break;
                    case ParquetType.Float or ParquetType.Double:
                        file.ReadColumn<double>(column, g);
                        break;
                    case ParquetType.ByteArray when column.IsString:
                        file.ReadColumn<string>(column, g);
                        break;
                    case ParquetType.FixedLenByteArray when column.IsFloat:
                        file.ReadColumn<float>(column, g);
                        break;
                    default:
                        file.ReadColumn<byte[]>(column, g);
                        break;
                }
            }
        }
    }

    /// <summary>Reads all features.</summary>
    public static void ReadFeatures(string path, string? column)
    {
        var set = FeatureSet.Open(path, new FeatureSetOptions { FeaturesColumn = column });
        using var reader = set.OpenReader();
        var x = new float[checked(16 * set.Dimension)];
        while (reader.Read(x) > 0)
        {
        }
    }

    /// <summary>Whether reading succeeds; fails the test if it ends in anything but a line.</summary>
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
