namespace MonoLoss.Kernels.Ilgpu;

/// <content>Scratch memory.</content>
public sealed partial class IlgpuDevice
{
    private readonly Dictionary<string, IDisposable> _scratch = [];

    /// <summary>Memory that every call under this name shares: it only grows, and what it holds at first is undefined.</summary>
    private IlgpuArray<T> Scratch<T>(string name, long length)
        where T : unmanaged
    {
        if (!_scratch.TryGetValue(name, out var array))
        {
            _scratch[name] = array = new IlgpuArray<T>(this, 0);
        }

        ((IlgpuArray<T>)array).Resize(length);
        return (IlgpuArray<T>)array;
    }
}
