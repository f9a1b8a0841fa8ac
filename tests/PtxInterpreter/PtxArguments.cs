using System.Runtime.InteropServices;

namespace PtxInterpreter;

/// <summary>Lays the arguments of a launch out as a kernel declares its parameters, and lists the memory that pointers lead to.</summary>
/// <param name="program">The kernel.</param>
public sealed class PtxArguments(PtxProgram program)
{
    private readonly IReadOnlyList<PtxPlace> _places = program.Parameters;
    private readonly List<PtxBuffer> _buffers = [];
    private int _next;

    /// <summary>The arguments' bytes, one parameter after another.</summary>
    public byte[] Bytes { get; } = new byte[program.ParameterSize];

    /// <summary>The global memory that the kernel may use.</summary>
    public IReadOnlyList<PtxBuffer> Buffers => _buffers;

    /// <summary>Adds a number, or a structure that is laid out as in PTX.</summary>
    /// <param name="value">The argument.</param>
    /// <exception cref="ArgumentException">The kernel has no further parameter, or the parameter has a different size.</exception>
    public PtxArguments Add<T>(T value)
        where T : unmanaged => Add(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Adds an argument as bytes.</summary>
    /// <inheritdoc cref="Add{T}(T)"/>
    public PtxArguments Add(ReadOnlySpan<byte> value)
    {
        if (_next == _places.Count || value.Length != _places[_next].Size)
        {
            var expected = _next == _places.Count
                ? $"the kernel has {_places.Count} parameters"
                : $"the parameter has {_places[_next].Size} bytes";
            throw new ArgumentException($"{program.Name}, argument {_next}: {value.Length} bytes, but {expected}");
        }

        value.CopyTo(Bytes.AsSpan(_places[_next++].Offset));
        return this;
    }

    /// <summary>Adds a pointer to memory that the kernel may use.</summary>
    /// <param name="address">The first byte; the memory must not move until the launch has ended.</param>
    /// <param name="bytes">The size in bytes.</param>
    /// <exception cref="ArgumentException">The kernel has no further parameter, or the parameter is not 64 bits wide.</exception>
    public PtxArguments AddPointer(nint address, long bytes)
    {
        AddBuffer(address, bytes);
        return Add((long)address);
    }

    /// <summary>Allows the kernel to use memory whose address is part of another argument.</summary>
    /// <param name="address">The first byte.</param>
    /// <param name="bytes">The size in bytes.</param>
    public PtxArguments AddBuffer(nint address, long bytes)
    {
        _buffers.Add(new(address, bytes));
        return this;
    }
}
