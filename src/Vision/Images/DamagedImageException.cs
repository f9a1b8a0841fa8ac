namespace MonoLoss.Vision;

/// <summary>An image that cannot be used. The message says why, and follows the image's name.</summary>
/// <param name="message">Such as "it is cut off".</param>
/// <param name="inner">The cause, if another exception is.</param>
public sealed class DamagedImageException(string message, Exception? inner = null) : Exception(message, inner);
