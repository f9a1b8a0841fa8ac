using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using ILGPU.Runtime.Cuda;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Assembles every kernel's PTX with NVIDIA's assembler: minutes for each architecture.</summary>
[Trait("Speed", "Slow")]
public sealed partial class PtxAssemblerTests
{
    // Instructions of the main loop per instruction on the tensor cores.
    private const double InstructionsPerTensorInstruction = 120 / 32.0;

    [SassTheory]
    [InlineData(8)]
    [InlineData(9)]
    public void Every_kernel_is_accepted_without_spills(int major)
    {
        var folder = Directory.CreateTempSubdirectory("ptx");
        try
        {
            foreach (var kernel in OfflineCompiler.Kernels)
            {
                var name = string.Join('-', OfflineCompiler.Name(kernel).Split('<', '>', ',', ' '));
                File.WriteAllText(
                    Path.Combine(folder.FullName, $"{KernelAttribute.NameOf(kernel)}-{name}.ptx"),
                    OfflineCompiler.CompilePtx(kernel, new CudaArchitecture(major, 0)));
            }

            var report = Assemble(folder.FullName, major);
            foreach (var file in Directory.GetFiles(folder.FullName, "*GemmTf32*"))
            {
                report += Assemble(file, major, "--loops");
            }

            var kernels = Kernel().Matches(report);
            Assert.Equal(OfflineCompiler.Kernels.Count, kernels.Select(kernel => kernel.Value).Distinct().Count());
            Assert.All(kernels, kernel => Assert.True(kernel.Groups["spilled"].Value == "0", kernel.Value));
            var tensorLoops = TensorLoop().Matches(report).GroupBy(loop => loop.Groups["kernel"].Value).ToList();
            Assert.Equal(4, tensorLoops.Count);
            foreach (var loop in tensorLoops.Select(loops => loops.First()))
            {
                var (length, tensor) = (Number(loop.Groups["length"]), Number(loop.Groups["tensor"]));
                Assert.True(length <= InstructionsPerTensorInstruction * tensor, loop.Value);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static int Number(Group group) => int.Parse(group.ValueSpan, CultureInfo.InvariantCulture);

    private static string Assemble(string path, int major, params string[] options)
    {
        var start = new ProcessStartInfo("python3")
        {
            ArgumentList = { SassTheoryAttribute.Tool!, path, "--arch", $"sm_{major}0" },
            RedirectStandardOutput = true,
        };
        Array.ForEach(options, start.ArgumentList.Add);
        using var process = Process.Start(start)!;
        var report = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, report);
        return report;
    }

    [GeneratedRegex(@"^\S+\.ptx: \d+ registers, (?<spilled>\d+) B spilled", RegexOptions.Multiline)]
    private static partial Regex Kernel();

    /// <summary>The longest loop comes first.</summary>
    [GeneratedRegex(@"^(?<kernel>\S*GemmTf32\S*)\.ptx: .*\n\s+loop of (?<length>\d+): .*?(?<tensor>\d+) HMMA", RegexOptions.Multiline)]
    private static partial Regex TensorLoop();
}

/// <summary>A theory that needs the assembler beside the checkout, and is skipped where it does not exist.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SassTheoryAttribute : TheoryAttribute
{
    /// <summary>Looks for the assembler.</summary>
    public SassTheoryAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = Tool is null ? "needs the assembler in ../shared/tools/sass" : null;

    /// <summary>The program; null if it does not exist.</summary>
    public static string? Tool { get; } =
        SharedData.Folder is not null && File.Exists(SharedData.File("tools", "sass", "sass"))
            ? SharedData.File("tools", "sass", "sass")
            : null;
}
