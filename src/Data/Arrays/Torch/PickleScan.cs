namespace MonoLoss.Data;

/// <summary>
/// Looks a pickle through before anything is built of it: whether all its opcodes and names are in the list, and which objects it refers to
/// again.
/// </summary>
/// <remarks>
/// Torch's pickles remember every object and use few of them again. What is never used again need not be kept, so that the memory
/// follows what the file describes.
/// </remarks>
internal sealed class PickleScan
{
    // A set of features with one tensor a sample, of which there may be more than a million, needs about 10 objects and 22 opcodes for
    // each. With the limits of PickleReader an object takes about 50 bytes, another opcode up to 16.
    private const int MaxObjects = 1 << 24;
    private const int MaxOpcodes = 1 << 25;

    private PickleScan()
    {
    }

    /// <summary>Number of opcodes, without those that remember an object.</summary>
    public int Opcodes { get; private set; }

    /// <summary>Numbers under which remembered objects are used again.</summary>
    public HashSet<long> Used { get; } = [];

    /// <summary>Looks a pickle through.</summary>
    /// <exception cref="CorruptException">It has something that is not in the list, or too many objects.</exception>
    public static PickleScan Of(ReadOnlySpan<byte> pickle)
    {
        var scan = new PickleScan();
        var cursor = new PickleCursor(pickle);
        var objects = 0;
        do
        {
            cursor.Next();
            scan.Opcodes += cursor.Opcode is PickleOpcode.BinPut or PickleOpcode.LongBinPut ? 0 : 1;
            switch (cursor.Opcode)
            {
                case PickleOpcode.Global:
                    PickleGlobals.Find(cursor.Global);
                    objects++;
                    break;
                case PickleOpcode.BinGet or PickleOpcode.LongBinGet:
                    scan.Used.Add(cursor.Integer);
                    break;
                case PickleOpcode.BinInt or PickleOpcode.BinInt1 or PickleOpcode.BinInt2:
                    objects += cursor.Integer is >= 0 and < PickleReader.SmallIntegers ? 0 : 1;
                    break;
                default:
                    objects += MakesObject(cursor.Opcode) ? 1 : 0;
                    break;
            }

            if (objects > MaxObjects || scan.Opcodes > MaxOpcodes)
            {
                throw new CorruptException($"its pickle has more than {MaxObjects} objects or {MaxOpcodes} opcodes");
            }
        }
        while (cursor.Opcode != PickleOpcode.Stop);
        return scan;
    }

    private static bool MakesObject(PickleOpcode opcode) => opcode is PickleOpcode.BinUnicode or PickleOpcode.BinFloat or PickleOpcode.Long1
        or PickleOpcode.EmptyList or PickleOpcode.EmptyDictionary or PickleOpcode.Tuple or PickleOpcode.Tuple1 or PickleOpcode.Tuple2
        or PickleOpcode.Tuple3 or PickleOpcode.Reduce or PickleOpcode.BinPersistentId;
}
