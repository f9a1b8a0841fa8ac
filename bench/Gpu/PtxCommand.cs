using System.Globalization;
using System.Text.RegularExpressions;
using CommandLine;
using ILGPU.Runtime.Cuda;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Bench;

/// <summary>Writes the PTX of every kernel to a folder, as input for NVIDIA's assembler. No GPU is needed.</summary>
[Verb("ptx", HelpText = "Writes the PTX of every GPU kernel to a folder, for ptxas to assemble.")]
internal sealed partial class PtxCommand : ICommand
{
    /// <summary>The folder; created if it does not exist.</summary>
    [Option("out", Required = true, HelpText = "The folder for the files, one per kernel and list of type arguments.")]
    public string Out { get; set; } = "";

    /// <summary>The compute capability, as ptxas writes it.</summary>
    [Option("target", Default = "sm_90", HelpText = "The GPU's architecture: sm_80 (A100), sm_90 (H100), sm_100 (B200), sm_120 (RTX 50) …")]
    public string Target { get; set; } = "";

    /// <inheritdoc/>
    public void Run()
    {
        var match = Architecture().Match(Target);
        if (!match.Success)
        {
            throw new BenchException($"--target: expected sm_ and a number of at least 80, such as sm_90, not \"{Target}\"");
        }

        int Number(int group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
        var architecture = new CudaArchitecture(Number(1), Number(2));
        try
        {
            Directory.CreateDirectory(Out);
            foreach (var kernel in OfflineCompiler.Kernels)
            {
                File.WriteAllText(Path.Combine(Out, FileName(kernel)), OfflineCompiler.CompilePtx(kernel, architecture));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new BenchException($"cannot write to {Out}: {exception.Message}");
        }

        Console.WriteLine(FormattableString.Invariant($"{OfflineCompiler.Kernels.Count} kernels for {Target} in {Out}"));
    }

    /// <summary>Class, method and type arguments: <c>Gemm.GemmTf32-AlongTerms-AlongTerms.ptx</c>.</summary>
    private static string FileName(System.Reflection.MethodInfo kernel)
    {
        var arguments = OfflineCompiler.Name(kernel)[kernel.Name.Length..];
        return KernelAttribute.NameOf(kernel) + Separators().Replace(arguments, "-").TrimEnd('-') + ".ptx";
    }

    [GeneratedRegex(@"^sm_([89]|[1-9]\d)(\d)$")]
    private static partial Regex Architecture();

    [GeneratedRegex("[<>, ]+")]
    private static partial Regex Separators();
}
