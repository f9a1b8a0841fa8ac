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
    // A set of features with one tensor a sample needs about ten objects for each.
    private const int MaxObjects = 1 << 24;

    private PickleScan()
    {
    }

    /// <summary>Number of objects that the pickle makes.</summary>
    public int Objects { get; private set; }

    /// <summary>Numbers under which remembered objects are used again.</summary>
    public HashSet<long> Used { get; } = [];

    /// <summary>Looks a pickle through.</summary>
    /// <exception cref="CorruptException">It has something that is not in the list, or too many objects.</exception>
    public static PickleScan Of(ReadOnlySpan<byte> pickle)
    {
        var scan = new PickleScan();
        var cursor = new PickleCursor(pickle);
        do
        {
            cursor.Next();
            switch (cursor.Opcode)
            {
                case PickleOpcode.Global:
                    PickleGlobals.Find(cursor.Global);
                    scan.Objects++;
                    break;
                case PickleOpcode.BinGet or PickleOpcode.LongBinGet:
                    scan.Used.Add(cursor.Integer);
                    scan.Objects++;
                    break;
                case PickleOpcode.BinPut or PickleOpcode.LongBinPut:
                    break;
                default:
                    scan.Objects++;
                    break;
            }

            if (scan.Objects > MaxObjects)
            {
                throw new CorruptException($"its pickle has more than {MaxObjects} objects");
            }
        }
        while (cursor.Opcode != PickleOpcode.Stop);
        return scan;
    }
}
