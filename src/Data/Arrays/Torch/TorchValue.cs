using System.Numerics;

namespace MonoLoss.Data;

/// <summary>What a value in a .pt file is.</summary>
public enum TorchKind
{
    /// <summary>None.</summary>
    None,

    /// <summary>A boolean.</summary>
    Boolean,

    /// <summary>An integer.</summary>
    Integer,

    /// <summary>A float.</summary>
    Float,

    /// <summary>A text; types and devices of torch are texts too, such as torch.float32.</summary>
    Text,

    /// <summary>A list.</summary>
    List,

    /// <summary>A tuple.</summary>
    Tuple,

    /// <summary>A dict or an OrderedDict.</summary>
    Dictionary,

    /// <summary>A tensor, which is found in the file's arrays by its dotted name.</summary>
    Tensor,
}

/// <summary>A value in a .pt file: configurations stand beside tensors.</summary>
public sealed class TorchValue
{
    private object? _value;

    internal TorchValue(TorchKind kind, object? value) => (Kind, _value) = (kind, value);

    /// <summary>What it is.</summary>
    public TorchKind Kind { get; }

    /// <summary>The items of a list or tuple; none for other kinds.</summary>
    public IReadOnlyList<TorchValue> Items => _value as IReadOnlyList<TorchValue> ?? [];

    /// <summary>The entries of a dict, in its order; none for other kinds. Keys that are numbers become text.</summary>
    public IReadOnlyList<KeyValuePair<string, TorchValue>> Entries => Dictionary?.Entries ?? [];

    /// <summary>The text, if it is one.</summary>
    public string? Text => Kind == TorchKind.Text ? (string?)_value : null;

    /// <summary>The boolean, if it is one.</summary>
    public bool? Boolean => Kind == TorchKind.Boolean ? (bool)_value! : null;

    /// <summary>The integer, if it is one that fits 64 bits.</summary>
    public long? Integer => Kind == TorchKind.Integer && _value is long integer ? integer : null;

    /// <summary>The number as a float64, if it is an integer or a float.</summary>
    public double? Number => _value switch
    {
        double number => number,
        long integer => integer,
        BigInteger integer => (double)integer,
        _ => null,
    };

    private TorchDictionary? Dictionary => _value as TorchDictionary;

    internal TorchTensor? Tensor => _value as TorchTensor;

    /// <summary>The integer of any size, if it is one.</summary>
    internal BigInteger? BigInteger => _value switch
    {
        long integer => integer,
        BigInteger integer => integer,
        _ => null,
    };

    /// <summary>What a dict has under a key; null if it is not a dict or has no such key.</summary>
    public TorchValue? this[string key] => Dictionary?.Find(key);

    // Lists and dicts that stay empty, of which a pickle may have many, are not objects of their own.
    internal void Append(TorchValue item) => ((List<TorchValue>)(_value ??= new List<TorchValue>())).Add(item);

    internal void Set(TorchValue key, string name, TorchValue item) =>
        ((TorchDictionary)(_value ??= new TorchDictionary())).Set(key.Kind, name, item);
}

/// <summary>A dict, in the order in which its keys were first set.</summary>
internal sealed class TorchDictionary
{
    private const int SearchedOneByOne = 8;

    private readonly List<KeyValuePair<string, TorchValue>> _entries = [];
    private readonly List<TorchKind> _kinds = [];
    private Dictionary<(TorchKind Kind, string Key), int>? _places;

    /// <summary>The entries in order.</summary>
    public IReadOnlyList<KeyValuePair<string, TorchValue>> Entries => _entries;

    /// <summary>Sets an entry. Keys of different kinds are different: 1 is not '1'.</summary>
    public void Set(TorchKind kind, string key, TorchValue value)
    {
        var place = PlaceOf(kind, key);
        if (place >= 0)
        {
            _entries[place] = new(key, value);
            return;
        }

        _places?.Add((kind, key), _entries.Count);
        _entries.Add(new(key, value));
        _kinds.Add(kind);
        if (_places is null && _entries.Count > SearchedOneByOne)
        {
            _places = Enumerable.Range(0, _entries.Count).ToDictionary(i => (_kinds[i], _entries[i].Key));
        }
    }

    /// <summary>Finds an entry.</summary>
    public TorchValue? Find(string key)
    {
        var place = PlaceOf(TorchKind.Text, key);
        place = place < 0 ? PlaceOf(TorchKind.Integer, key) : place;
        return place < 0 ? null : _entries[place].Value;
    }

    private int PlaceOf(TorchKind kind, string key)
    {
        if (_places is not null)
        {
            return _places.TryGetValue((kind, key), out var place) ? place : -1;
        }

        var i = _entries.Count - 1;
        while (i >= 0 && !(_kinds[i] == kind && _entries[i].Key == key))
        {
            i--;
        }

        return i;
    }
}

/// <summary>A tensor as a pickle describes it.</summary>
/// <param name="Storage">The numbers.</param>
/// <param name="Offset">Index of its first element in the storage.</param>
/// <param name="Shape">The dimensions.</param>
/// <param name="Strides">Elements from one position of a dimension to the next.</param>
internal sealed record TorchTensor(TorchStorage Storage, long Offset, long[] Shape, long[] Strides);

/// <summary>The numbers of one or more tensors.</summary>
/// <param name="Key">The name of the file in the folder data.</param>
/// <param name="Type">The type of the numbers.</param>
/// <param name="Source">The file's bytes.</param>
internal sealed record TorchStorage(string Key, ElementType Type, ByteSource Source);
