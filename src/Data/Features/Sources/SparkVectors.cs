using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// Vectors as Spark's ML library writes them: structs of type, size, indices and values. The values of a dense vector (type 1) are a row;
/// those of a sparse one (type 0) are only some of it.
/// </summary>
internal static class SparkVectors
{
    private const string Values = ".values";
    private const long Dense = 1;

    /// <summary>Checks that all vectors are dense, if these are vectors.</summary>
    /// <param name="file">The file.</param>
    /// <param name="column">The column of features.</param>
    /// <exception cref="DataException">One is sparse.</exception>
    public static void Check(ParquetFile file, ParquetColumn column)
    {
        if (!column.Name.EndsWith(Values, StringComparison.Ordinal))
        {
            return;
        }

        var name = column.Name[..^Values.Length];
        if (file.FindColumn($"{name}.type") is not { IsFlat: true, IsInteger: true } type
            || file.FindColumn($"{name}.size") is not { IsFlat: true, IsInteger: true }
            || file.FindColumn($"{name}.indices") is not { IsList: true, IsInteger: true })
        {
            return;
        }

        long row = 0;
        for (var group = 0; group < file.RowGroups.Count; group++)
        {
            FlatColumn.ReadIntegers(file, type, group, (value, isNull) =>
            {
                if (!isNull && value != Dense)
                {
                    throw new DataException($"{file.Path}: column '{name}', row {row}: it is a sparse vector of Spark, expected a dense "
                        + "one; write dense rows, such as by pyspark.ml.functions.vector_to_array");
                }

                row++;
            });
        }
    }
}
