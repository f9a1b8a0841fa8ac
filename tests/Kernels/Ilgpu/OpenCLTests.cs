using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Compiles every kernel to OpenCL C without a device, as for the driver of an Intel GPU.</summary>
public sealed partial class OpenCLTests
{
    // Declarations that Intel's compilers provide.
    private const string Prelude =
        """
        #pragma OPENCL EXTENSION cl_khr_fp64 : enable
        #define SHUFFLES(T) \
        T __attribute__((overloadable, convergent)) intel_sub_group_shuffle(T value, uint lane); \
        T __attribute__((overloadable, convergent)) intel_sub_group_shuffle_xor(T value, uint mask); \
        T __attribute__((overloadable, convergent)) intel_sub_group_shuffle_up(T previous, T current, uint distance); \
        T __attribute__((overloadable, convergent)) intel_sub_group_shuffle_down(T current, T next, uint distance);
        SHUFFLES(int) SHUFFLES(uint) SHUFFLES(long) SHUFFLES(ulong) SHUFFLES(float) SHUFFLES(double)

        """;

    /// <summary>Every kernel with the types it is launched with, except those for NVIDIA's tensor cores.</summary>
    public static TheoryData<string, string> Kernels
    {
        get
        {
            var kernels = new TheoryData<string, string>();
            foreach (var method in OfflineCompiler.Kernels.Where(method => !method.GetCustomAttribute<KernelAttribute>()!.TensorCores))
            {
                kernels.Add(method.DeclaringType!.Name, OfflineCompiler.Name(method));
            }

            return kernels;
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Groups_share_no_local_memory(string type, string kernel)
    {
        var source = Source(type, kernel);
        Assert.Equal(Barrier().Count(source), LocalBarrier().Count(source));
        // Where a group's local memory is.
        Assert.DoesNotMatch(ProgramVariable(), source);
    }

    [ClangTheory]
    [MemberData(nameof(Kernels))]
    public void Kernel_compiles_with_clang(string type, string kernel)
    {
        var start = new ProcessStartInfo(ClangTheoryAttribute.Clang!)
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
            ArgumentList =
            {
                "-x", "cl", "-cl-std=CL2.0", "-target", "spir64", "-Xclang", "-finclude-default-header", "-Xclang", "-cl-ext=+all",
                "-Wno-everything", "-S", "-emit-llvm", "-o", "-", "-",
            },
            RedirectStandardOutput = true,
        };
        using var clang = Process.Start(start)!;
        var output = clang.StandardOutput.ReadToEndAsync();
        var errors = clang.StandardError.ReadToEndAsync();
        clang.StandardInput.Write(Prelude + Source(type, kernel));
        clang.StandardInput.Close();
        clang.WaitForExit();
        Assert.True(clang.ExitCode == 0 && output.Result.Length > 0, errors.Result);
    }

    private static string Source(string type, string kernel) => OfflineCompiler.CompileOpenCL(
        OfflineCompiler.Kernels.Single(method => method.DeclaringType!.Name == type && OfflineCompiler.Name(method) == kernel));

    [GeneratedRegex(@"^(local|int) [^()]*\bshared_var_\w+;", RegexOptions.Multiline)]
    private static partial Regex ProgramVariable();

    [GeneratedRegex(@"\bwork_group_barrier\b")]
    private static partial Regex Barrier();

    [GeneratedRegex(@"\bwork_group_barrier\s*\(\s*CLK_LOCAL_MEM_FENCE\b")]
    private static partial Regex LocalBarrier();
}

/// <summary>A theory that is skipped where clang is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ClangTheoryAttribute : TheoryAttribute
{
    private static readonly string[] Names = ["clang", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14"];

    /// <summary>Looks for the compiler.</summary>
    public ClangTheoryAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = Clang is null ? "clang is not installed" : null;

    /// <summary>The compiler's path; null if it is not installed.</summary>
    public static string? Clang { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(folder => Names, Path.Combine)
        .FirstOrDefault(File.Exists);
}
