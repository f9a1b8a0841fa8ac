using System.Linq.Expressions;
using System.Reflection;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Launching kernels: how work is divided into groups, by its size alone. A kernel is compiled at its first launch.</content>
public sealed partial class IlgpuDevice
{
    // Sums in two launches: enough groups for the largest GPU, few enough for one group to sum their results.
    private const int MaxSumGroups = 1024;
    private const int MaxForOneGroup = 8192;

    private const int ElementsPerThread = 8;
    private const int MinRowsPerPart = 8 * SumKernels.RowsAtOnce;
    private const int MaxRowParts = 256;

    // By reference: the C# compiler caches one delegate per kernel, and delegates of one signature share their hash code.
    private readonly Dictionary<Delegate, Delegate> _launchers = new(ReferenceEqualityComparer.Instance);

    private static int DivideUp(long count, long by) => (int)((count + by - 1) / by);

    /// <summary>Groups of <see cref="GroupSize"/> threads, one thread for each of <paramref name="count"/> elements.</summary>
    private static KernelConfig Elements(long count) => Groups(DivideUp(count, GroupSize));

    /// <summary><paramref name="count"/> groups of <see cref="GroupSize"/> threads.</summary>
    private static KernelConfig Groups(int count) => new(count, GroupSize);

    /// <summary>Groups of <see cref="GroupSize"/> threads, one warp for each of <paramref name="count"/> rows or columns.</summary>
    private KernelConfig Warps(long count) => Groups(DivideUp(count, GroupSize / Accelerator.WarpSize));

    /// <summary>
    /// One group per row, with enough warps for about eight elements per thread: enough loads in flight, and no barrier where one warp
    /// is enough.
    /// </summary>
    private KernelConfig RowGroups(int rows, int columns)
    {
        var warp = Accelerator.WarpSize;
        return new(rows, Math.Clamp(DivideUp(columns, ElementsPerThread * warp) * warp, warp, GroupSize));
    }

    /// <summary>Groups that go through <paramref name="count"/> elements in strides of the grid's size.</summary>
    private static KernelConfig SumGroups(long count) => Groups(Math.Min(MaxSumGroups, DivideUp(count, GroupSize * ElementsPerThread)));

    /// <summary>Groups that sum 32 columns each over one part of the rows.</summary>
    private static KernelConfig Columns(int columns, int parts = 1) =>
        new((DivideUp(columns, SumKernels.ColumnsPerGroup), parts), (GroupSize, 1));

    /// <summary>The parts that rows are summed in.</summary>
    private static (int RowsPerPart, int Parts) Parts(int rows)
    {
        var rowsPerPart = Math.Max(MinRowsPerPart, DivideUp(rows, MaxRowParts));
        return (rowsPerPart, DivideUp(rows, rowsPerPart));
    }

    /// <summary>Finds the launcher of a kernel and informs the observer. A launch begins, runs and ends, in this order.</summary>
    private PendingLaunch<TLauncher> Begin<TLauncher>(Delegate kernel, KernelConfig config)
        where TLauncher : Delegate
    {
        FinishSelection();
        var threads = config.GridDim.LongSize * config.GroupDim.LongSize;
        if (threads == 0)
        {
            // NVIDIA's driver refuses launches without groups.
            return default;
        }

        Options.Observer?.Launching(kernel.Method, threads);
        return new((TLauncher)(_launchers.GetValueOrDefault(kernel) ?? Load<TLauncher>(kernel)), Options.Observer);
    }

    private Delegate Load<TLauncher>(Delegate kernel)
        where TLauncher : Delegate =>
        _launchers[kernel] = Options.Executor is { } executor
            ? LauncherOf<TLauncher>(executor, kernel.Method)
            : Compile<TLauncher>(kernel.Method);

    private TLauncher Compile<TLauncher>(MethodInfo kernel)
        where TLauncher : Delegate
    {
        var compiled = Accelerator.CompileKernel(
            EntryPointDescription.FromExplicitlyGroupedKernel(kernel),
            IlgpuWorkarounds.Specialization(kernel.GetCustomAttribute<KernelAttribute>()!));
        IlgpuWorkarounds.FixSource(compiled);
        return Accelerator.LoadKernel(compiled).CreateLauncherDelegate<TLauncher>();
    }

    /// <summary>A launcher (stream, config, arguments …) that has an executor run the kernel.</summary>
    private static TLauncher LauncherOf<TLauncher>(IKernelExecutor executor, MethodInfo kernel)
        where TLauncher : Delegate
    {
        var parameters = typeof(TLauncher).GetMethod(nameof(Action.Invoke))!.GetParameters()
            .Select(parameter => Expression.Parameter(parameter.ParameterType)).ToArray();
        var arguments = parameters.Skip(2).Select(argument => Expression.Convert(argument, typeof(object)));
        var run = Expression.Call(
            Expression.Constant(executor, typeof(IKernelExecutor)),
            typeof(IKernelExecutor).GetMethod(nameof(IKernelExecutor.Run))!,
            Expression.Constant(kernel),
            parameters[1],
            Expression.NewArrayInit(typeof(object), arguments));
        return Expression.Lambda<TLauncher>(run, parameters).Compile();
    }

    private void Launch<T1>(Action<T1> kernel, KernelConfig config, T1 a1)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1);
    }

    private void Launch<T1, T2>(Action<T1, T2> kernel, KernelConfig config, T1 a1, T2 a2)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2);
    }

    private void Launch<T1, T2, T3>(Action<T1, T2, T3> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3);
    }

    private void Launch<T1, T2, T3, T4>(Action<T1, T2, T3, T4> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4);
    }

    private void Launch<T1, T2, T3, T4, T5>(Action<T1, T2, T3, T4, T5> kernel, KernelConfig config, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5);
    }

    private void Launch<T1, T2, T3, T4, T5, T6>(
        Action<T1, T2, T3, T4, T5, T6> kernel, KernelConfig config,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5, a6);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7>(
        Action<T1, T2, T3, T4, T5, T6, T7> kernel, KernelConfig config,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5, a6, a7);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8> kernel, KernelConfig config,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9> kernel, KernelConfig config,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10> kernel, KernelConfig config,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11> kernel, KernelConfig config,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11)
    {
        using var launch = Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12> kernel, KernelConfig config,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11, T12 a12)
    {
        using var launch =
            Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13> kernel, KernelConfig config,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11, T12 a12, T13 a13)
    {
        using var launch =
            Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14>(
        Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14> kernel, KernelConfig config,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11, T12 a12, T13 a13, T14 a14)
    {
        using var launch =
            Begin<Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14>>(kernel, config);
        launch.Launcher?.Invoke(Stream, config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14);
    }

    /// <summary>A launch between its beginning and its end; a null launcher means an empty launch.</summary>
    private readonly ref struct PendingLaunch<TLauncher>(TLauncher launcher, ILaunchObserver? observer)
        where TLauncher : Delegate
    {
        public TLauncher? Launcher { get; } = launcher;

        public void Dispose() => observer?.Launched();
    }
}
