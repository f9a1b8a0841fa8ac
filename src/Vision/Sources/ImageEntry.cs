namespace MonoLoss.Vision;

/// <summary>An image of a source, not decoded yet.</summary>
/// <param name="Id">What it is called: a path, a key, or a file and a row.</param>
/// <param name="Label">Its class; null for none.</param>
/// <param name="Read">
/// Reads the file's bytes; throws <see cref="DamagedImageException"/> if that fails. May be called on any thread.
/// </param>
public sealed record ImageEntry(string Id, string? Label, Func<ReadOnlyMemory<byte>> Read);
