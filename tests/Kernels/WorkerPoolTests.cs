using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Tests.Kernels;

public sealed unsafe class WorkerPoolTests
{
    private readonly struct Increment(int* counts) : IParallelWork
    {
        public void Run(int index) => Interlocked.Increment(ref counts[index]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Every_piece_runs_once(int threads)
    {
        using var pool = new WorkerPool(threads);
        var counts = new int[1000];
        fixed (int* p = counts)
        {
            for (var round = 0; round < 200; round++)
            {
                pool.Run(round * 5 % 1000, new Increment(p));
            }
        }

        for (var i = 0; i < counts.Length; i++)
        {
            var expected = Enumerable.Range(0, 200).Count(round => round * 5 % 1000 > i);
            Assert.Equal(expected, counts[i]);
        }
    }

    private readonly struct Failing : IParallelWork
    {
        public void Run(int index)
        {
            if (index == 3)
            {
                throw new InvalidOperationException("three");
            }
        }
    }

    [Fact]
    public void Exception_reaches_the_caller()
    {
        using var pool = new WorkerPool(3);
        var thrown = Assert.ThrowsAny<Exception>(() => pool.Run(10, default(Failing)));
        Assert.Equal("three", (thrown.InnerException ?? thrown).Message);
        pool.Run(3, default(Failing));
    }
}
