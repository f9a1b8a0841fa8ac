using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>
/// Dataset-level scores, their gradients, and evaluations of official runs. A device has a class that derives from this one.
/// </summary>
public abstract class GoldenDatasets(Device device)
{
    private readonly Device _device = device;

    [Theory]
    [InlineData("full_dataset_batch_topk")]
    [InlineData("full_dataset_jumprelu")]
    [InlineData("full_dataset_vanilla")]
    public void Dataset_scores_and_gradient_are_those_of_the_golden(string name)
    {
        var golden = Golden.Open(name);
        using var model = GoldenModel.Create(_device, golden);
        using var dataset = new DatasetMonoLoss(model);
        var scores = dataset.AddGradient(Batches(golden).Select(MonoLoss.Models.Batch.FromTensor), coefficient: 1);
        AssertNear(golden.Floats("scores"), scores, 1e-6, "scores");
        foreach (var parameter in model.Parameters)
        {
            var expected = GoldenModel.Read(golden, "grad", parameter.Name, model);
            var actual = parameter.Variable.HasGradient ? parameter.Variable.Gradient.ToArray() : new float[expected.Length];
            AssertNear(expected, actual.Select(value => (double)value), 1e-5 * expected.Max(Math.Abs), parameter.Name);
        }
    }

    [Theory]
    [InlineData("evaluation_batch_topk")]
    [InlineData("evaluation_jumprelu")]
    public void Evaluation_gives_the_figures_of_the_golden(string name)
    {
        var golden = Golden.Open(name);
        using var model = GoldenModel.Create(_device, golden);
        var labels = golden.Integers("labels");
        using var evaluation = new Evaluation(model, labels.Max() + 1);
        var row = 0;
        foreach (var x in Batches(golden))
        {
            evaluation.Add(x, labels.AsSpan(row, x.Rows));
            row += x.Rows;
        }

        var result = evaluation.Finish();
        void Check(string figure, double actual) => AssertNear([(float)golden.Doubles(figure)[0]], [actual], 1e-5, figure);
        Check("r2", result.R2);
        Check("mse", result.Mse);
        Check("l0", result.L0);
        Check("mono_mean", result.MonoMean);
        Check("mono_median", result.MonoMedian);
        Check("mono_p90", result.MonoP90);
        Check("purity_binary", result.PurityBinary!.Value);
        Check("purity_weighted", result.PurityWeighted!.Value);
        AssertNear(golden.Floats("scores"), result.Latents.Select(latent => latent.MonoScore), 1e-6, "scores");
        AssertNear(
            golden.Doubles("purity_binary_per_latent").Select(value => (float)value).ToArray(),
            result.Latents.Select(latent => latent.Purity?.Binary ?? 0),
            1e-6,
            "binary purity");
        AssertNear(
            golden.Doubles("purity_weighted_per_latent").Select(value => (float)value).ToArray(),
            result.Latents.Select(latent => latent.Purity?.Weighted ?? 0),
            1e-5,
            "weighted purity");
        Assert.Equal(golden.Integer("latents_that_fire"), model.Config.Latents - result.SilentLatents);
    }

    [Fact]
    public void Scores_of_any_activations_are_those_of_the_golden()
    {
        var golden = Golden.Open("monoscore");
        var (n, d, latents) = (golden.Integer("n"), golden.Integer("d"), golden.Integer("latents"));
        using var x = _device.Tensor(n, d).Set(golden.Floats("embeddings"));
        using var z = _device.CsrMatrix().Set(golden.Floats("activations"), n, latents);
        using var scores = new MonoScoreAccumulator(_device, latents, d);
        scores.Add(z, x);
        AssertNear(golden.Floats("score_linear"), scores.Scores(), 1e-6, "scores");
    }

    private static void AssertNear(float[] expected, IEnumerable<double> actual, double tolerance, string what)
    {
        var worst = expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max();
        Assert.True(worst <= tolerance, $"{what}: off by {worst:e2}, more than {tolerance:e2}");
    }

    private IEnumerable<Tensor> Batches(Golden golden)
    {
        var d = golden.Integer("d");
        var size = golden.Integer("batch");
        var features = golden.Floats("features");
        for (var row = 0; row < features.Length / d; row += size)
        {
            var rows = Math.Min(size, (features.Length / d) - row);
            using var x = _device.Tensor(rows, d).Set(features.AsSpan(row * d, rows * d));
            yield return x;
        }
    }
}
