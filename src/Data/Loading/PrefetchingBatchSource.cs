using System.Runtime.ExceptionServices;

namespace MonoLoss.Data;

/// <summary>
/// Draws the next batch from another source on a background thread while the caller uses the last one. The batches are the same. An
/// exception of the thread is thrown by the next call.
/// </summary>
public sealed class PrefetchingBatchSource : BatchSource
{
    private enum State
    {
        /// <summary>No epoch has started.</summary>
        Idle,

        /// <summary>The thread is to start an epoch and draw a batch.</summary>
        Start,

        /// <summary>The thread is to draw a batch.</summary>
        Draw,

        /// <summary>A batch is drawn.</summary>
        Ready,

        /// <summary>The epoch is over.</summary>
        End,

        /// <summary>The thread failed.</summary>
        Failed,

        /// <summary>The thread is to end.</summary>
        Stop,
    }

    private readonly BatchSource _inner;
    private readonly object _gate = new();
    private readonly Thread _thread;
    private readonly NativeBuffer _features;
    private State _state = State.Idle;
    private int _epoch;
    private long _skip;
    private ExceptionDispatchInfo? _failure;
    private bool _disposed;

    /// <summary>Starts the thread.</summary>
    /// <param name="inner">The source, which is owned by this one and disposed with it.</param>
    public PrefetchingBatchSource(BatchSource inner)
        : base(inner.Dimension, inner.Rows, inner.BatchSize)
    {
        _inner = inner;
        _features = new NativeBuffer((long)BatchSize * Dimension);
        _thread = new Thread(Run) { IsBackground = true, Name = "prefetch" };
        _thread.Start();
    }

    private bool IsBusy => _state is State.Start or State.Draw;

    /// <inheritdoc/>
    public override void StartEpoch(int epoch, long skipBatches = 0)
    {
        CheckEpoch(epoch, skipBatches);
        lock (_gate)
        {
            WaitWhileBusy();
            _failure = null;
            _epoch = epoch;
            _skip = skipBatches;
            Set(State.Start);
        }
    }

    /// <inheritdoc/>
    public override bool Next(Span<float> features)
    {
        CheckRoom(features);
        lock (_gate)
        {
            if (!WaitForBatch())
            {
                return false;
            }

            _features.Slice(0, features.Length).CopyTo(features);
            Set(State.Draw);
            return true;
        }
    }

    /// <summary>Draws the next batch without copying it.</summary>
    /// <param name="read">Called with batch size × dimension floats, which are valid until it returns.</param>
    /// <returns>False, and nothing is called, at the end of the epoch.</returns>
    /// <exception cref="DataException">The data cannot be read.</exception>
    public bool Next(BatchReader read)
    {
        lock (_gate)
        {
            if (!WaitForBatch())
            {
                return false;
            }

            read(_features.Slice(0, BatchSize * Dimension));
            Set(State.Draw);
            return true;
        }
    }

    /// <summary>Ends the thread, after the batch it is drawing, and disposes the source.</summary>
    public override void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        lock (_gate)
        {
            while (IsBusy)
            {
                Monitor.Wait(_gate);
            }

            Set(State.Stop);
        }

        _thread.Join();
        _inner.Dispose();
        _features.Dispose();
    }

    private bool WaitForBatch()
    {
        WaitWhileBusy();
        if (_state == State.Failed)
        {
            _failure!.Throw();
        }

        return _state == State.Ready;
    }

    private void WaitWhileBusy()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        while (IsBusy)
        {
            Monitor.Wait(_gate);
        }
    }

    private void Set(State state)
    {
        _state = state;
        Monitor.PulseAll(_gate);
    }

    private void Run()
    {
        while (true)
        {
            State request;
            lock (_gate)
            {
                while (!IsBusy && _state != State.Stop)
                {
                    Monitor.Wait(_gate);
                }

                request = _state;
            }

            if (request == State.Stop)
            {
                return;
            }

            var result = Draw(request == State.Start);
            lock (_gate)
            {
                Set(result);
            }
        }
    }

    private State Draw(bool start)
    {
        try
        {
            if (start)
            {
                _inner.StartEpoch(_epoch, _skip);
            }

            return _inner.Next(_features.Slice(0, BatchSize * Dimension)) ? State.Ready : State.End;
        }
        catch (Exception exception)
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
            return State.Failed;
        }
    }
}

/// <summary>Reads a batch.</summary>
/// <param name="features">Batch size × dimension floats.</param>
public delegate void BatchReader(ReadOnlySpan<float> features);
