using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>An array of one number or text per row.</summary>
internal static class ArrayValues
{
    /// <summary>Reads all values.</summary>
    /// <param name="array">The array, of one dimension or with others of length 1.</param>
    /// <exception cref="UnusableLabelsException">Its elements cannot be read.</exception>
    /// <exception cref="DataException">The file is damaged.</exception>
    public static LoadedValues Load(StoredArray array)
    {
        if (array.Problem is { } problem)
        {
            throw new UnusableLabelsException($"{array.Path}: array '{array.Name}': {problem}");
        }

        if (array.Rows > Array.MaxLength)
        {
            throw new UnusableLabelsException($"{array.Path}: array '{array.Name}' has {array.Rows} values, too many for labels");
        }

        if (array.Type == ElementType.Text)
        {
            return new LoadedValues(LabelKind.Text, array.TypeText, null, array.ReadTexts());
        }

        var numbers = array.Type.IsFloat() ? Array.ConvertAll(array.ReadDoubles(), WholeNumber.FromDouble) : array.ReadIntegers();
        return new LoadedValues(array.Type == ElementType.Boolean ? LabelKind.Boolean : LabelKind.Number, array.TypeText, numbers, null);
    }
}
