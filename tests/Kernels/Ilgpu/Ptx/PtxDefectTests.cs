using ILGPU;
using ILGPU.Runtime;
using MonoLoss.Kernels.Ilgpu;
using PtxInterpreter;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>
/// Defects of ILGPU 1.5.3 that show only in its PTX: the kernels avoid the first two, <see cref="IlgpuWorkarounds"/> corrects the others.
/// </summary>
public sealed class PtxDefectTests
{
    [Fact]
    public void Condition_used_as_an_integer_becomes_a_denormal()
    {
        Assert.Equal([float.Epsilon, 0], Run(DefectKernels.CountPositive, [2f, -2f]));
    }

    [Fact]
    public void Unsigned_division_by_a_power_of_two_is_signed()
    {
        Assert.Equal([1, unchecked((int)0xE0000000)], Run(DefectKernels.DivideByFour, [4, int.MinValue]));
    }

    [Fact]
    public void Load_moves_behind_a_store_unless_repaired()
    {
        Assert.Equal([0, 3, 4, 8], Run(DefectKernels.ExclusiveSum, [3, 1, 4, 1]));
        Assert.NotEqual([0, 3, 4, 8], Run(DefectKernels.ExclusiveSum, [3, 1, 4, 1], repair: false));
    }

    [Fact]
    public void Divergent_branch_is_marked_as_uniform_unless_repaired()
    {
        int[] numbers = [.. Enumerable.Range(0, 32)];
        Assert.Equal(numbers, Run(DefectKernels.BinarySearch, numbers));
        Assert.Contains(
            "not all lanes take it",
            Assert.Throws<PtxFault>(() => Run(DefectKernels.BinarySearch, numbers, repair: false)).Message,
            StringComparison.Ordinal);
    }

    private static T[] Run<T>(Action<ArrayView<T>> kernel, T[] data, bool repair = true)
        where T : unmanaged
    {
        using var device = IlgpuDevice.OpenSimulation();
        using var array = device.Allocate<T>(data.Length);
        array.CopyFrom(data);
        new PtxExecutor { Repair = repair }.Run(kernel.Method, new KernelConfig(1, 32), ((IlgpuArray<T>)array).View);
        var result = new T[data.Length];
        array.CopyTo(result);
        return result;
    }
}

/// <summary>Kernels that are correct in C#.</summary>
internal static class DefectKernels
{
    [Kernel("0")]
    public static void CountPositive(ArrayView<float> data)
    {
        if (Group.IdxX < data.IntLength)
        {
            data[Group.IdxX] = data[Group.IdxX] > 0 ? 1 : 0;
        }
    }

    [Kernel("0")]
    public static void DivideByFour(ArrayView<int> data)
    {
        if (Group.IdxX < data.IntLength)
        {
            data[Group.IdxX] = (int)((uint)data[Group.IdxX] / 4);
        }
    }

    [Kernel("0")]
    public static void ExclusiveSum(ArrayView<int> data)
    {
        if (Group.IdxX == 0)
        {
            var sum = 0;
            for (var i = 0; i < data.IntLength; i++)
            {
                var value = data[i];
                data[i] = sum;
                sum += value;
            }
        }
    }

    /// <summary>Every number becomes the index of the first one that is at least the thread's index.</summary>
    [Kernel("0")]
    public static void BinarySearch(ArrayView<int> data)
    {
        int low = 0, high = data.IntLength;
        while (low < high)
        {
            var middle = (low + high) >> 1;
            if (data[middle] < Group.IdxX)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        Group.Barrier();
        data[Group.IdxX] = low;
    }
}
