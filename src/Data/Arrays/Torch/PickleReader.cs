using System.Globalization;
using System.Numerics;

namespace MonoLoss.Data;

/// <summary>
/// Builds the values that a pickle of torch describes. It is not an interpreter: it knows the opcodes and names that torch.save writes for
/// tensors, dicts, lists, texts and numbers, and refuses all others.
/// </summary>
internal sealed class PickleReader
{
    /// <summary>Integers from 0 that are not objects of their own.</summary>
    public const int SmallIntegers = 1 << 10;

    private const int MaxDimensions = 64;
    private const int MaxLongBytes = 64;

    // Torch hands the items of a list or dict over in portions of a thousand; other writers hand over all.
    private const int MaxStack = 1 << 22;
    private const int MaxFilled = 1 << 21;

    private static readonly TorchValue None = new(TorchKind.None, null);
    private static readonly TorchValue True = new(TorchKind.Boolean, true);
    private static readonly TorchValue False = new(TorchKind.Boolean, false);
    private static readonly TorchValue EmptyTuple = new(TorchKind.Tuple, Array.Empty<TorchValue>());
    private static readonly TorchValue[] Small =
        [.. Enumerable.Range(0, SmallIntegers).Select(i => new TorchValue(TorchKind.Integer, (long)i))];

    private readonly PickleScan _scan;
    private readonly Func<string, ElementType, long, TorchStorage> _storage;
    private readonly Dictionary<long, object> _memo = [];
    private readonly List<object> _stack = [];
    private readonly List<int> _marks = [];
    private int _filled;

    private PickleReader(PickleScan scan, Func<string, ElementType, long, TorchStorage> storage) => (_scan, _storage) = (scan, storage);

    // What stands on the stack beside values.
    private sealed record Name(PickleGlobal Global, string Text);

    // A tuple may hold names and storages: the arguments of a tensor.
    private sealed record Arguments(object[] Items);

    /// <summary>Reads a pickle.</summary>
    /// <param name="pickle">The bytes.</param>
    /// <param name="scan">What the first look at it found.</param>
    /// <param name="storage">Finds a storage by its key, type and number of elements.</param>
    /// <exception cref="CorruptException">It is damaged, or describes what is not read.</exception>
    public static TorchValue Read(ReadOnlySpan<byte> pickle, PickleScan scan, Func<string, ElementType, long, TorchStorage> storage)
    {
        var reader = new PickleReader(scan, storage);
        var cursor = new PickleCursor(pickle);
        for (cursor.Next(); cursor.Opcode != PickleOpcode.Stop; cursor.Next())
        {
            reader.Do(ref cursor);
            if (reader._stack.Count > MaxStack || reader._filled > MaxFilled)
            {
                throw new CorruptException($"its pickle has more than {MaxFilled} lists and dicts, or {MaxStack} values in one");
            }
        }

        return reader._stack.Count == 1 && reader._marks.Count == 0
            ? Value(reader._stack[0])
            : throw new CorruptException("its pickle ends with something left over");
    }

    private static CorruptException Bad(PickleOpcode opcode) => new($"its pickle is damaged: {opcode} finds something else than it needs");

    private static TorchValue Value(object item) => item as TorchValue
        ?? throw new CorruptException(item is Name name ? $"it holds {name.Text} itself as a value" : "its pickle is damaged");

    private static TorchValue Integer(long value) =>
        value is >= 0 and < SmallIntegers ? Small[value] : new TorchValue(TorchKind.Integer, value);

    private static TorchValue LongInteger(BigInteger value) =>
        value >= long.MinValue && value <= long.MaxValue ? Integer((long)value)
        : value.GetByteCount() <= MaxLongBytes ? new TorchValue(TorchKind.Integer, value)
        : throw new CorruptException("its pickle has an integer of more than 64 bytes");

    private void Do(ref PickleCursor cursor)
    {
        switch (cursor.Opcode)
        {
            case PickleOpcode.Protocol:
                break;
            case PickleOpcode.None:
                _stack.Add(None);
                break;
            case PickleOpcode.NewTrue:
                _stack.Add(True);
                break;
            case PickleOpcode.NewFalse:
                _stack.Add(False);
                break;
            case PickleOpcode.BinInt or PickleOpcode.BinInt1 or PickleOpcode.BinInt2:
                _stack.Add(Integer(cursor.Integer));
                break;
            case PickleOpcode.Long1:
                _stack.Add(LongInteger(cursor.LongInteger));
                break;
            case PickleOpcode.BinFloat:
                _stack.Add(new TorchValue(TorchKind.Float, cursor.Number));
                break;
            case PickleOpcode.BinUnicode:
                _stack.Add(new TorchValue(TorchKind.Text, cursor.Text));
                break;
            case PickleOpcode.Global:
                AddGlobal(cursor.Global);
                break;
            case PickleOpcode.BinGet or PickleOpcode.LongBinGet:
                _stack.Add(_memo.TryGetValue(cursor.Integer, out var item) ? item : throw Bad(cursor.Opcode));
                break;
            case PickleOpcode.BinPut or PickleOpcode.LongBinPut:
                Remember(cursor.Integer);
                break;
            default:
                Combine(cursor.Opcode);
                break;
        }
    }

    // Opcodes that make a value of those on the stack.
    private void Combine(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Mark:
                _marks.Add(_stack.Count);
                break;
            case PickleOpcode.EmptyDictionary:
                _stack.Add(new TorchValue(TorchKind.Dictionary, null));
                break;
            case PickleOpcode.EmptyList:
                _stack.Add(new TorchValue(TorchKind.List, null));
                break;
            case PickleOpcode.EmptyTuple:
                _stack.Add(EmptyTuple);
                break;
            case PickleOpcode.Tuple1 or PickleOpcode.Tuple2 or PickleOpcode.Tuple3:
                _stack.Add(MakeTuple(Pop(opcode, opcode - PickleOpcode.Tuple1 + 1)));
                break;
            case PickleOpcode.Tuple:
                _stack.Add(MakeTuple(PopMark(opcode)));
                break;
            case PickleOpcode.Append:
                Append(opcode, Pop(opcode, 1));
                break;
            case PickleOpcode.Appends:
                Append(opcode, PopMark(opcode));
                break;
            case PickleOpcode.SetItem:
                SetItems(opcode, Pop(opcode, 2));
                break;
            case PickleOpcode.SetItems:
                SetItems(opcode, PopMark(opcode));
                break;
            case PickleOpcode.BinPersistentId:
                _stack.Add(FindStorage(Pop(opcode, 1)[0]));
                break;
            case PickleOpcode.Reduce:
                var call = Pop(opcode, 2);
                _stack.Add(Reduce(call[0], call[1]));
                break;
            case PickleOpcode.Build:
                // The state of an OrderedDict is what a module notes about itself: its versions. Nothing else has one here.
                var state = Pop(opcode, 1)[0];
                if (Top(opcode) is not TorchValue { Kind: TorchKind.Dictionary } || state is not TorchValue)
                {
                    throw Bad(opcode);
                }

                break;
            default:
                throw Bad(opcode);
        }
    }

    private void AddGlobal(string text)
    {
        var global = PickleGlobals.Find(text);
        _stack.Add(global == PickleGlobal.Dtype ? new TorchValue(TorchKind.Text, text) : new Name(global, text));
    }

    private void Remember(long place)
    {
        var item = Top(PickleOpcode.BinPut);
        if (_scan.Used.Contains(place))
        {
            _memo[place] = item;
        }
    }

    // A mark is a floor: what is under it belongs to what is not finished.
    private int Floor => _marks.Count == 0 ? 0 : _marks[^1];

    private object Top(PickleOpcode opcode) => _stack.Count > Floor ? _stack[^1] : throw Bad(opcode);

    private object[] Pop(PickleOpcode opcode, int count)
    {
        if (_stack.Count - Floor < count)
        {
            throw Bad(opcode);
        }

        object[] items = [.. _stack[^count..]];
        _stack.RemoveRange(_stack.Count - count, count);
        return items;
    }

    private object[] PopMark(PickleOpcode opcode)
    {
        if (_marks.Count == 0)
        {
            throw Bad(opcode);
        }

        var items = Pop(opcode, _stack.Count - Floor);
        _marks.RemoveAt(_marks.Count - 1);
        return items;
    }

    private static object MakeTuple(object[] items) => Array.TrueForAll(items, item => item is TorchValue)
        ? new TorchValue(TorchKind.Tuple, Array.ConvertAll(items, item => (TorchValue)item))
        : new Arguments(items);

    private void Append(PickleOpcode opcode, object[] items)
    {
        if (Top(opcode) is not TorchValue { Kind: TorchKind.List } list)
        {
            throw Bad(opcode);
        }

        _filled += list.Items.Count == 0 ? 1 : 0;
        foreach (var item in items)
        {
            list.Append(Value(item));
        }
    }

    private void SetItems(PickleOpcode opcode, object[] items)
    {
        if (Top(opcode) is not TorchValue { Kind: TorchKind.Dictionary } dictionary || items.Length % 2 != 0)
        {
            throw Bad(opcode);
        }

        _filled += dictionary.Entries.Count == 0 ? 1 : 0;
        for (var i = 0; i < items.Length; i += 2)
        {
            var key = Value(items[i]);
            dictionary.Set(key, KeyText(key), Value(items[i + 1]));
        }
    }

    private static string KeyText(TorchValue key) => key.Kind switch
    {
        TorchKind.Text => key.Text!,
        TorchKind.Integer => key.BigInteger!.Value.ToString(CultureInfo.InvariantCulture),
        TorchKind.Float => key.Number!.Value.ToString("R", CultureInfo.InvariantCulture),
        TorchKind.Boolean => key.Boolean!.Value ? "True" : "False",
        TorchKind.None => "None",
        _ => throw new CorruptException($"a key of a dict is a {key.Kind}, expected a text or a number"),
    };

    private static object[] Items(object tuple) => tuple switch
    {
        Arguments arguments => arguments.Items,
        TorchValue { Kind: TorchKind.Tuple } value => [.. value.Items],
        _ => throw Bad(PickleOpcode.Reduce),
    };

    private TorchStorage FindStorage(object id) =>
        id is Arguments { Items: [TorchValue { Text: "storage" }, Name { Global: PickleGlobal.Storage } type, TorchValue { Text: { } key },
            TorchValue { Kind: TorchKind.Text }, TorchValue { Integer: { } count and >= 0 }] }
            ? _storage(key, PickleGlobals.TypeOf(type.Text), count)
            : throw Bad(PickleOpcode.BinPersistentId);

    private static TorchValue Reduce(object callable, object arguments) => (callable, Items(arguments)) switch
    {
        (Name { Global: PickleGlobal.OrderedDict }, []) => new TorchValue(TorchKind.Dictionary, null),
        (Name { Global: PickleGlobal.RebuildTensor }, var items) => RebuildTensor(items),
        (Name { Global: PickleGlobal.RebuildParameter }, [TorchValue { Kind: TorchKind.Tensor } tensor, _, _]) => tensor,
        (Name { Global: PickleGlobal.Size }, [TorchValue { Kind: TorchKind.Tuple } size]) => size,
        (Name { Global: PickleGlobal.Device }, [TorchValue { Text: { } device }]) => new TorchValue(TorchKind.Text, device),
        (Name { Global: PickleGlobal.Device }, [TorchValue { Text: { } device }, TorchValue { Integer: { } index }]) =>
            new TorchValue(TorchKind.Text, $"{device}:{index}"),
        (Name name, _) => throw new CorruptException($"its pickle gives {name.Text} other arguments than torch does"),
        _ => throw Bad(PickleOpcode.Reduce),
    };

    // Arguments: storage, offset, size, strides, requires_grad, hooks; newer versions add flags, without which the values would be wrong.
    private static TorchValue RebuildTensor(object[] items)
    {
        if (items is not [TorchStorage storage, TorchValue { Integer: { } offset and >= 0 }, TorchValue shape, TorchValue strides, _, _, ..]
            || items.Length > 7)
        {
            throw new CorruptException("its pickle gives a tensor other arguments than torch does");
        }

        if (items.Length == 7
            && items[6] is not (TorchValue { Kind: TorchKind.None } or TorchValue { Kind: TorchKind.Dictionary, Entries.Count: 0 }))
        {
            throw new CorruptException("a tensor is flagged as negated or conjugated (torch.resolve_neg, torch.resolve_conj)");
        }

        var (dimensions, steps) = (Numbers(shape), Numbers(strides));
        return dimensions.Length == steps.Length
            ? new TorchValue(TorchKind.Tensor, new TorchTensor(storage, offset, dimensions, steps))
            : throw new CorruptException($"a tensor has {dimensions.Length} dimensions and {steps.Length} strides");
    }

    private static long[] Numbers(TorchValue tuple)
    {
        if (tuple.Kind != TorchKind.Tuple || tuple.Items.Count > MaxDimensions)
        {
            throw new CorruptException("the shape of a tensor is not a tuple of sizes");
        }

        return [.. tuple.Items.Select(item => item.Integer is { } number and >= 0
            ? number
            : throw new CorruptException("found no number of 0 or more as a dimension or stride of a tensor"))];
    }
}
