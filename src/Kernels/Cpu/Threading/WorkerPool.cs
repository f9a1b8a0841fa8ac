using System.Runtime.CompilerServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>Parallel work on native memory, in numbered tasks.</summary>
internal interface IParallelWork
{
    /// <summary>Runs task <paramref name="index"/>. Tasks run in any order and at the same time.</summary>
    void Run(int index);
}

/// <summary>
/// Threads that are kept, for kernels too short for <see cref="Parallel"/>. How a kernel is cut into tasks must depend on the problem
/// alone, never on <see cref="Threads"/>, so that results have the same bits on any number of threads.
/// </summary>
/// <remarks>
/// Dispatch from one thread at a time. A dispatch allocates nothing. After a dispatch, idle threads spin briefly, so that the next kernel
/// of a step finds them awake, and then sleep.
/// </remarks>
internal sealed unsafe class WorkerPool : IDisposable
{
    // Long enough to bridge the gap between two kernels of a training step, short enough not to keep a core busy when idle.
    private const int SpinsBeforeSleep = 200;

    private const int Closed = int.MinValue;

    private readonly Thread[] _workers;
    // One per worker: with a shared one, a worker that is already done could take the permit meant for one that still sleeps.
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _sleeping;
    private readonly Lock _dispatch = new();
    private volatile int _generation;
    private volatile bool _stopping;
    private delegate*<void*, int, void> _invoke;
    private void* _work;
    private int _count;
    private int _next;
    // The number of workers that have joined the present dispatch; negative when none may join.
    private int _joined = Closed;
    private Exception? _failure;

    /// <summary>Starts a pool.</summary>
    /// <param name="threads">The number of threads that work at once, including the caller's; 0 for one per core.</param>
    public WorkerPool(int threads = 0)
    {
        Threads = threads > 0 ? threads : Environment.ProcessorCount;
        _workers = new Thread[Threads - 1];
        _wake = new SemaphoreSlim[_workers.Length];
        _sleeping = new int[_workers.Length];
        for (var i = 0; i < _workers.Length; i++)
        {
            var id = i;
            _wake[i] = new SemaphoreSlim(0);
            _workers[i] = new Thread(() => Loop(id)) { IsBackground = true, Name = $"kernel-{i + 1}" };
            _workers[i].Start();
        }
    }

    /// <summary>The number of threads that work at once, including the caller's.</summary>
    public int Threads { get; }

    /// <summary>Runs tasks 0 … <paramref name="count"/> − 1 and returns when all are done.</summary>
    /// <exception cref="AggregateException">A task threw; the rest may not have run.</exception>
    public void Run<T>(int count, T work)
        where T : unmanaged, IParallelWork
    {
        if (count <= 0)
        {
            return;
        }

        if (_workers.Length == 0 || count == 1)
        {
            for (var i = 0; i < count; i++)
            {
                work.Run(i);
            }

            return;
        }

        lock (_dispatch)
        {
            _invoke = &Invoke<T>;
            _work = &work;
            _count = count;
            _failure = null;
            _next = 0;
            Volatile.Write(ref _joined, 0);
            Interlocked.Increment(ref _generation);
            for (var i = 0; i < _workers.Length; i++)
            {
                if (Interlocked.Exchange(ref _sleeping[i], 0) == 1)
                {
                    _wake[i].Release();
                }
            }

            Drain();
            // Every task is taken. Wait only for workers that joined, not for one that is still waking up or whose core is busy with
            // something else.
            Interlocked.Add(ref _joined, Closed);
            var spinner = default(SpinWait);
            while (Volatile.Read(ref _joined) != Closed)
            {
                spinner.SpinOnce(-1);
            }

            if (_failure is { } failure)
            {
                throw new AggregateException(failure);
            }
        }
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        if (_stopping)
        {
            return;
        }

        _stopping = true;
        for (var i = 0; i < _workers.Length; i++)
        {
            _wake[i].Release();
            _workers[i].Join();
            _wake[i].Dispose();
        }
    }

    private static void Invoke<T>(void* work, int index)
        where T : unmanaged, IParallelWork => Unsafe.AsRef<T>(work).Run(index);

    private void Drain()
    {
        try
        {
            int index;
            while ((index = Interlocked.Increment(ref _next) - 1) < _count)
            {
                _invoke(_work, index);
            }
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _failure, exception, null);
            Volatile.Write(ref _next, _count);
        }
    }

    private bool TryJoin()
    {
        var joined = Volatile.Read(ref _joined);
        while (joined >= 0)
        {
            var seen = Interlocked.CompareExchange(ref _joined, joined + 1, joined);
            if (seen == joined)
            {
                return true;
            }

            joined = seen;
        }

        return false;
    }

    private void Loop(int id)
    {
        var seen = 0;
        while (true)
        {
            for (var spin = 0; _generation == seen && spin < SpinsBeforeSleep; spin++)
            {
                Thread.SpinWait(20);
            }

            while (_generation == seen)
            {
                if (_stopping)
                {
                    return;
                }

                Interlocked.Exchange(ref _sleeping[id], 1);
                // Check again after marking this thread asleep: a dispatch between the two checks would not have woken it. Whoever
                // clears the mark decides whether a permit will come.
                if (_generation == seen || Interlocked.Exchange(ref _sleeping[id], 0) == 0)
                {
                    _wake[id].Wait();
                }
            }

            if (_stopping)
            {
                return;
            }

            seen = _generation;
            if (TryJoin())
            {
                Drain();
                Interlocked.Decrement(ref _joined);
            }
        }
    }
}
