using System.Runtime.ExceptionServices;

namespace MonoLoss.Data;

/// <summary>
/// Draws the next batch from another source on a thread of its own while the caller uses the last. The batches are the same.
/// What goes wrong on the thread is thrown by the next call.
/// </summary>
public sealed class PrefetchingBatchSource : BatchSource
{
    private enum State
    {
        /// <summary>No epoch has started.</summary>
        Idle,

        /// <summary>The thread has an epoch to start and a batch to draw.</summary>
        Start,

        /// <summary>The thread has a batch to draw.</summary>
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
    private readonly int[] _labels;
    private State _state = State.Idle;
    private int _epoch;
    private long _skip;
    private ExceptionDispatchInfo? _failure;
    private bool _disposed;

    /// <summary>Starts the thread.</summary>
    /// <param name="inner">The source; it belongs to this one from now on and is disposed with it.</param>
    public PrefetchingBatchSource(BatchSource inner)
        : base(inner.Dimension, inner.Rows, inner.BatchSize, inner.HasLabels)
    {
        _inner = inner;
        _features = new NativeBuffer((long)BatchSize * Dimension);
        _labels = HasLabels ? new int[BatchSize] : [];
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
    public override bool Next(Span<float> features, Span<int> labels = default)
    {
        CheckRoom(features, labels);
        lock (_gate)
        {
            WaitWhileBusy();
            if (_state == State.Failed)
            {
                _failure!.Throw();
            }

            if (_state != State.Ready)
            {
                return false;
            }

            _features.Slice(0, features.Length).CopyTo(features);
            if (!labels.IsEmpty)
            {
                _labels.CopyTo(labels);
            }

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

            return _inner.Next(_features.Slice(0, BatchSize * Dimension), _labels) ? State.Ready : State.End;
        }
        catch (Exception exception)
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
            return State.Failed;
        }
    }
}
