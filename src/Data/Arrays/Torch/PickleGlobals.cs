namespace MonoLoss.Data;

/// <summary>What a name in a pickle stands for.</summary>
internal enum PickleGlobal
{
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Size,
    Device,
    Storage,
    Dtype,
}

/// <summary>The names that a pickle may use. None of them is a function that runs: they say what the values after them describe.</summary>
internal static class PickleGlobals
{
    private static readonly Dictionary<string, PickleGlobal> Known = new(StringComparer.Ordinal)
    {
        ["collections.OrderedDict"] = PickleGlobal.OrderedDict,
        ["torch._utils._rebuild_tensor_v2"] = PickleGlobal.RebuildTensor,
        ["torch._utils._rebuild_parameter"] = PickleGlobal.RebuildParameter,
        ["torch.Size"] = PickleGlobal.Size,
        ["torch.device"] = PickleGlobal.Device,
    };

    private static readonly Dictionary<string, ElementType> Storages = new(StringComparer.Ordinal)
    {
        ["torch.HalfStorage"] = ElementType.Float16,
        ["torch.BFloat16Storage"] = ElementType.BFloat16,
        ["torch.FloatStorage"] = ElementType.Float32,
        ["torch.DoubleStorage"] = ElementType.Float64,
        ["torch.CharStorage"] = ElementType.Int8,
        ["torch.ShortStorage"] = ElementType.Int16,
        ["torch.IntStorage"] = ElementType.Int32,
        ["torch.LongStorage"] = ElementType.Int64,
        ["torch.ByteStorage"] = ElementType.UInt8,
        ["torch.BoolStorage"] = ElementType.Boolean,
    };

    // A config may name the type it was trained in.
    private static readonly HashSet<string> Dtypes = new(StringComparer.Ordinal)
    {
        "torch.float16", "torch.bfloat16", "torch.float32", "torch.float64", "torch.int8", "torch.int16", "torch.int32", "torch.int64",
        "torch.uint8", "torch.bool",
    };

    /// <summary>Finds a name.</summary>
    /// <param name="name">Module and name.</param>
    /// <exception cref="CorruptException">It is not in the list.</exception>
    public static PickleGlobal Find(string name)
    {
        if (Known.TryGetValue(name, out var global))
        {
            return global;
        }

        return Storages.ContainsKey(name) ? PickleGlobal.Storage
            : Dtypes.Contains(name) ? PickleGlobal.Dtype
            : throw new CorruptException(Refusal(name));
    }

    /// <summary>The element type of a storage.</summary>
    public static ElementType TypeOf(string name) => Storages[name];

    private static string Refusal(string name)
    {
        if (name.StartsWith("torch.", StringComparison.Ordinal))
        {
            var kind = name switch
            {
                _ when name.Contains("Complex", StringComparison.Ordinal) => "complex numbers",
                _ when name.Contains("sparse", StringComparison.Ordinal) => "sparse tensors",
                _ when name.Contains("qtensor", StringComparison.Ordinal) || name.StartsWith("torch.Q", StringComparison.Ordinal) =>
                    "quantized tensors",
                _ => null,
            };
            if (kind is not null)
            {
                return $"{kind} are not read ({name}); save dense tensors of float32";
            }

            if (name.StartsWith("torch.nn.", StringComparison.Ordinal))
            {
                return $"it holds a whole module, {name}, which is code; save its state_dict()";
            }
        }

        return name.StartsWith("numpy.", StringComparison.Ordinal)
            ? $"its pickle makes a numpy array or number with {name}, which is not run; save tensors alone"
            : $"its pickle calls {Display(name)}, which is not run";
    }

    // A pickle names the module in which a function was defined, under its Python 2 name.
    private static string Display(string name)
    {
        var dot = name.LastIndexOf('.');
        return name[..Math.Max(0, dot)] switch
        {
            "posix" or "nt" => $"os{name[dot..]} ({name})",
            "__builtin__" => $"builtins{name[dot..]}",
            _ => name,
        };
    }
}
