using CommandLine;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Bench;

/// <summary>Measures training steps and their phases, with and without MonoLoss, and compares a step with its lower bound.</summary>
[Verb("steps", HelpText = "Measures a training step of each model with and without MonoLoss: phases, and ratio to the lower bound.")]
internal sealed class StepsCommand : StepSizedCommand
{
    private const int UsualRounds = 15;

    /// <summary>The device to measure.</summary>
    [Option("device", Default = "cpu", HelpText = DeviceFactory.Names + "; OpenBLAS and the lower bound are for the cpu only.")]
    public string DeviceName { get; set; } = "cpu";

    /// <summary>The models that are measured.</summary>
    [Option("model", HelpText = "Measure only this case, such as batch_topk [all]")]
    public string? Model { get; set; }

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        using var device = DeviceFactory.Open(DeviceName, ThreadCount);
        var blas = device is CpuDevice ? OpenBlas.TryLoad() : null;
        Console.WriteLine($"\n{device.Name}: {device.Description}; GEMM: {blas?.Description ?? "the device's own"}");
        Console.WriteLine(
            $"{Sizes}; medians of {RoundsOr(UsualRounds)} steps in ms\n");
        var table = new Table(
            $"step on {device.Name}", "MonoLoss", "active", "encode", "decode + losses", "backward", "optimizer", "copy + metrics", "total",
            "× GEMM", "MonoLoss adds", "× base");
        Floor? floor = null;
        foreach (var training in TrainingCase.All.Where(training => Model is null || training.Name == Model))
        {
            MeasureCase(device, blas, training, table, scoreboard, ref floor);
        }

        table.Print();
        floor?.Print();
    }

    private void MeasureCase(Device device, OpenBlas? blas, TrainingCase training, Table table, Scoreboard scoreboard, ref Floor? floor)
    {
        using var without = new TrainingWork(device, training, Sizes, mono: false);
        using var with = new TrainingWork(device, training, Sizes, mono: true);
        // The case that this one is compared with, in the same rounds.
        var compared = TrainingCase.All.SingleOrDefault(other => other.Name == training.Base);
        using var baseWithout = compared is null ? null : new TrainingWork(device, compared, Sizes, mono: false);
        using var baseWith = compared is null ? null : new TrainingWork(device, compared, Sizes, mono: true);
        using var product = new Product(device, blas, Sizes);
        using var peaks = device is CpuDevice cpu ? new Peaks(cpu.Threads) : null;
        var works = new[] { without, with };
        var phases = works.Select(_ => new List<StepPhases>()).ToArray();
        var rounds = RoundsOr(UsualRounds);
        // Element i of the results is the time of action i of the list; the phases of the steps are recorded separately.
        var seconds = Timing.InTurn(
            device,
            rounds,
            [
                without.Step,
                with.Step,
                without.Encode,
                with.Encode,
                product.Run,
                () => phases[0].Add(without.StepByPhase()),
                () => phases[1].Add(with.StepByPhase()),
                .. peaks is null ? Array.Empty<Action>() : [peaks.MultiplyAdd, peaks.Triad],
                .. baseWithout is null ? Array.Empty<Action>() : [baseWithout.Step, baseWith!.Step],
            ]);
        double BaseRatio(int i) => Timing.Ratio(seconds[i], seconds[seconds.Length - 2 + i]);
        for (var i = 0; i < works.Length; i++)
        {
            // The first is the warm-up.
            var steps = phases[i].Skip(1).ToArray();
            var encode = seconds[2 + i];
            table.Add(
                training.Name,
                i == 0 ? "no" : "yes",
                $"{works[i].ActiveShare:0.0%}",
                Milliseconds(Timing.Median(encode)),
                Milliseconds(Timing.Median(steps.Zip(encode, (step, time) => step.Forward - time))),
                Milliseconds(Timing.Median(steps.Select(step => step.Backward))),
                Milliseconds(Timing.Median(steps.Select(step => step.Optimizer))),
                Milliseconds(Timing.Median(steps.Select(step => step.Copy + step.Metrics))),
                Milliseconds(Timing.Median(seconds[i])),
                $"{Timing.Ratio(seconds[i], seconds[4]):0.00}",
                i == 0 ? string.Empty : $"{Timing.Ratio(seconds[1], seconds[0]) - 1:0.0%}",
                compared is null ? string.Empty : $"{BaseRatio(i):0.00} {compared.Name}");
        }

        if (peaks is not null && compared is not null && Sizes == WorkSizes.Paper)
        {
            scoreboard.Add(training.Requirement, BaseRatio(1));
        }

        // The targets are for the CPU at the paper's sizes.
        if (peaks is not null && training.Requirement == Requirement.BatchTopK)
        {
            if (Sizes == WorkSizes.Paper)
            {
                if (blas is not null)
                {
                    scoreboard.Add(Requirement.StepAgainstGemm, Timing.Ratio(seconds[1], seconds[4]));
                }

                scoreboard.Add(Requirement.MonoLossTime, 100 * (Timing.Ratio(seconds[1], seconds[0]) - 1));
            }

            floor = new Floor(
                Sizes.EncoderFlops,
                [.. seconds[7].Select(time => time * Sizes.EncoderFlops / peaks.MultiplyAddFlops)],
                [.. seconds[8].Select(time => time * with.ParameterCount * Bench.Sizes.AdamBytes / Peaks.TriadBytes)],
                seconds[1]);
        }
    }

    private static string Milliseconds(double seconds) => $"{seconds * 1e3:0.00}";

    /// <summary>The lower bound on a batch_topk step at the rates measured in the same rounds; all in seconds, round by round.</summary>
    private sealed record Floor(double EncoderFlops, double[] Product, double[] Adam, double[] Step)
    {
        public void Print()
        {
            var floor = Product.Zip(Adam, (product, adam) => product + adam).ToArray();
            Console.WriteLine(
                $"\nlower bound of a batch_topk step: {Median(Product)} for the encoder's {EncoderFlops / 1e9:0.0} GFLOP at the FMA peak "
                + $"+ {Median(Adam)} for Adam's bytes at memory speed = {Median(floor)};");
            Console.WriteLine($"with MonoLoss it takes {Median(Step)}, {Timing.Ratio(Step, floor):0.00} times the lower bound");
        }

        private static string Median(double[] seconds) => $"{Milliseconds(Timing.Median(seconds))} ms";
    }

    /// <summary>The encoder's product by OpenBLAS, or by our own Gemm if OpenBLAS is not installed.</summary>
    private sealed class Product(Device device, OpenBlas? blas, WorkSizes sizes) : IDisposable
    {
        private readonly Tensor _x = device.Tensor(sizes.Rows, sizes.Features)
            .Set(SyntheticData.UnitRows(sizes.Rows, sizes.Features, 1));
        private readonly Tensor _weights = device.Tensor(sizes.Latents, sizes.Features)
            .Set(SyntheticData.Uniform((long)sizes.Latents * sizes.Features, 0.03f, 2));
        private readonly Tensor _result = device.Tensor(sizes.Rows, sizes.Latents);

        public void Run()
        {
            if (blas is null)
            {
                device.Gemm(false, true, 1, _x, _weights, 0, _result);
            }
            else
            {
                blas.Gemm(((CpuDevice)device).Threads, false, true, _x, _weights, _result);
            }
        }

        public void Dispose()
        {
            _x.Dispose();
            _weights.Dispose();
            _result.Dispose();
        }
    }
}
