using System.Reflection;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Launching: a kernel is compiled when it is first launched.</content>
public sealed partial class IlgpuDevice
{
    // By reference: the compiler keeps one delegate for every kernel that is named, and by value those of one signature share a hash code.
    private readonly Dictionary<Delegate, Delegate> _launchers = new(ReferenceEqualityComparer.Instance);

    /// <summary>Who watches launches; null for nobody.</summary>
    internal ILaunchObserver? Observer { get; set; }

    /// <summary>Runs kernels in ILGPU's entry; null for ILGPU.</summary>
    internal IKernelExecutor? Executor { get; set; }

    /// <summary>No groups: NVIDIA's driver would refuse it.</summary>
    private static bool IsEmpty(KernelConfig config) => config.GridDim.LongSize == 0;

    private Delegate? Find(Delegate kernel, KernelConfig config)
    {
        Observer?.Launching(kernel.Method, config.GridDim.LongSize * config.GroupDim.LongSize);
        return _launchers.GetValueOrDefault(kernel);
    }

    private TLauncher Load<TLauncher>(Delegate kernel)
        where TLauncher : Delegate
    {
        var attribute = kernel.Method.GetCustomAttribute<KernelAttribute>()!;
        var compiled = Accelerator.CompileKernel(
            EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method), IlgpuWorkarounds.Specialization(attribute));
        IlgpuWorkarounds.Repair(compiled);
        var launcher = Accelerator.LoadKernel(compiled).CreateLauncherDelegate<TLauncher>();
        _launchers[kernel] = launcher;
        return launcher;
    }

    private void Launch<T1>(
        Action<T1> kernel, KernelConfig config, T1 a1)
        where T1 : struct
    {
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1>>(kernel))(Stream, config, a1);
        Observer?.Launched();
    }

    private void Launch<T1, T2>(
        Action<T1, T2> kernel, KernelConfig config, T1 a1, T2 a2)
        where T1 : struct
        where T2 : struct
    {
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2>>(kernel))(Stream, config, a1, a2);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3>(
        Action<T1, T2, T3> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3)
        where T1 : struct
        where T2 : struct
        where T3 : struct
    {
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3>>(kernel))(Stream, config, a1, a2, a3);
        Observer?.Launched();
    }

    private void Launch<T1, T2, T3, T4>(
        Action<T1, T2, T3, T4> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4)
        where T1 : struct
        where T2 : struct
        where T3 : struct
        where T4 : struct
    {
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4>>(kernel))(Stream, config, a1, a2, a3, a4);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5>>(kernel))(Stream, config, a1, a2, a3, a4, a5);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5, a6);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6>>(kernel))(Stream, config, a1, a2, a3, a4, a5, a6);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5, a6, a7);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7>>(kernel))(Stream, config, a1, a2, a3, a4, a5, a6, a7);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5, a6, a7, a8);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8>>(kernel))(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5, a6, a7, a8, a9);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9>>(kernel))(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10>>(kernel))(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>>(kernel))(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12>>(kernel))(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13>>(kernel))(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13);
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
        if (IsEmpty(config))
        {
            return;
        }

        if (Executor is not null)
        {
            Executor.Run(kernel.Method, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14);
            return;
        }

        var launcher = (Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14>?)Find(kernel, config);
        (launcher ?? Load<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14>>(kernel))(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14);
        Observer?.Launched();
    }
}
