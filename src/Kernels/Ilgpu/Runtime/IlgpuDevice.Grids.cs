using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>How work is cut into groups, by its size alone, and where sums in parts are kept.</content>
public sealed partial class IlgpuDevice
{
    // Sums in two launches: enough groups for the largest GPU, few enough for one group to sum what they find.
    private const int MaxSumGroups = 1024;
    private const int MaxForOneGroup = 8192;

    private const int ElementsPerThread = 8;
    private const int MinRowsPerPart = 8 * SumKernels.RowsAtOnce;
    private const int MostParts = 256;

    private static int DivideUp(long count, long by) => (int)((count + by - 1) / by);

    /// <summary>Groups of <see cref="GroupSize"/> threads, one thread for each of <paramref name="count"/> elements.</summary>
    private static KernelConfig Elements(long count) => Groups(DivideUp(count, GroupSize));

    /// <summary>So many groups of <see cref="GroupSize"/> threads.</summary>
    private static KernelConfig Groups(int count) => new(count, GroupSize);

    /// <summary>Groups of <see cref="GroupSize"/> threads with a warp for each of <paramref name="count"/> rows or columns.</summary>
    private KernelConfig Warps(long count) => Groups(DivideUp(count, GroupSize / Accelerator.WarpSize));

    /// <summary>
    /// A group for each row, of so many warps that a thread has about eight elements of it: enough loads under way, and no barrier where
    /// one warp will do.
    /// </summary>
    private KernelConfig RowGroups(int rows, int columns) =>
        new(rows, Math.Clamp(DivideUp(columns, ElementsPerThread * Accelerator.WarpSize) * Accelerator.WarpSize, Accelerator.WarpSize, GroupSize));

    /// <summary>Groups that go through <paramref name="count"/> elements in strides of the grid's size.</summary>
    private static KernelConfig SumGroups(long count) => Groups(Math.Min(MaxSumGroups, DivideUp(count, GroupSize * ElementsPerThread)));

    /// <summary>Groups that sum 32 columns each over one of several parts of the rows.</summary>
    private static KernelConfig Columns(int columns, int parts = 1) =>
        new((DivideUp(columns, SumKernels.ColumnsPerGroup), parts), (GroupSize, 1));

    /// <summary>The parts that rows are summed in.</summary>
    private static (int RowsPerPart, int Parts) Parts(int rows)
    {
        var rowsPerPart = Math.Max(MinRowsPerPart, DivideUp(rows, MostParts));
        return (rowsPerPart, DivideUp(rows, rowsPerPart));
    }

    /// <summary>Memory for sums in parts.</summary>
    private ArrayView<double> PartialSums(long count) => Scratch<double>("partial sums", count).View;
}
