using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>The entries that one task has kept, in the order of its tiles' rows. It grows and is reused from call to call.</summary>
internal unsafe struct TaskEntries
{
    public float* Values;
    public int* Indices;
    public long Capacity;
    public long Count;

    public void Reserve(long capacity)
    {
        if (capacity <= Capacity)
        {
            return;
        }

        capacity = Math.Max(capacity, Capacity + (Capacity / 2));
        Values = (float*)NativeMemory.AlignedRealloc(Values, checked((nuint)capacity * sizeof(float)), 64);
        Indices = (int*)NativeMemory.AlignedRealloc(Indices, checked((nuint)capacity * sizeof(int)), 64);
        Capacity = capacity;
    }

    public void Free()
    {
        NativeMemory.AlignedFree(Values);
        NativeMemory.AlignedFree(Indices);
        this = default;
    }
}

/// <summary>
/// The <see cref="TaskEntries"/> of all tasks, in native memory: tasks see nothing managed, and each grows its own entries. Without a
/// finalizer, as <see cref="AlignedMemory"/>.
/// </summary>
internal sealed unsafe class TaskEntriesArray : IDisposable
{
    private TaskEntries* _entries;
    private int _count;

    /// <summary>Makes room for the entries of <paramref name="count"/> tasks. Entries that exist keep their memory.</summary>
    public TaskEntries* Ensure(int count)
    {
        if (count > _count)
        {
            _entries = (TaskEntries*)NativeMemory.Realloc(_entries, (nuint)count * (nuint)sizeof(TaskEntries));
            new Span<TaskEntries>(_entries + _count, count - _count).Clear();
            _count = count;
        }

        return _entries;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (var i = 0; i < _count; i++)
        {
            _entries[i].Free();
        }

        NativeMemory.Free(_entries);
        _entries = null;
        _count = 0;
    }
}
