namespace MonoLoss.Models;

/// <summary>The point of a run at which a checkpoint was made.</summary>
/// <param name="Epoch">The epoch of the next batch, from 0.</param>
/// <param name="Batch">The next batch of that epoch, from 0.</param>
/// <param name="Step">Number of steps made.</param>
public readonly record struct TrainingPosition(int Epoch, long Batch, long Step);
