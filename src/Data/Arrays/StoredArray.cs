using System.Numerics;

namespace MonoLoss.Data;

/// <summary>
/// An array in a file. Nothing of it is in memory: rows are read on request, from any position, by any number of threads. Beside the
/// caller's buffer a read takes 1 MiB at most.
/// </summary>
public abstract class StoredArray
{
    private protected StoredArray(string path, string name, ElementType type, IReadOnlyList<long> shape)
    {
        (Path, Name, Type, Shape) = (path, name, type, shape);
        (Rows, RowLength) = (shape.Count == 0 ? 1 : shape[0], 1);
        for (var i = 1; i < shape.Count; i++)
        {
            RowLength *= shape[i];
        }
    }

    /// <summary>The file's path, as given.</summary>
    public string Path { get; }

    /// <summary>The name in the file.</summary>
    public string Name { get; }

    /// <summary>The type of the elements.</summary>
    public ElementType Type { get; }

    /// <summary>The dimensions; none for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The first dimension; 1 for a scalar.</summary>
    public long Rows { get; }

    /// <summary>The elements of a row: the product of all dimensions but the first.</summary>
    public long RowLength { get; }

    /// <summary>Number of elements.</summary>
    public long Count => Rows * RowLength;

    /// <summary>The shape in words, such as 3×4.</summary>
    public string ShapeText => Shape.Count == 0 ? "scalar" : string.Join("×", Shape);

    /// <summary>The type in words, such as float32.</summary>
    public virtual string TypeText => Type.NameOf();

    /// <summary>Why the elements cannot be read, in words that follow the array's name; null if they can.</summary>
    public virtual string? Problem => null;

    /// <summary>Reads whole rows as float32, each element rounded to the nearest.</summary>
    /// <param name="firstRow">The first row wanted.</param>
    /// <param name="target">Receives as many rows as it has room for, row-major.</param>
    /// <exception cref="ArgumentException">There are not so many rows, or the target's length is not a multiple of a row's.</exception>
    /// <exception cref="DataException">The elements are not numbers, or the file is damaged.</exception>
    public void ReadRows(long firstRow, Span<float> target) => ReadNumbers(firstRow, target);

    /// <summary>Reads whole rows as float64.</summary>
    /// <inheritdoc cref="ReadRows(long, Span{float})"/>
    public void ReadRows(long firstRow, Span<double> target) => ReadNumbers(firstRow, target);

    /// <summary>Reads whole rows of integers or booleans, of which a row may be one element.</summary>
    /// <exception cref="DataException">The elements are not integers, or the file is damaged.</exception>
    /// <inheritdoc cref="ReadRows(long, Span{float})"/>
    public void ReadRows(long firstRow, Span<Int128> target)
    {
        if (Type.IsFloat())
        {
            throw Failure($"it is {TypeText}, expected integers");
        }

        ReadNumbers(firstRow, target);
    }

    /// <summary>Reads whole rows of texts.</summary>
    /// <exception cref="DataException">The elements are not texts, or the file is damaged.</exception>
    /// <inheritdoc cref="ReadRows(long, Span{float})"/>
    public void ReadRows(long firstRow, Span<string> target)
    {
        Check(firstRow, target.Length);
        if (Problem is not null || Type != ElementType.Text)
        {
            throw Failure(Problem ?? $"it is {TypeText}, expected texts");
        }

        try
        {
            ReadTextsCore(firstRow, target);
        }
        catch (Exception exception) when (IsDamage(exception))
        {
            throw Failure(exception.Message, exception);
        }
    }

    /// <summary>Reads all elements as float32.</summary>
    /// <exception cref="DataException">The elements are not numbers, too many for an array, or the file is damaged.</exception>
    public float[] ReadFloats()
    {
        var values = Allocate<float>();
        ReadRows(0, values);
        return values;
    }

    /// <summary>Reads all elements as float64.</summary>
    /// <inheritdoc cref="ReadFloats"/>
    public double[] ReadDoubles()
    {
        var values = Allocate<double>();
        ReadRows(0, values);
        return values;
    }

    /// <summary>Reads all elements, integers or booleans.</summary>
    /// <exception cref="DataException">The elements are not integers, too many for an array, or the file is damaged.</exception>
    public Int128[] ReadIntegers()
    {
        var values = Allocate<Int128>();
        ReadRows(0, values);
        return values;
    }

    /// <summary>Reads all elements, texts.</summary>
    /// <exception cref="DataException">The elements are not texts, too many for an array, or the file is damaged.</exception>
    public string[] ReadTexts()
    {
        var values = Allocate<string>();
        ReadRows(0, values);
        return values;
    }

    /// <summary>Reads all elements into a buffer of their number.</summary>
    internal void ReadAll<T>(Span<T> target)
        where T : unmanaged, INumberBase<T> => ReadNumbers(0, target);

    /// <summary>The number of elements of a shape.</summary>
    /// <exception cref="CorruptException">There are too many dimensions or elements.</exception>
    internal static long CountOf(IReadOnlyList<long> shape)
    {
        const int MaxDimensions = 64;
        if (shape.Count > MaxDimensions)
        {
            throw new CorruptException($"it has {shape.Count} dimensions");
        }

        // Dimensions of 0 must not hide those whose product is too large for a row.
        Int128 product = 1;
        foreach (var dimension in shape)
        {
            product *= Math.Max(1, dimension);
            if (product > long.MaxValue / 64)
            {
                throw new CorruptException($"{string.Join("×", shape)} elements are too many");
            }
        }

        return shape.Contains(0) ? 0 : (long)product;
    }

    /// <summary>Whether an exception is the fault of the file and not of the program.</summary>
    internal static bool IsDamage(Exception exception) =>
        exception is CorruptException or IOException or UnauthorizedAccessException or InvalidDataException;

    /// <summary>The exception for the user about this array.</summary>
    internal DataException Failure(string why, Exception? inner = null) => new($"{Path}: array '{Name}': {why}", inner);

    private protected abstract void ReadNumbersCore<T>(long firstRow, Span<T> target)
        where T : unmanaged, INumberBase<T>;

    private protected abstract void ReadTextsCore(long firstRow, Span<string> target);

    private void ReadNumbers<T>(long firstRow, Span<T> target)
        where T : unmanaged, INumberBase<T>
    {
        Check(firstRow, target.Length);
        if (Problem is not null || !Type.IsNumber())
        {
            throw Failure(Problem ?? $"it is {TypeText}, expected numbers");
        }

        if (target.IsEmpty)
        {
            return;
        }

        try
        {
            ReadNumbersCore(firstRow, target);
        }
        catch (Exception exception) when (IsDamage(exception))
        {
            throw Failure(exception.Message, exception);
        }
    }

    private void Check(long firstRow, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstRow, Rows);
        if (length > 0 && (RowLength == 0 || length % RowLength != 0 || length / RowLength > Rows - firstRow))
        {
            throw new ArgumentException($"{length} elements from row {firstRow} of an array of {ShapeText}");
        }
    }

    private T[] Allocate<T>() => Count <= Array.MaxLength
        ? new T[Count]
        : throw Failure($"it has {Count} elements, too many to be read at once");
}
