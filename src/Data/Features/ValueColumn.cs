using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Values beside the features, one per row or a list of them: labels, ids, paths. Files are opened when it is read.</summary>
internal abstract class ValueColumn : IDisposable
{
    /// <summary>What the values are.</summary>
    public abstract LabelKind Kind { get; }

    /// <summary>Whether a row has a list of them.</summary>
    public virtual bool AreLists => false;

    /// <summary>What they are stored as, for a message.</summary>
    public abstract string TypeText { get; }

    /// <summary>The names that the file has for numbers of classes; null if it has none.</summary>
    public virtual IReadOnlyList<string>? ClassNames => null;

    /// <summary>Reads the numbers or booleans of a row group; see <see cref="WholeNumber"/> for those that are not whole.</summary>
    /// <param name="rowGroup">Its index.</param>
    /// <param name="take">Called for each value, and for each row without one.</param>
    /// <exception cref="DataException">The file is damaged.</exception>
    public abstract void Read(int rowGroup, ElementReader<Int128> take);

    /// <summary>Reads the texts of a row group.</summary>
    /// <inheritdoc cref="Read(int, ElementReader{Int128})"/>
    public abstract void Read(int rowGroup, ElementReader<string> take);

    /// <summary>Closes the file.</summary>
    public abstract void Dispose();
}
