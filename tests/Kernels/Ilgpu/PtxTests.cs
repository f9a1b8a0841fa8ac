using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU.Runtime.Cuda;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Compiles every kernel to PTX without a GPU, as for NVIDIA's driver.</summary>
public sealed partial class PtxTests
{
    /// <summary>Every kernel with the types it is launched with, for the A100 (8.0) and the H100 (9.0).</summary>
    public static TheoryData<string, string, int> Kernels
    {
        get
        {
            var kernels = new TheoryData<string, string, int>();
            foreach (var method in OfflineCompiler.Kernels)
            {
                foreach (var major in new[] { 8, 9 })
                {
                    kernels.Add(method.DeclaringType!.Name, OfflineCompiler.Name(method), major);
                }
            }

            return kernels;
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Kernel_compiles_without_local_memory(string type, string kernel, int major)
    {
        var method = OfflineCompiler.Kernels.Single(method => method.DeclaringType!.Name == type && OfflineCompiler.Name(method) == kernel);
        var ptx = OfflineCompiler.CompilePtx(method, new CudaArchitecture(major, 0));
        // Before the kernel ILGPU writes the bodies of methods that it replaces by instructions; nothing calls them.
        Assert.DoesNotContain("call", ptx);
        ptx = ptx[ptx.IndexOf(".entry", StringComparison.Ordinal)..];
        Assert.DoesNotContain(".local", ptx);
        Assert.DoesNotMatch(GenericAccess(), ptx);
        Assert.DoesNotContain("bra.uni", ptx);
        Assert.Contains(".maxntid", ptx);
        if (method.GetCustomAttribute<KernelAttribute>()!.Vectorized || kernel.Contains(nameof(Float4), StringComparison.Ordinal))
        {
            Assert.Matches(VectorAccess(), ptx);
            Assert.DoesNotMatch(FieldAccess(), ptx);
        }
    }

    /// <summary>
    /// Accesses name global, shared or parameter memory: the driver need not find out at run time which it is.
    /// </summary>
    [GeneratedRegex(@"\b(ld|st)(\.volatile)?\.(v[24]\.)?[bfsu]\d+")]
    private static partial Regex GenericAccess();

    [GeneratedRegex(@"\b(ld|st)\.global\.(v4\.[bfsu]32|v2\.[bfsu]64)")]
    private static partial Regex VectorAccess();

    /// <summary>Loads of the second to fourth field of a <see cref="Float4"/> by itself.</summary>
    [GeneratedRegex(@"add\.u64\s+(?<address>%rd\d+), %rd\d+, (4|8|12);\s+ld\.global\.f32\s+%f\d+, \[\k<address>\]")]
    private static partial Regex FieldAccess();
}
