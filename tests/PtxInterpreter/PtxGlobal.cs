namespace PtxInterpreter;

/// <summary>
/// The global memory of a launch, and for each word the groups that used it: no other group may read what one group writes, or write a
/// different value.
/// </summary>
internal sealed unsafe class PtxGlobal : IPtxSpace
{
    private const int Many = -1;
    private const int Atomic = -2;

    private readonly List<Buffer> _buffers = [];

    /// <param name="views">Pointers and bytes; they may overlap.</param>
    public PtxGlobal(IEnumerable<(long Start, long Size)> views)
    {
        foreach (var (start, size) in views.Where(view => view.Size > 0).Order())
        {
            if (_buffers.Count > 0 && start < _buffers[^1].End)
            {
                _buffers[^1].End = Math.Max(_buffers[^1].End, start + size);
            }
            else
            {
                _buffers.Add(new() { Start = start, End = start + size });
            }
        }

        foreach (var buffer in _buffers)
        {
            buffer.Writers = new int[(buffer.End - buffer.Start + 3) / 4];
            buffer.Readers = new int[buffer.Writers.Length];
        }
    }

    /// <summary>Bytes of words that some group reads or changes atomically.</summary>
    public long BytesRead =>
        4L * _buffers.Sum(buffer => buffer.Readers.Zip(buffer.Writers).LongCount(word => word.First != 0 || word.Second == Atomic));

    /// <summary>Bytes of words that some group writes.</summary>
    public long BytesWritten => 4L * _buffers.Sum(buffer => buffer.Writers.LongCount(writer => writer != 0));

    public static void Moves(PtxWarp warp, PtxInstruction instruction, long* addresses, uint mask, bool reads) =>
        warp.Group.Tally?.CountAccess(instruction, addresses, mask, reads);

    public static byte* Locate(PtxWarp warp, PtxInstruction instruction, int lane, long address, int size)
    {
        if (address % size != 0)
        {
            throw warp.Fault(instruction, lane, $"address {address:x} is not a multiple of {size} bytes");
        }

        var buffer = warp.Buffer;
        if (buffer is null || address < buffer.Start || address + size > buffer.End)
        {
            buffer = warp.Group.Global._buffers.Find(other => address >= other.Start && address + size <= other.End)
                ?? throw warp.Fault(instruction, lane, warp.Group.Global.Describe(address));
            warp.Buffer = buffer;
        }

        return (byte*)address;
    }

    public static void Reads(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size)
    {
        var (buffer, first, me) = Words(warp, memory);
        for (var word = first; word < first + (size / 4); word++)
        {
            var writer = buffer.Writers[word];
            if (writer != 0 && writer != me)
            {
                throw warp.Fault(instruction, lane, $"reads what {Name(writer)} writes");
            }

            // A group may read what it has written itself; it does not come from memory, and no other group may write there.
            if (writer != me && buffer.Readers[word] != me)
            {
                buffer.Readers[word] = buffer.Readers[word] == 0 ? me : Many;
            }
        }
    }

    public static void Writes(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size, bool changes)
    {
        var (buffer, first, me) = Words(warp, memory);
        for (var word = first; word < first + (size / 4); word++)
        {
            var (reader, writer) = (buffer.Readers[word], buffer.Writers[word]);
            if (changes && writer != 0 && writer != me)
            {
                throw warp.Fault(instruction, lane, $"overwrites what {Name(writer)} wrote");
            }

            if (changes && reader != 0 && reader != me)
            {
                throw warp.Fault(instruction, lane, $"overwrites what {Name(reader)} read");
            }

            buffer.Writers[word] = me;
        }
    }

    public static void Updates(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size)
    {
        var (buffer, first, me) = Words(warp, memory);
        for (var word = first; word < first + (size / 4); word++)
        {
            var (reader, writer) = (buffer.Readers[word], buffer.Writers[word]);
            if ((writer is not (0 or Atomic) && writer != me) || (reader != 0 && reader != me))
            {
                var other = Name(writer is 0 or Atomic ? reader : writer);
                throw warp.Fault(instruction, lane, $"atomically changes what {other} reads or writes");
            }

            buffer.Writers[word] = Atomic;
        }
    }

    private static (Buffer Buffer, long Word, int Group) Words(PtxWarp warp, byte* memory) =>
        (warp.Buffer!, ((long)memory - warp.Buffer!.Start) >> 2, warp.Group.Index + 1);

    private static string Name(int group) => group switch
    {
        Many => "more than one group",
        Atomic => "an atomic operation",
        _ => $"group {group - 1}",
    };

    private string Describe(long address)
    {
        var nearest = _buffers.MinBy(buffer => address < buffer.Start ? buffer.Start - address : address - buffer.End);
        return nearest is null
            ? "the launch has no global memory"
            : $"address {address:x} is in no buffer: byte {address - nearest.Start} of one that has {nearest.End - nearest.Start}";
    }

    /// <summary>Memory of one or of overlapping arguments. A group's number is its index plus 1; 0 means none.</summary>
    internal sealed class Buffer
    {
        public long Start;
        public long End;
        public int[] Writers = [];
        public int[] Readers = [];
    }
}
