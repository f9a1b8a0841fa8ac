namespace MonoLoss.Models;

/// <summary>Watches a run.</summary>
public interface ITrainingObserver
{
    /// <summary>The data are open and the model is ready.</summary>
    /// <param name="plan">What the run is about to do.</param>
    void Started(TrainingPlan plan);

    /// <summary>There is something about the data or the run that the user should know, and that does not stop it.</summary>
    /// <param name="notice">One line.</param>
    void Noticed(string notice)
    {
    }

    /// <summary>A step was made.</summary>
    /// <param name="metrics">Its figures.</param>
    void Stepped(in StepMetrics metrics);

    /// <summary>An evaluation is under way.</summary>
    /// <param name="split">What is evaluated: train, val or test, or one of them by threshold.</param>
    /// <param name="rows">Number of rows evaluated so far.</param>
    /// <param name="total">Number of rows of the split.</param>
    void Evaluating(string split, long rows, long total);

    /// <summary>An evaluation was made.</summary>
    /// <param name="row">Its figures.</param>
    void Evaluated(EvaluationRow row);

    /// <summary>No latent has fired for many steps: nothing is learned. Called once.</summary>
    /// <param name="steps">Number of steps in a row.</param>
    void NothingFires(int steps);

    /// <summary>A checkpoint was saved.</summary>
    /// <param name="step">Number of steps made so far.</param>
    void Saved(long step);
}
