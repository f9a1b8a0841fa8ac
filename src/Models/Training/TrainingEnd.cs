namespace MonoLoss.Models;

/// <summary>How a run ended.</summary>
public enum TrainingEnd
{
    /// <summary>All epochs are done.</summary>
    Completed,

    /// <summary>It was asked to stop. The checkpoint is saved, unless no step was made: then nothing is.</summary>
    Stopped,

    /// <summary>The folder already contained the complete run, which was left as it was.</summary>
    Skipped,
}
