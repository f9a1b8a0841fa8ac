using System.Runtime.InteropServices;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Bench;

/// <summary>OpenBLAS, if it is installed: the yardstick for matrix products.</summary>
internal sealed unsafe class OpenBlas
{
    private const int RowMajor = 101;
    private const int NoTranspose = 111;
    private const int Transpose = 112;

    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> _gemm;
    private readonly delegate* unmanaged<int, void> _setThreads;

    private OpenBlas(nint library)
    {
        _gemm = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)
            NativeLibrary.GetExport(library, "cblas_sgemm");
        _setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
        var coreName = (delegate* unmanaged<byte*>)NativeLibrary.GetExport(library, "openblas_get_corename");
        var config = (delegate* unmanaged<byte*>)NativeLibrary.GetExport(library, "openblas_get_config");
        var version = Marshal.PtrToStringUTF8((nint)config())!.Split(' ');
        Description = $"{string.Join(' ', version.Take(2))}, {Marshal.PtrToStringUTF8((nint)coreName())} kernels";
        if (Environment.GetEnvironmentVariable("OPENBLAS_CORETYPE") is { Length: > 0 } forced)
        {
            Description += $" (OPENBLAS_CORETYPE={forced} is set: unset it for a fair comparison)";
        }
    }

    /// <summary>The version, and the kernels that OpenBLAS chose for this processor.</summary>
    public string Description { get; }

    /// <summary>Loads the library; null if it is not installed.</summary>
    public static OpenBlas? TryLoad()
    {
        foreach (var name in new[] { "libopenblas.so.0", "libopenblas.so", "libopenblas.dylib", "libopenblas.dll" })
        {
            if (NativeLibrary.TryLoad(name, out var library))
            {
                return new OpenBlas(library);
            }
        }

        return null;
    }

    /// <summary>C = op(A)·op(B) on the given number of threads; all matrices are row-major.</summary>
    public void Gemm(int threads, bool transposeA, bool transposeB, Tensor a, Tensor b, Tensor c)
    {
        _setThreads(threads);
        _gemm(
            RowMajor,
            transposeA ? Transpose : NoTranspose,
            transposeB ? Transpose : NoTranspose,
            c.Rows,
            c.Columns,
            transposeA ? a.Rows : a.Columns,
            1,
            Pointer(a),
            a.Columns,
            Pointer(b),
            b.Columns,
            0,
            Pointer(c),
            c.Columns);
    }

    private static float* Pointer(Tensor tensor) => ((CpuArray<float>)tensor.Data).Pointer;
}
