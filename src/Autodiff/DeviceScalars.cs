using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>DeviceScalars that kernels of an operation leave in device memory.</summary>
internal sealed class DeviceScalars
{
    private readonly Block _block;
    private readonly int _first;

    private DeviceScalars(Block block, DeviceArray<double> device, int first) => (_block, Device, _first) = (block, device, first);

    /// <summary>The numbers for a kernel to read.</summary>
    public DeviceArray<double> Device { get; }

    /// <summary>The numbers for a kernel to write, now or before the next one is read.</summary>
    public DeviceArray<double> ToWrite()
    {
        _block.IsRead = false;
        return Device;
    }

    /// <summary>HostSyncCount for a number.</summary>
    public double Read(int index) => _block.Read(_first + index);

    /// <summary>
    /// DeviceScalars of many operations side by side. Waiting for a device takes longer than copying them all: the first one that is read brings
    /// the others along.
    /// </summary>
    /// <param name="device">Where they are.</param>
    internal sealed class Block(Device device) : IDisposable
    {
        private const int Capacity = 32;

        private readonly DeviceArray<double> _device = device.Allocate<double>(Capacity);
        private readonly double[] _host = new double[Capacity];
        private int _taken;

        /// <summary>Whether the host's copy is that of the device.</summary>
        public bool IsRead { get; set; }

        /// <summary>Room for some numbers; null if there is none left.</summary>
        public DeviceScalars? Take(int count)
        {
            if (_taken + count > Capacity)
            {
                return null;
            }

            var numbers = new DeviceScalars(this, _device.Slice(_taken, count), _taken);
            _taken += count;
            return numbers;
        }

        /// <summary>HostSyncCount for a number.</summary>
        public double Read(int index)
        {
            if (!IsRead)
            {
                _device.CopyTo(_host);
                IsRead = true;
            }

            return _host[index];
        }

        /// <inheritdoc/>
        public void Dispose() => _device.Dispose();
    }
}
