using MonoLoss.Bench;
using MonoLoss.Autodiff;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Models;
using PtxInterpreter;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>A piece of work, and what each of its launches moved and computed.</summary>
internal sealed record PtxWork(KernelSizes Sizes, IReadOnlyList<(string Kernel, PtxCost Cost)> Launches);

/// <summary>Training steps, scores and single operations that together launch every kernel, each launch counted.</summary>
public sealed class PtxCostFixture : IDisposable
{
    private const int Rows = 256;
    private const int Features = 128;
    private const int Latents = 1024;
    private const int Active = 16;

    // The latents that get all nonzeros in tests of long latents.
    private const int Favoured = 5;

    // Few enough that products of these sizes are divided as large ones are on a GPU.
    private const int Multiprocessors = 4;

    private readonly IlgpuDevice _device;
    private readonly List<(string Kernel, PtxCost Cost)> _launches = [];
    private readonly Random _random = new(1);

    public PtxCostFixture()
    {
        _device = IlgpuDevice.OpenSimulation(new()
        {
            Executor = new PtxExecutor { Ran = (kernel, cost) => _launches.Add((KernelAttribute.NameOf(kernel), cost)) },
            MultiprocessorCount = Multiprocessors,
        });
        var sizes = new KernelSizes(Rows, Features, Latents, Active);
        Train("batch_topk", Architecture.BatchTopK, sizes);
        Train("topk", Architecture.TopK, sizes);
        Train("jumprelu", Architecture.JumpReLU, sizes);
        Train("jumprelu by small operations", Architecture.JumpReLU, sizes, fuse: false);
        Train("vanilla", Architecture.Vanilla, sizes);
        Train("matryoshka", Architecture.Matryoshka, sizes);
        Train("gated", Architecture.Gated, sizes);
        Train("gated by small operations", Architecture.Gated, sizes, fuse: false);
        Train("long", Architecture.BatchTopK, new(4096, 64, 4096, 2), favoured: Favoured);
        MultiplyMatrices(sizes);
        SumMany(100_000);
    }

    internal Dictionary<string, PtxWork> Works { get; } = [];

    /// <summary>The work that contains the launch for which a kernel states its cost, its largest.</summary>
    public static string WorkOf(string kernel) => kernel switch
    {
        "Gemm.GemmTf32" => "tensor cores",
        "Latent.SumParts" or "Latent.JoinParts" or "Latent.FormParts" or "Latent.FinishParts" => "long",
        "Scan.SumTiles" => "long",
        "Sparse.SumColumnTiles" => "long, operations",
        "Sum.Sum" => "many latents",
        "JumpReLU.Gradient" => "jumprelu by small operations",
        "DatasetMono.AddValues" or "DatasetMono.AddWeightedUnitRows" or "DatasetMono.FinishScores" or "DatasetMono.AddGradient" =>
            "batch_topk, scores",
        "Gemm.SumPartials" or "Sparse.WriteOut" => "vanilla",
        "Latent.WriteOut" or "Latent.ReadAt" or "Latent.ScoreAll" or "Latent.FormAll" or "Latent.FinishAll" => "vanilla",
        "Loss.AddRelativeDifference" or "Row.LayerNorm" or "Row.ScaleRows" or "Row.ScaleAndShiftRows" => "topk",
        "Selection.FindThresholds" => "topk",
        "Mono.AddScoreGradient" or "Row.GatherElements" or "Row.GatherRows" or "Row.ScatterRows" or "Row.NormalizeRows"
            or "Row.LinearCombination" => "batch_topk, operations",
        "Sparse.AddWherePositive" or "Sparse.GatherEntries" or "Sparse.RemapColumns" or "Sparse.SDDMM" => "batch_topk, operations",
        "Sparse.SpMMTransposed" or "Sparse.SumColumns" or "DeadLatent.FindDead" or "DeadLatent.CountDead" => "batch_topk, operations",
        "Sum.SumColumnErrors" or "Sum.SumSquares" => "batch_topk, operations",
        _ when kernel.StartsWith("JumpReLU", StringComparison.Ordinal) => "jumprelu",
        "Gated.Gradient" => "gated by small operations",
        _ when kernel.StartsWith("Gated", StringComparison.Ordinal) => "gated",
        _ when kernel.StartsWith("Group", StringComparison.Ordinal) => "matryoshka",
        _ => "batch_topk",
    };

    public void Dispose() => _device.Dispose();

    private void Note(string work, KernelSizes sizes)
    {
        Works.Add(work, new(sizes, [.. _launches]));
        _launches.Clear();
    }

    private Tensor Draw(double rows, double columns)
    {
        var values = Enumerable.Range(0, (int)(rows * columns)).Select(_ => _random.NextSingle() - 0.5f);
        return _device.Tensor((int)rows, (int)columns).Set([.. values]);
    }

    private void Train(string work, Architecture architecture, KernelSizes sizes, bool fuse = true, int favoured = 0)
    {
        using var model = SparseAutoencoder.Create(_device, new SaeConfig
        {
            Architecture = architecture,
            Dimension = (int)sizes.Features,
            Latents = (int)sizes.Latents,
            K = (int)sizes.Active,
            Normalize = architecture is Architecture.TopK or Architecture.JumpReLU,
            MonoCoefficient = 0.1,
            Bandwidth = 0.3,
        });
        model.Initialize(_random);
        Favour(model, favoured);
        var tape = new Tape(_device) { FuseLatents = fuse };
        var options = new StepOptions { BatchSize = (int)sizes.Rows, LearningRate = 1e-3, MaxGradientNorm = 1, DeadCheckInterval = 0 };
        using var training = new TrainingStep(model, options, null, tape);
        using var x = Draw(sizes.Rows, sizes.Features);
        for (var step = 0; step < 2; step++)
        {
            // The first encoding has no earlier threshold to start from.
            _launches.Clear();
            training.Run(x);
        }

        var launches = _launches.ToArray();
        tape.Reset();
        var latents = model.Encode(tape, x).Latents.Value;
        _launches.Clear();
        sizes = sizes with { Active = latents.NonzeroCount / sizes.Rows };
        Works.Add(work, new(sizes, launches));
        using var dataset = new DatasetMonoLoss(model);
        dataset.AddGradient([x], 0.1);
        Note($"{work}, scores", sizes);
        Operate(latents, x, sizes);
        Note($"{work}, operations", sizes);
    }

    /// <summary>Makes the first latents' pre-activations so large that they get all nonzeros.</summary>
    private static void Favour(SparseAutoencoder model, int latents)
    {
        var encoder = model.Parameters.First(parameter => parameter.Value.Rows == model.Config.Latents).Value;
        var values = encoder.ToArray();
        foreach (ref var value in values.AsSpan(0, latents * encoder.Columns))
        {
            value *= 100;
        }

        encoder.Set(values);
    }

    private void Operate(CsrMatrix latents, Tensor x, KernelSizes sizes)
    {
        using var g = Draw(sizes.Rows, sizes.Features);
        using var matrix = Draw(sizes.Latents, sizes.Features);
        using var gathered = _device.Tensor(0, 0);
        using var row = _device.Tensor(1, (int)sizes.Latents);
        using var gatheredRow = _device.Tensor(0, 0);
        using var values = _device.Allocate<double>(row.Count);
        using var total = _device.Allocate<double>(2);
        using var columnSums = _device.Allocate<double>(3 * x.Columns);
        using var scoreGradient = _device.Allocate<float>(latents.NonzeroCount);
        using var counters = _device.Allocate<int>(row.Count);
        using var list = _device.Allocate<int>(row.Count);
        total.CopyFrom([1, 1]);
        _device.BuildColumnIndex(latents);
        _device.SDDMM(latents, g, matrix);
        _device.SpMMTransposed(latents, useGradient: false, x, matrix);
        _device.SumGradientColumns(latents, row);
        _device.AddToGradientWherePositive(latents, 1);
        _device.AddMonoGradient(latents, scoreGradient, total, 1);
        _device.FindDead(counters, least: 0, list);
        _device.GatherRows(matrix, list, gathered);
        _device.GatherElements(row, list, gatheredRow);
        _device.ScatterRows(gathered, list, matrix);
        _device.LinearCombination(1, x, 1, g, g);
        _device.NormalizeRows(matrix);
        _device.AccumulateColumnErrors(x, g, columnSums);
        _device.AddSum(values, total);
        _device.AddSumSquares(matrix, total);
        _device.RemapColumns(latents, list, latents.Columns);
    }

    private void MultiplyMatrices(KernelSizes sizes)
    {
        using var x = Draw(sizes.Rows, sizes.Features);
        using var weights = Draw(sizes.Latents, sizes.Features);
        using var product = _device.Tensor(x.Rows, weights.Rows);
        _device.UseTf32 = true;
        _device.Gemm(transposeA: false, transposeB: true, 1, x, weights, 0, product);
        Note("tensor cores", sizes);
    }

    private void SumMany(int latents)
    {
        using var values = _device.Allocate<double>(latents);
        using var total = _device.Allocate<double>(1);
        _device.AddSum(values, total);
        Note("many latents", new(1, 1, latents, 1));
    }
}
