using System.Reflection;
using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Launching: a kernel is compiled when it is first launched.</content>
public sealed partial class IlgpuDevice
{
    private readonly Dictionary<Delegate, Delegate> _launchers = [];

    /// <summary>Who watches launches; null for nobody.</summary>
    internal ILaunchObserver? Observer { get; set; }

    private Delegate? Find(Delegate kernel, KernelConfig config)
    {
        Observer?.Launching(kernel.Method, config.GridDim.LongSize * config.GroupDim.LongSize);
        return _launchers.GetValueOrDefault(kernel);
    }

    private void Launch<T1>(
        Action<T1> kernel, KernelConfig config, T1 a1)
        where T1 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1);
        Observer?.Launched();
    }

    private void Launch<T1, T2>(
        Action<T1, T2> kernel, KernelConfig config, T1 a1, T2 a2)
        where T1 : struct
        where T2 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3>(
        Action<T1, T2, T3> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3)
        where T1 : struct
        where T2 : struct
        where T3 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4>(
        Action<T1, T2, T3, T4> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5>(
        Action<T1, T2, T3, T4, T5> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5, T6>(
        Action<T1, T2, T3, T4, T5, T6> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5, T6> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5, a6);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7>(
        Action<T1, T2, T3, T4, T5, T6, T7> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct
        where T7 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5, T6, T7> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5, a6, a7);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct
        where T7 : struct
        where T8 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5, a6, a7, a8);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct
        where T7 : struct
        where T8 : struct
        where T9 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5, a6, a7, a8, a9);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct
        where T7 : struct
        where T8 : struct
        where T9 : struct
        where T10 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct
        where T7 : struct
        where T8 : struct
        where T9 : struct
        where T10 : struct
        where T11 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11, T12 a12)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct
        where T7 : struct
        where T8 : struct
        where T9 : struct
        where T10 : struct
        where T11 : struct
        where T12 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11, T12 a12, T13 a13)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct
        where T7 : struct
        where T8 : struct
        where T9 : struct
        where T10 : struct
        where T11 : struct
        where T12 : struct
        where T13 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11, T12 a12, T13 a13, T14 a14)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
        where T5 : struct
        where T6 : struct
        where T7 : struct
        where T8 : struct
        where T9 : struct
        where T10 : struct
        where T11 : struct
        where T12 : struct
        where T13 : struct
        where T14 : struct
    {
        if (Find(kernel, config) is not Action<KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14> launcher)
        {
            _launchers[kernel] = launcher = Accelerator.LoadStreamKernel(kernel, Registers(kernel));
        }

        launcher(config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14);
        Observer?.Launched();
    }

    private static KernelSpecialization Registers(Delegate kernel)
    {
        var attribute = kernel.Method.GetCustomAttribute<KernelAttribute>()!;
        return attribute.MinGroups == 0 ? KernelSpecialization.Empty : new(attribute.GroupSize, attribute.MinGroups);
    }
}
