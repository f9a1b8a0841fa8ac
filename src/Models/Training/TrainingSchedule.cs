namespace MonoLoss.Models;

/// <summary>What may differ from step to step.</summary>
/// <param name="LearningRate">α.</param>
/// <param name="L1Coefficient">The coefficient of the sparsity penalty.</param>
/// <param name="MonoCoefficient">The coefficient of MonoLoss.</param>
/// <param name="K">k of models that select k latents.</param>
public readonly record struct StepValues(double LearningRate, double L1Coefficient, double MonoCoefficient, int K)
{
    /// <summary>The values of a configuration, without schedules.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="learningRate">α.</param>
    public static StepValues Of(SaeConfig config, double learningRate = 0) =>
        new(learningRate, config.L1Coefficient, config.MonoCoefficient, config.K);
}

/// <summary>All schedules of a run: the values of each step, from the settings alone (<see cref="Schedules"/>).</summary>
public sealed record TrainingSchedule
{
    private readonly StepValues _full;
    private readonly StepOptions _options;
    private readonly long _total;
    private readonly long _decay;

    /// <summary>The schedules of a model's training.</summary>
    /// <param name="config">The model, whose values are those at full strength.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ConfigurationException">Settings do not fit the model, each other, or the number of steps.</exception>
    public TrainingSchedule(SaeConfig config, StepOptions options)
    {
        Check(config, options);
        (_full, _options) = (StepValues.Of(config, options.LearningRate), options);
        if (options.TotalSteps is { } total)
        {
            _total = total;
            if (options.KAnneal >= total && options.KStart is not null)
            {
                throw new ConfigurationException(
                    $"KAnneal must be less than the {total} steps of training, which end with K, but is {options.KAnneal}",
                    nameof(StepOptions.KAnneal),
                    nameof(SaeConfig.K));
            }
        }

        if (options.LearningRateDecay != LearningRateDecay.None)
        {
            _total = options.TotalSteps
                ?? throw new ConfigurationException("LearningRateDecay needs TotalSteps", nameof(StepOptions.LearningRateDecay));
            _decay = options.LearningRateDecaySteps ?? (_total - options.LearningRateWarmup);
            if (_decay <= 0 || _decay + options.LearningRateWarmup > _total)
            {
                throw new ConfigurationException(
                    $"training has {_total} steps, too few for LearningRateWarmup {options.LearningRateWarmup} and LearningRateDecay"
                        + (options.LearningRateDecaySteps is { } steps ? $" over {steps}" : string.Empty),
                    nameof(StepOptions.LearningRateWarmup),
                    nameof(StepOptions.LearningRateDecay));
            }
        }
    }

    /// <summary>The values of a step.</summary>
    /// <param name="step">The number of steps made before it.</param>
    public StepValues At(long step) => new(
        _full.LearningRate * Schedules.Warmup(step, _options.LearningRateWarmup)
            * Schedules.Decay(_options.LearningRateDecay, step, _total, _decay),
        _full.L1Coefficient * Schedules.Warmup(step, _options.L1Warmup),
        _full.MonoCoefficient * Schedules.Warmup(step, _options.MonoWarmup),
        Schedules.K(_options.KStart ?? _full.K, _full.K, _options.KAnneal, step));

    /// <summary>The number of steps up to a given one that had its k without a change, which need not be told beyond 100.</summary>
    /// <param name="config">The model.</param>
    /// <param name="options">The settings.</param>
    /// <param name="step">The number of steps made before the given one.</param>
    public static long StepsAtSameK(SaeConfig config, StepOptions options, long step) => options.KStart is { } start
        ? Schedules.StepsAtSameK(start, config.K, options.KAnneal, step)
        : step + 1;

    /// <summary>The model with the largest k of its training: what its memory is planned for.</summary>
    /// <param name="config">The model.</param>
    /// <param name="options">The settings.</param>
    public static SaeConfig AtLargestK(SaeConfig config, StepOptions options) =>
        config with { K = Math.Max(config.K, options.KStart ?? 0) };

    /// <summary>Checks what can be checked before the number of steps is known: that settings fit the model and each other.</summary>
    /// <param name="config">The model.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ConfigurationException">They do not: one line that names them.</exception>
    public static void Check(SaeConfig config, StepOptions options)
    {
        var traits = config.Architecture.Traits();
        config.RequireTrait(options.L1Warmup > 0, nameof(StepOptions.L1Warmup), other => other.HasSparsityPenalty);
        config.RequireTrait(options.TargetL0 is not null, nameof(StepOptions.TargetL0), other => other.HasSparsityPenalty);
        config.RequireTrait(options.KStart is not null, nameof(StepOptions.KStart), other => other.SelectsK);
        config.RequireTrait(options.KAnneal > 0, nameof(StepOptions.KAnneal), other => other.SelectsK);
        if (options.TargetL0 is not null && options.L1Warmup > 0)
        {
            throw new ConfigurationException(
                "TargetL0 steers the coefficient that L1Warmup would raise: use one of them",
                nameof(StepOptions.TargetL0),
                nameof(StepOptions.L1Warmup));
        }

        if (options.TargetL0 > config.Latents)
        {
            throw new ConfigurationException(
                FormattableString.Invariant($"TargetL0 {options.TargetL0} exceeds Latents {config.Latents}"),
                nameof(StepOptions.TargetL0),
                nameof(SaeConfig.Latents));
        }

        if (options.MonoWarmup > 0 && config.MonoCoefficient == 0)
        {
            throw new ConfigurationException(
                "MonoWarmup has no effect: MonoCoefficient is 0", nameof(StepOptions.MonoWarmup), nameof(SaeConfig.MonoCoefficient));
        }

        if (options.LearningRateDecaySteps is not null && options.LearningRateDecay == LearningRateDecay.None)
        {
            throw new ConfigurationException(
                "LearningRateDecaySteps has no effect without LearningRateDecay",
                nameof(StepOptions.LearningRateDecaySteps),
                nameof(StepOptions.LearningRateDecay));
        }

        if (options.KStart is null != (options.KAnneal == 0))
        {
            throw new ConfigurationException(
                "KStart and KAnneal belong together: found only one of them", nameof(StepOptions.KStart), nameof(StepOptions.KAnneal));
        }

        if (traits.SelectsK && options.KStart > config.Latents)
        {
            throw new ConfigurationException(
                $"KStart {options.KStart} exceeds Latents {config.Latents}", nameof(StepOptions.KStart), nameof(SaeConfig.Latents));
        }
    }
}
