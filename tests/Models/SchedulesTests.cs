using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>The values of every step against the tables of other trainers (golden "schedules"), and what does not go together.</summary>
public sealed class SchedulesTests
{
    private static readonly Golden Table = Golden.Open("schedules");
    private static readonly int Steps = Table.Integer("steps");

    [Theory]
    [InlineData("lr.warmup", true, LearningRateDecay.None, false)]
    [InlineData("lr.linear", false, LearningRateDecay.Linear, true)]
    [InlineData("lr.cosine", false, LearningRateDecay.Cosine, false)]
    [InlineData("lr.warmup_linear", true, LearningRateDecay.Linear, true)]
    [InlineData("lr.warmup_cosine", true, LearningRateDecay.Cosine, false)]
    public void Learning_rate_of_every_step(string name, bool warmup, LearningRateDecay decay, bool length)
    {
        var schedule = Schedule(new StepOptions
        {
            LearningRate = Table.Number("lr"),
            LearningRateWarmup = warmup ? Table.Integer("warmup") : 0,
            LearningRateDecay = decay,
            LearningRateDecaySteps = length ? Table.Integer("decay") : null,
            TotalSteps = Steps,
        });
        Near(Table.Doubles(name), step => schedule.At(step).LearningRate);
    }

    [Fact]
    public void Coefficients_of_every_step()
    {
        var value = Table.Number("coefficient");
        var warmup = Table.Integer("coefficient_warmup");
        var schedule = new TrainingSchedule(
            new SaeConfig { Architecture = Architecture.Vanilla, Dimension = 3, L1Coefficient = value, MonoCoefficient = value },
            new StepOptions { L1Warmup = warmup, MonoWarmup = warmup });
        Near(Table.Doubles("coefficient"), step => schedule.At(step).L1Coefficient);
        Near(Table.Doubles("coefficient"), step => schedule.At(step).MonoCoefficient);
    }

    [Fact]
    public void K_of_every_step()
    {
        var options = new StepOptions { KStart = Table.Integer("k_start"), KAnneal = Table.Integer("k_anneal"), TotalSteps = Steps };
        var config = Config with { K = Table.Integer("k") };
        var schedule = new TrainingSchedule(config, options);
        var expected = Table.Integers("k");
        Assert.Equal(expected, Enumerable.Range(0, Steps).Select(step => schedule.At(step).K));
        Assert.Equal(expected.Max(), TrainingSchedule.AtLargestK(config, options).K);
        for (var step = 0; step < Steps; step++)
        {
            Assert.Equal(
                expected.Take(step + 1).Reverse().TakeWhile(k => k == expected[step]).Count(),
                TrainingSchedule.StepsAtSameK(config, options, step));
        }
    }

    /// <summary>Slowly, k stays the same for some steps; it may rise too.</summary>
    [Theory]
    [InlineData(10, 8, 1000)]
    [InlineData(3, 9, 7)]
    [InlineData(2_000_000_000, 1, int.MaxValue)]
    public void K_is_the_rounded_line(int start, int k, int anneal)
    {
        foreach (var step in Enumerable.Range(0, 41).Select(i => i * (anneal / 40.0)).Select(step => (long)step).Append(anneal))
        {
            var line = start + ((k - start) * (decimal)Math.Min(step, anneal) / anneal);
            Assert.Equal((int)Math.Floor(line + 0.5m), Schedules.K(start, k, anneal, step));
        }
    }

    [Fact]
    public void Without_schedules_every_step_has_the_settings()
    {
        var options = new StepOptions { LearningRate = 0.1 };
        var schedule = new TrainingSchedule(Config, options);
        Assert.All(new long[] { 0, 1, 1000, long.MaxValue / 4 }, step =>
        {
            Assert.Equal(StepValues.Of(Config, options.LearningRate), schedule.At(step));
            Assert.Equal(step + 1, TrainingSchedule.StepsAtSameK(Config, options, step));
        });
    }

    public static TheoryData<StepOptions, Architecture, string> Refused => new()
    {
        { new StepOptions { LearningRateWarmup = -1 }, Architecture.TopK, "LearningRateWarmup" },
        { new StepOptions { LearningRateDecaySteps = 3 }, Architecture.TopK, "LearningRateDecaySteps has no effect" },
        { new StepOptions { LearningRateDecay = LearningRateDecay.Cosine }, Architecture.TopK, "TotalSteps" },
        {
            new StepOptions { LearningRateDecay = LearningRateDecay.Linear, LearningRateWarmup = 5, TotalSteps = 5 },
            Architecture.TopK, "training has 5 steps"
        },
        {
            new StepOptions
            {
                LearningRateDecay = LearningRateDecay.Linear, LearningRateWarmup = 3, LearningRateDecaySteps = 3, TotalSteps = 5,
            },
            Architecture.TopK, "over 3"
        },
        {
            new StepOptions { L1Warmup = 3 }, Architecture.BatchTopK,
            "L1Warmup requires Architecture jumprelu or vanilla or gated, but it is batch_topk"
        },
        {
            new StepOptions { KStart = 9, KAnneal = 3 }, Architecture.Vanilla,
            "KStart requires Architecture batch_topk or matryoshka or topk, but it is vanilla"
        },
        {
            new StepOptions { TargetL0 = 3 },
            Architecture.TopK,
            "TargetL0 requires Architecture jumprelu or vanilla or gated, but it is topk"
        },
        { new StepOptions { TargetL0 = 0 }, Architecture.Vanilla, "TargetL0 must be positive" },
        { new StepOptions { TargetL0 = 9000 }, Architecture.Vanilla, "exceeds Latents 8192" },
        { new StepOptions { TargetL0 = 9, L1Warmup = 3 }, Architecture.Vanilla, "use one of them" },
        { new StepOptions { WeightDecay = -1 }, Architecture.Vanilla, "WeightDecay" },
        { new StepOptions { MonoWarmup = 3 }, Architecture.BatchTopK, "MonoCoefficient is 0" },
        { new StepOptions { KStart = 9 }, Architecture.BatchTopK, "belong together" },
        { new StepOptions { KAnneal = 9 }, Architecture.BatchTopK, "belong together" },
        { new StepOptions { KStart = 8193, KAnneal = 9 }, Architecture.BatchTopK, "exceeds Latents 8192" },
        { new StepOptions { KStart = 0, KAnneal = 9 }, Architecture.BatchTopK, "KStart must be positive" },
        { new StepOptions { KStart = 99, KAnneal = 9, TotalSteps = 9 }, Architecture.BatchTopK, "less than the 9 steps" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void Settings_that_do_not_go_together_are_refused(StepOptions options, Architecture architecture, string words)
    {
        var exception = Assert.Throws<ConfigurationException>(() =>
        {
            options.Validate();
            return new TrainingSchedule(Config with { Architecture = architecture }, options);
        });
        Assert.Contains(words, exception.Message, StringComparison.Ordinal);
    }

    private static SaeConfig Config => new() { Architecture = Architecture.BatchTopK, Dimension = 3 };

    private static TrainingSchedule Schedule(StepOptions options) => new(Config, options);

    private static void Near(double[] expected, Func<long, double> actual)
    {
        Assert.Equal(Steps, expected.Length);
        for (var step = 0; step < Steps; step++)
        {
            Assert.True(
                Math.Abs(actual(step) - expected[step]) <= 1e-12 * Math.Abs(expected[step]),
                $"step {step}: {actual(step)} is not {expected[step]}");
        }
    }
}
