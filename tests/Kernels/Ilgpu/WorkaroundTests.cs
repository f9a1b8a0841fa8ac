using System.Reflection;
using ILGPU.Runtime.Cuda;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>
/// ILGPU still has the defects that <see cref="IlgpuWorkarounds"/> corrects: a test that fails here after an update of ILGPU shows which
/// one to remove. The test for code placement is in PtxDefectTests, where its effect shows.
/// </summary>
public sealed class WorkaroundTests
{
    private static readonly Lazy<string> OpenCL = new(() => OfflineCompiler.CompileOpenCL(Kernel("Visit"), repair: false));

    [Fact]
    public void Ptx_marks_divergent_branches_as_uniform()
    {
        var ptx = OfflineCompiler.CompilePtx(Kernel("Visit"), CudaArchitecture.SM_80, repair: false);
        Assert.Contains("bra.uni", ptx, StringComparison.Ordinal);
        Assert.DoesNotContain("bra.uni", IlgpuWorkarounds.FixPtx(ptx), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(@"work_group_barrier\s*\(\s*CLK_GLOBAL_MEM_FENCE")]
    [InlineData(@"(?m)^local [^;()]*\* shared_var_\d+;")]
    [InlineData(@"(?m)^int shared_var_len_\d+;")]
    [InlineData(@"\(\)\d")]
    public void OpenCL_has_the_defect(string pattern)
    {
        Assert.Matches(pattern, OpenCL.Value);
        Assert.DoesNotMatch(pattern, IlgpuWorkarounds.FixOpenCL(OpenCL.Value));
    }

    private static MethodInfo Kernel(string name) => OfflineCompiler.Kernels.Last(kernel => kernel.Name == name);
}
