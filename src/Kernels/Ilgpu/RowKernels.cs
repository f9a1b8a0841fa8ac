using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Kernels on the rows of dense matrices.</summary>
internal static class RowKernels
{
    /// <summary>result[i] = x[i] + α·row, a thread an element.</summary>
    [Kernel("4*(2*B*D + D)", "2*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void AddRow<T>(ArrayView<T> x, float alpha, ArrayView<T> row, ArrayView<T> result)
        where T : unmanaged, IFloats<T>
    {
        var i = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (i < x.IntLength)
        {
            result[i] = x[i].AddScaled(alpha, row[i % row.IntLength]);
        }
    }
}
