using System.Reflection;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Compiles kernels for GPUs that are not present, to the text that the driver of such a GPU would be given.</summary>
internal static class OfflineCompiler
{
    // From this compute capability on, the driver needs a newer PTX version than the one used for the others.
    private static readonly CudaArchitecture Blackwell = CudaArchitecture.SM_100;

    /// <summary>Every kernel, generic ones once per list of types they are launched with.</summary>
    public static IReadOnlyList<MethodInfo> Kernels { get; } =
    [
        .. KernelAttribute.Kernels.SelectMany(Instances),
    ];

    /// <summary>A kernel's name with its type arguments, such as <c>Gemm&lt;Float4, AlongTerms, AlongTerms, Tile64&gt;</c>.</summary>
    public static string Name(MethodInfo kernel) => Name(kernel.Name, kernel.GetGenericArguments());

    /// <summary>A kernel's PTX.</summary>
    /// <param name="kernel">One of <see cref="Kernels"/>.</param>
    /// <param name="architecture">The GPU's compute capability.</param>
    /// <param name="repair">Whether <see cref="IlgpuWorkarounds"/> are applied, as they are on a GPU.</param>
    public static string CompilePtx(MethodInfo kernel, CudaArchitecture architecture, bool repair = true)
    {
        var version = architecture < Blackwell ? CudaInstructionSet.ISA_80 : CudaInstructionSet.ISA_87;
        return Compile<PTXCompiledKernel>(kernel, context => new PTXBackend(context, architecture, version, nvvmAPI: null!), repair)
            .PTXAssembly;
    }

    /// <summary>A kernel's OpenCL C for an Intel GPU: ILGPU generates shuffles for Intel's platforms only.</summary>
    /// <param name="kernel">One of <see cref="Kernels"/>.</param>
    /// <param name="repair">Whether <see cref="IlgpuWorkarounds"/> are applied, as they are on a GPU.</param>
    public static string CompileOpenCL(MethodInfo kernel, bool repair = true)
    {
        var capabilities = new CLCapabilityContext(true, true, true, true, true);
        return Compile<CLCompiledKernel>(
            kernel, context => new CLBackend(context, capabilities, CLDeviceVendor.Intel, CLBackend.MinimumVersion), repair).Source;
    }

    private static TCompiled Compile<TCompiled>(MethodInfo kernel, Func<Context, Backend> create, bool repair)
        where TCompiled : CompiledKernel
    {
        using var context = Context.Create(builder => builder.EnableAlgorithms().EnableTensorCore().Optimize(OptimizationLevel.O2));
        using var backend = create(context);
        if (repair)
        {
            IlgpuWorkarounds.RemoveCodePlacement(backend);
        }

        var compiled = backend.Compile(
            EntryPointDescription.FromExplicitlyGroupedKernel(kernel),
            IlgpuWorkarounds.Specialization(kernel.GetCustomAttribute<KernelAttribute>()!));
        if (repair)
        {
            IlgpuWorkarounds.FixSource(compiled);
        }

        return (TCompiled)compiled;
    }

    private static IEnumerable<MethodInfo> Instances(MethodInfo method) => method.IsGenericMethod
        ? method.GetCustomAttributes<KernelInstanceAttribute>().Select(instance => method.MakeGenericMethod([.. instance.Arguments]))
        : [method];

    private static string Name(Type type) => Name(type.Name.Split('`')[0], type.GetGenericArguments());

    private static string Name(string name, Type[] arguments) =>
        arguments.Length == 0 ? name : $"{name}<{string.Join(", ", arguments.Select(Name))}>";
}
