using MonoLoss.Kernels;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

public sealed class MemoryPoolTests
{
    private const long Limit = 1 << 20;

    [Fact]
    public void Freed_blocks_are_reused()
    {
        using var device = IlgpuDevice.OpenSimulation();
        var before = device.Memory!.Value.InUse;
        for (var i = 0; i < 3; i++)
        {
            using var array = device.Allocate<double>(1000);
            Assert.All(array.ToArray(), value => Assert.Equal(0, value));
            array.CopyFrom(Enumerable.Repeat(1.0, 1000).ToArray());
            Assert.Equal(before + MemoryPool.BlockSize(8000), device.Memory!.Value.InUse);
        }

        Assert.Equal(before, device.Memory!.Value.InUse);
        Assert.Equal(before + MemoryPool.BlockSize(8000), device.Pool.Peak);
    }

    [Fact]
    public void Free_blocks_are_released_before_memory_runs_out()
    {
        using var device = IlgpuDevice.OpenSimulation(new() { MemoryBytes = Limit });
        var free = device.Memory!.Value.Free;
        using (device.Allocate<byte>(free / 2))
        {
        }

        using var array = device.Allocate<byte>(free * 3 / 4);
        Assert.Equal(free * 3 / 4, array.Length);
    }

    [Fact]
    public void Out_of_memory_message_is_one_line_with_the_numbers()
    {
        using var device = IlgpuDevice.OpenSimulation(new() { MemoryBytes = Limit });
        using var array = device.Allocate<float>(100_000);
        var exception = Assert.Throws<DeviceMemoryException>(() => device.Allocate<float>(200_000));
        Assert.Equal(Limit, exception.Memory.Total);
        Assert.Equal(device.Memory!.Value.InUse, exception.Memory.InUse);
        Assert.InRange(exception.Requested, 800_000, 825_000);
        Assert.Matches(@"^ilgpu-cpu .*78\d(\.\d)? KiB .* 39\d(\.\d)? KiB in use of 1 MiB", exception.Message);
        // The earlier contents are unchanged.
        Assert.Equal(100_000, array.ToArray().Length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(100_000)]
    [InlineData((1L << 33) + 1)]
    public void Blocks_are_little_larger_than_requested(long bytes) =>
        Assert.InRange(MemoryPool.BlockSize(bytes), bytes, Math.Max(bytes + 255, bytes + (bytes / 32)));
}
