using System.Reflection;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Every kernel, and its PTX, without a GPU.</summary>
internal static class CompiledKernels
{
    /// <summary>Every kernel, with the types it is launched with.</summary>
    public static IEnumerable<MethodInfo> Methods { get; } =
    [
        .. KernelAttribute.Kernels.SelectMany(Instances),
    ];

    /// <summary>The method's name and the types it is launched with.</summary>
    public static string Name(MethodInfo method) => Name(method.Name, method.GetGenericArguments());

    /// <summary>What NVIDIA's driver would be given for a GPU of a compute capability.</summary>
    /// <param name="kernel">A method with a <see cref="KernelAttribute"/>.</param>
    /// <param name="major">8 or 9.</param>
    /// <param name="repair">Whether what ILGPU does wrong is undone, as it is on a GPU.</param>
    public static string Compile(MethodInfo kernel, int major, bool repair = true)
    {
        return Compile<PTXCompiledKernel>(
            kernel, context => new PTXBackend(context, new CudaArchitecture(major, 0), CudaInstructionSet.ISA_80, nvvmAPI: null!), repair).PTXAssembly;
    }

    /// <summary>What an Intel GPU's driver would be given: ILGPU generates shuffles for Intel alone.</summary>
    /// <param name="kernel">A method with a <see cref="KernelAttribute"/>.</param>
    public static string CompileOpenCL(MethodInfo kernel)
    {
        var capabilities = new CLCapabilityContext(true, true, true, true, true);
        return Compile<CLCompiledKernel>(
            kernel, context => new CLBackend(context, capabilities, CLDeviceVendor.Intel, CLBackend.MinimumVersion), repair: true).Source;
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
            EntryPointDescription.FromExplicitlyGroupedKernel(kernel), IlgpuWorkarounds.Specialization(kernel.GetCustomAttribute<KernelAttribute>()!));
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
