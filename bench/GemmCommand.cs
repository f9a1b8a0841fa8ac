using CommandLine;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Bench;

/// <summary>Compares our matrix product with OpenBLAS's, and encoding with OpenBLAS's product alone.</summary>
[Verb("gemm", HelpText = "Compares our Gemm and encoders with OpenBLAS's Gemm, in turn within one process.")]
internal sealed class GemmCommand : MeasuringCommand
{
    private const int UsualRounds = 15;

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        var blas = OpenBlas.TryLoad()
            ?? throw new BenchException("OpenBLAS not found (libopenblas.so.0; on Debian: apt install libopenblas0)");
        foreach (var threads in new[] { 1, ThreadCount }.Distinct())
        {
            using var device = new CpuDevice(threads);
            Console.WriteLine($"\n{device.Description}, against {blas.Description}\n");
            MeasureShapes(device, blas);
            MeasureEncoders(device, blas, threads == ThreadCount ? scoreboard : new Scoreboard());
        }
    }

    private void MeasureShapes(CpuDevice device, OpenBlas blas)
    {
        const int B = Sizes.Rows, D = Sizes.Features, M = Sizes.Latents;
        using var peaks = new Peaks(device.Threads);
        var table = new Table("C = op(A)·op(B)", "m × n × k", "ours GFLOP/s", "OpenBLAS GFLOP/s", "ours / OpenBLAS", "share of FMA peak");
        foreach (var (name, transposeA, transposeB, m, n, k) in new[]
        {
            ("dense decode, NN", false, false, B, D, M),
            ("dense gradient, TN", true, false, M, D, B),
            ("square, NN", false, false, 1024, 1024, 1024),
            ("odd, NT", false, true, 509, 1021, 383),
            ("small, NN", false, false, 64, 96, 24),
        })
        {
            var flops = 2.0 * m * n * k;
            using var a = RandomTensor(device, transposeA ? k : m, transposeA ? m : k, 1);
            using var b = RandomTensor(device, transposeB ? n : k, transposeB ? k : n, 2);
            using var c = device.Tensor(m, n);
            // Small products are repeated until they take long enough for the clock.
            var repeats = (int)Math.Clamp(2e9 / flops, 1, 10_000);
            var seconds = Timing.InTurn(
                device,
                RoundsOr(UsualRounds),
                () => Repeat(repeats, () => device.Gemm(transposeA, transposeB, 1, a, b, 0, c)),
                () => Repeat(repeats, () => blas.Gemm(device.Threads, transposeA, transposeB, a, b, c)),
                peaks.MultiplyAdd);
            table.Add(
                name,
                $"{m} × {n} × {k}",
                $"{repeats * flops / Timing.Median(seconds[0]) / 1e9:0.0}",
                $"{repeats * flops / Timing.Median(seconds[1]) / 1e9:0.0}",
                $"{Timing.Ratio(seconds[1], seconds[0]):0.00}",
                $"{Timing.Ratio(seconds[2], seconds[0]) * repeats * flops / peaks.MultiplyAddFlops:0%}");
        }

        table.Print();
    }

    private void MeasureEncoders(CpuDevice device, OpenBlas blas, Scoreboard scoreboard)
    {
        const int K = Sizes.K;
        using var x = device.Tensor(Sizes.Rows, Sizes.Features).Set(SyntheticData.UnitRows(Sizes.Rows, Sizes.Features, 1));
        using var weights = RandomTensor(device, Sizes.Latents, Sizes.Features, 2);
        using var bias = device.Tensor(1, Sizes.Latents);
        using var dense = device.Tensor(Sizes.Rows, Sizes.Latents);
        using var rowWise = device.CsrMatrix();
        using var batchWise = device.CsrMatrix();
        using var positive = device.CsrMatrix();
        using var peaks = new Peaks(device.Threads);
        var works = new (string Name, Requirement? Requirement, Action Run)[]
        {
            ("OpenBLAS, the product alone", null, () => blas.Gemm(device.Threads, false, true, x, weights, dense)),
            ("Gemm", Requirement.Gemm, () => device.Gemm(false, true, 1, x, weights, 0, dense)),
            ("EncodeTopK", Requirement.EncodeTopK, () => device.EncodeTopK(x, weights, bias, K, rowWise)),
            ("EncodeBatchTopK", Requirement.EncodeBatchTopK, () => device.EncodeBatchTopK(x, weights, bias, K, batchWise)),
            ("EncodeThreshold, half of the latents kept", null, () => device.EncodeThreshold(x, weights, bias, null, positive)),
        };
        var seconds = Timing.InTurn(device, RoundsOr(UsualRounds), [.. works.Select(work => work.Run), peaks.MultiplyAdd]);
        var table = new Table(
            $"encoder, {Sizes.Rows} × {Sizes.Latents} × {Sizes.Features}", "ms", "GFLOP/s", "× OpenBLAS's time", "share of FMA peak");
        for (var i = 0; i < works.Length; i++)
        {
            var ratio = Timing.Ratio(seconds[i], seconds[0]);
            table.Add(
                works[i].Name,
                $"{Timing.Median(seconds[i]) * 1e3:0.0}",
                $"{Sizes.EncoderFlops / Timing.Median(seconds[i]) / 1e9:0.0}",
                $"{ratio:0.00}",
                $"{Timing.Ratio(seconds[^1], seconds[i]) * Sizes.EncoderFlops / peaks.MultiplyAddFlops:0%}");
            if (works[i].Requirement is { } requirement)
            {
                scoreboard.Add(requirement, requirement.AtLeast ? Timing.Ratio(seconds[0], seconds[i]) : ratio);
            }
        }

        Console.WriteLine();
        table.Print();
    }

    private static void Repeat(int count, Action work)
    {
        for (var i = 0; i < count; i++)
        {
            work();
        }
    }

    private static Tensor RandomTensor(Device device, int rows, int columns, int seed) =>
        device.Tensor(rows, columns).Set(SyntheticData.Uniform((long)rows * columns, 0.03f, seed));
}
