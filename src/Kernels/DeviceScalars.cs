namespace MonoLoss.Kernels;

/// <summary>Float64 numbers that kernels leave in device memory, for the host to read when it needs them.</summary>
/// <remarks>
/// Those of a device lie side by side: waiting for a device takes longer than copying them all, so the first number that is read after a
/// kernel wrote one brings the others along.
/// </remarks>
public sealed class DeviceScalars : IDisposable
{
    private readonly Block _block;
    private readonly int _first;

    private DeviceScalars(Block block, DeviceArray<double> array, int first) => (_block, Array, _first) = (block, array, first);

    /// <summary>The numbers for a kernel to read.</summary>
    public DeviceArray<double> Array { get; }

    /// <summary>The numbers for a kernel to write before the host reads the next one.</summary>
    public DeviceArray<double> ToWrite()
    {
        _block.IsRead = false;
        return Array;
    }

    /// <summary>Waits for a number.</summary>
    /// <param name="index">Which one, from 0.</param>
    public double Read(int index) => _block.Read(_first + index);

    /// <summary>Gives the room for the numbers back.</summary>
    public void Dispose() => _block.Return(_first, (int)Array.Length);

    /// <summary>Numbers that one copy brings to the host.</summary>
    internal sealed class Block(Device device)
    {
        private const int Capacity = 128;

        private readonly DeviceArray<double> _array = device.Allocate<double>(Capacity);
        private readonly double[] _host = new double[Capacity];
        private readonly bool[] _taken = new bool[Capacity];

        /// <summary>Whether the host's copy is that of the device.</summary>
        public bool IsRead { get; set; }

        /// <summary>Room for some numbers; null if there is none left.</summary>
        public DeviceScalars? Take(int count)
        {
            for (var first = 0; first + count <= Capacity; first++)
            {
                var room = _taken.AsSpan(first, count);
                if (!room.Contains(true))
                {
                    room.Fill(true);
                    return new DeviceScalars(this, _array.Slice(first, count), first);
                }
            }

            return null;
        }

        public void Return(int first, int count) => _taken.AsSpan(first, count).Clear();

        public double Read(int index)
        {
            if (!IsRead)
            {
                _array.CopyTo(_host);
                IsRead = true;
            }

            return _host[index];
        }
    }
}
