using System.Globalization;

namespace MonoLoss.Data;

/// <summary>Gives the tensors and plain lists in a .pt file their names.</summary>
/// <param name="path">The file.</param>
/// <param name="bigEndian">Its byte order.</param>
/// <param name="opcodes">Number of opcodes in its pickle.</param>
internal sealed class TorchNames(string path, bool bigEndian, int opcodes)
{
    private const int MaxDepth = 64;
    private const int MaxName = 1 << 12;
    private const string BareTensor = "tensor";

    // The same list may stand in several places, and in lists that do: a small file could describe endlessly many.
    private readonly long _maxVisits = 1024 + (2L * opcodes);
    private readonly List<StoredArray> _arrays = [];
    private readonly List<StoredArray> _lists = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private long _visits;

    /// <summary>The tensors.</summary>
    public IReadOnlyList<StoredArray> Arrays => _arrays;

    /// <summary>The lists of texts only or integers only.</summary>
    public IReadOnlyList<StoredArray> Lists => _lists;

    /// <summary>Adds what a value holds.</summary>
    /// <exception cref="CorruptException">
    /// It is nested too deeply, or two tensors have the same name, or one does not fit its storage.
    /// </exception>
    public void Add(TorchValue root) => Add(root, "", 0);

    private void Add(TorchValue value, string name, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new CorruptException($"its values are nested more than {MaxDepth} deep");
        }

        if (++_visits > _maxVisits)
        {
            throw new CorruptException("its values refer to each other too often");
        }

        if (value.Tensor is { } tensor)
        {
            AddTensor(tensor, name.Length == 0 ? BareTensor : name);
            return;
        }

        foreach (var (key, item) in value.Entries)
        {
            Add(item, Join(name, key), depth + 1);
        }

        if (value.Items.Count > 0 && !AddList(value.Items, name))
        {
            for (var i = 0; i < value.Items.Count; i++)
            {
                Add(value.Items[i], Join(name, i.ToString(CultureInfo.InvariantCulture)), depth + 1);
            }
        }
    }

    private static string Join(string name, string key) => name.Length + key.Length < MaxName
        ? name.Length == 0 ? key : $"{name}.{key}"
        : throw new CorruptException($"a name in it has more than {MaxName} characters");

    private bool AddList(IReadOnlyList<TorchValue> items, string name)
    {
        if (items.All(item => item.Kind == TorchKind.Text))
        {
            _lists.Add(ListArray.OfTexts(path, name, items.Count, i => items[i].Text!));
            return true;
        }

        if (items.All(item => item.Integer is not null))
        {
            _lists.Add(ListArray.OfIntegers(path, name, items.Count, i => items[i].Integer!.Value));
            return true;
        }

        return false;
    }

    private void AddTensor(TorchTensor tensor, string name)
    {
        if (!_names.Add(name))
        {
            throw new CorruptException($"two tensors are named '{name}'");
        }

        var (storage, size) = (tensor.Storage, tensor.Storage.Type.SizeOf());
        if (tensor.Offset > storage.Source.Length / size)
        {
            throw new CorruptException($"tensor '{name}' begins beyond its storage 'data/{storage.Key}'");
        }

        try
        {
            _arrays.Add(new StridedArray(
                path,
                name,
                storage.Type,
                tensor.Shape,
                new StridedLayout(storage.Source, tensor.Offset * size, tensor.Strides, bigEndian)));
        }
        catch (CorruptException exception)
        {
            throw new CorruptException($"tensor '{name}' in storage 'data/{storage.Key}': {exception.Message}");
        }
    }
}
