namespace MonoLoss.Data;

/// <summary>A value to be written to a .pt file: a tensor, a number, a text, or a dict or list of such.</summary>
public sealed class TorchItem
{
    private TorchItem(object? value) => Value = value;

    /// <summary>Python's None.</summary>
    public static TorchItem None { get; } = new(null);

    internal object? Value { get; }

    /// <summary>A text.</summary>
    public static TorchItem Of(string text) => new(text);

    /// <summary>An integer.</summary>
    public static TorchItem Of(long integer) => new(integer);

    /// <summary>A float. With <c>weights_only=True</c> torch 1.13 opens files without floats only; newer versions open all.</summary>
    public static TorchItem Of(double number) => new(number);

    /// <summary>A boolean.</summary>
    public static TorchItem Of(bool boolean) => new(boolean);

    /// <summary>A tensor. Its name is of no importance here.</summary>
    /// <exception cref="ArgumentException">Torch had no such type before version 2.3: unsigned integers of more than 8 bits.</exception>
    public static TorchItem Of(SafeTensor tensor)
    {
        PickleWriter.StorageOf(tensor.Dtype);
        return new(tensor);
    }

    /// <summary>A dict with these entries, in this order.</summary>
    /// <exception cref="ArgumentException">Two entries have the same key.</exception>
    public static TorchItem Dictionary(params IEnumerable<KeyValuePair<string, TorchItem>> entries)
    {
        KeyValuePair<string, TorchItem>[] array = [.. entries];
        return array.DistinctBy(entry => entry.Key).Count() == array.Length
            ? new(array)
            : throw new ArgumentException("two entries have the same key", nameof(entries));
    }

    /// <summary>A dict of tensors by their names: a state dict.</summary>
    /// <exception cref="ArgumentException">Two tensors have the same name, or <see cref="Of(SafeTensor)"/> refuses one.</exception>
    public static TorchItem Dictionary(params IEnumerable<SafeTensor> tensors) =>
        Dictionary(tensors.Select(tensor => KeyValuePair.Create(tensor.Name, Of(tensor))));

    /// <summary>A list.</summary>
    public static TorchItem List(params IEnumerable<TorchItem> items) => new(items.ToArray());
}
