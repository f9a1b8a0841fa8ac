namespace MonoLoss.Models;

/// <summary>How a run ended.</summary>
public enum TrainingEnd
{
    /// <summary>All epochs are done.</summary>
    Completed,

    /// <summary>It was asked to stop; the checkpoint is saved.</summary>
    Stopped,

    /// <summary>The folder already contained the complete run, which was left alone.</summary>
    Skipped,
}
