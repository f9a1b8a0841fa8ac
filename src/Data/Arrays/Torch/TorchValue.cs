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
    private readonly object? _value;

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

    internal TorchDictionary? Dictionary => _value as TorchDictionary;

    internal TorchTensor? Tensor => _value as TorchTensor;

    internal List<TorchValue>? List => Kind == TorchKind.List ? (List<TorchValue>)_value! : null;

    /// <summary>The integer of any size, if it is one.</summary>
    internal BigInteger? BigInteger => _value switch
    {
        long integer => integer,
        BigInteger integer => integer,
        _ => null,
    };

    /// <summary>What a dict has under a key; null if it is no dict or has no such key.</summary>
    public TorchValue? this[string key] => Dictionary?.Find(key);
}

/// <summary>A dict, in the order in which its keys were first set.</summary>
internal sealed class TorchDictionary
{
    private readonly Dictionary<(TorchKind Kind, string Key), int> _places = [];
    private readonly List<KeyValuePair<string, TorchValue>> _entries = [];

    /// <summary>The entries in order.</summary>
    public IReadOnlyList<KeyValuePair<string, TorchValue>> Entries => _entries;

    /// <summary>Sets an entry. Keys of different kinds are different: 1 is not '1'.</summary>
    public void Set(TorchKind kind, string key, TorchValue value)
    {
        if (_places.TryAdd((kind, key), _entries.Count))
        {
            _entries.Add(new(key, value));
        }
        else
        {
            _entries[_places[(kind, key)]] = new(key, value);
        }
    }

    /// <summary>Finds an entry.</summary>
    public TorchValue? Find(string key) =>
        _places.TryGetValue((TorchKind.Text, key), out var place) || _places.TryGetValue((TorchKind.Integer, key), out place)
            ? _entries[place].Value
            : null;
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
