using System.Globalization;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Texts that progress is reported in, on a terminal and elsewhere.</summary>
internal static class ProgressFormat
{
    /// <summary>Describes a run that is about to start, in a few lines.</summary>
    public static IEnumerable<string> Describe(TrainingPlan plan)
    {
        var (model, training) = (plan.Model, plan.Training);
        var details = new List<string> { $"{Format(model.Dimension)} features", $"{Format(model.Latents)} latents" };
        if (model.Architecture.SelectsK())
        {
            details.Add($"k {model.K}");
        }

        details.Add(model.MonoCoefficient > 0
            ? FormattableString.Invariant($"MonoLoss {model.MonoCoefficient}")
                + (training.MonoPeriod > 1 ? $" every {training.MonoPeriod} steps" : string.Empty)
            : "no MonoLoss");
        yield return $"model   {Name(model)}: {string.Join(", ", details)}";
        yield return $"data    {string.Join(", ", plan.Splits.Select(split => $"{split.Key} {Format(split.Value)} rows"))} "
            + $"(training set {Place(plan.Features)})";
        yield return $"run     {training.Epochs} epochs of {Format(plan.StepsPerEpoch)} batches of {Format(training.BatchSize)} rows"
            + (plan.FirstStep > 0 ? $", resumed at step {Format(plan.FirstStep)}" : string.Empty);
        yield return $"device  {plan.Device.Name} ({plan.Device.Description})";
    }

    /// <summary>An architecture's name as --model takes it, with its variant.</summary>
    public static string Name(SaeConfig model) => model.Architecture.Name() + (model.Untied ? " (untied)" : string.Empty);

    private static string Place(FeatureResidency features) => features switch
    {
        FeatureResidency.Device => "on the device",
        FeatureResidency.Memory => "in memory",
        _ => "streamed",
    };

    /// <summary>The figures of a step.</summary>
    public static string Figures(in StepMetrics step, bool mono) => string.Create(
        CultureInfo.InvariantCulture, $"loss {step.Loss:0.000000}  L0 {step.L0:0.0}  dead {step.DeadLatents:N0}")
        + (mono ? string.Create(CultureInfo.InvariantCulture, $"  MonoScore {step.MonoScore:0.000}") : string.Empty);

    /// <summary>The figures of an evaluation.</summary>
    public static string Figures(EvaluationRow row)
    {
        var result = row.Result;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{row.Split}: R² {result.R2:0.0000}  MonoScore {result.MonoMean:0.0000}  L0 {result.L0:0.0}  silent {result.SilentLatents:N0}")
            + (result.PurityBinary is { } purity ? string.Create(CultureInfo.InvariantCulture, $"  purity {purity:0.000}") : string.Empty);
    }

    /// <summary>The notice that no latent has fired for some steps.</summary>
    public static string NothingFires(SaeConfig model, int steps)
    {
        // The rows have unit length, and the thresholds start at 1.
        var remedy = model is { Architecture: Architecture.JumpReLU, Normalize: false } ? "--normalize"
            : model.Architecture.SelectsK() ? "a lower --lr"
            : "a lower --lr or --l1-coef";
        return $"no latent has fired for {steps} steps, so nothing is learned; try {remedy}";
    }

    /// <summary>An epoch out of all: epoch 3/50.</summary>
    public static string Epoch(int epoch, int epochs) => $"epoch {epoch.ToString().PadLeft(epochs.ToString().Length)}/{epochs}";

    /// <summary>Seconds as m:ss or h:mm:ss.</summary>
    public static string Duration(double seconds)
    {
        var whole = (long)Math.Round(Math.Clamp(seconds, 0, 1e9));
        return whole >= 3600 ? $"{whole / 3600}:{whole / 60 % 60:00}:{whole % 60:00}" : $"{whole / 60}:{whole % 60:00}";
    }

    /// <summary>A number with a comma after the thousands and no decimals.</summary>
    public static string Format(double count) => count.ToString("N0", CultureInfo.InvariantCulture);
}
