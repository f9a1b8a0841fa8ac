using System.Globalization;
using MonoLoss.Data;
using MonoLoss.Tests.Data;
using MonoLoss.Tests.Models;

namespace MonoLoss.Tests.Cli;

/// <summary>
/// Replays official runs through the command line alone: batches as Parquet, initial weights as a folder, metrics and weights back.
/// </summary>
public sealed class GoldenCliTests
{
    [Theory]
    [InlineData("batch_topk")]
    [InlineData("batch_topk_mono")]
    [InlineData("batch_topk_norm_mono")]
    [InlineData("topk")]
    [InlineData("topk_mono")]
    [InlineData("topk_untied_mono")]
    [InlineData("jumprelu_norm")]
    [InlineData("jumprelu_norm_mono")]
    [InlineData("vanilla")]
    [InlineData("vanilla_mono")]
    [InlineData("matryoshka_batch_topk")]
    [InlineData("matryoshka_batch_topk_mono")]
    [InlineData("matryoshka_batch_topk_norm_mono")]
    [InlineData("gated")]
    [InlineData("gated_mono")]
    [InlineData("gated_norm_mono")]
    public void Train_gives_the_losses_and_weights_of_the_official_run(string name)
    {
        using var folder = new TempFolder();
        var golden = Golden.Open(name);
        var (d, m, batch) = (golden.Integer("d"), golden.Integer("latents"), golden.Integer("batch"));
        var isTopK = golden.Setting("model") == "topk";
        var untied = golden.HasSetting("tied") && golden.Setting("tied") == "False";
        RunFiles.Write(folder["batches.parquet"], golden.Floats("batches"), d);
        WriteInitial(folder["init"], golden, d, m);

        List<string> args =
        [
            "train", "--train", folder["batches.parquet"], "--rows", "unit", "--init", folder["init"], "--out", folder["run"],
            "--no-shuffle",
            "--epochs", "1", "--eval-every", "0", "--quiet", "--threads", "2",
            "--model", GoldenModel.Name(golden), "--latents", $"{m}", "--k", golden.HasSetting("k") ? golden.Setting("k") : "1",
            "--batch-size", $"{batch}",
            "--dead-after", $"{golden.Integer("dead_after_batches") * batch}",
        ];
        foreach (var (setting, option) in new[]
        {
            ("lr", "--lr"), ("adam_eps", "--adam-eps"), ("aux_k", "--aux-k"), ("aux_coef", "--aux-coef"), ("l1_coef", "--l1-coef"),
            ("bandwidth", "--bandwidth"), ("mono_coef", "--mono-coef"), ("max_grad_norm", "--max-grad-norm"),
        })
        {
            if (golden.HasSetting(setting))
            {
                args.AddRange([option, golden.Setting(setting)]);
            }
        }

        args.AddRange(golden.Setting("normalize") == "True" ? ["--normalize"] : []);
        if (GoldenModel.Groups(golden) is { } groups)
        {
            args.AddRange(["--groups", string.Join(',', groups.Select(share => share.ToString(CultureInfo.InvariantCulture)))]);
        }

        args.AddRange(untied ? ["--untied"] : []);
        Monoloss.Run([.. args]).Succeeded();

        var losses = golden.Doubles("step.loss");
        var steps = RunFiles.Steps(folder["run"]).ToList();
        Assert.Equal(losses.Length, steps.Count);
        for (var i = 0; i < losses.Length; i++)
        {
            Assert.Equal(i + 1, steps[i].Step);
            Assert.True(
                Math.Abs(steps[i].Loss - losses[i]) <= 2e-5 * Math.Abs(losses[i]), $"{name} step {i}: {steps[i].Loss} is not {losses[i]}");
        }

        // The weights as trained; sae_weights.safetensors has those of rows as they are.
        using var weights = SafetensorsFile.Open(Path.Combine(folder["run"], "training_state.safetensors"));
        var tolerance = name == "vanilla_mono" ? 2e-3 : 1e-4;
        foreach (var (tensor, expected) in Tensors(golden, "final", d, m))
        {
            if (!weights.Contains(tensor))
            {
                // The decoder of a tied model, and a threshold that is stored as its logarithm.
                continue;
            }

            var actual = weights.ReadFloats(tensor);
            actual = tensor == "W_enc" ? Golden.Transpose(actual, m, d) : actual;
            var worst = expected.Zip(actual, (e, a) => Math.Abs((double)e - a)).Max();
            Assert.True(worst <= tolerance, $"{name} {tensor}: off by {worst.ToString("e2", CultureInfo.InvariantCulture)}");
        }
    }

    private static void WriteInitial(string path, Golden golden, int d, int m)
    {
        Directory.CreateDirectory(path);
        var model = golden.Setting("model");
        var architecture = model switch { "topk" => "topk", "jumprelu" => "jumprelu", "gated" => "gated", _ => "standard" };
        var normalization = model == "topk" || golden.Setting("normalize") == "True" ? "layer_norm" : "none";
        var k = golden.HasSetting("k") ? golden.Setting("k") : "1";
        File.WriteAllText(Path.Combine(path, "cfg.json"), $$"""
            {"architecture": "{{architecture}}", "d_in": {{d}}, "d_sae": {{m}}, "k": {{k}}, "normalize_activations": "{{normalization}}",
             "apply_b_dec_to_input": {{(model == "jumprelu" ? "false" : "true")}}}
            """);
        SafetensorsWriter.Write(
            Path.Combine(path, "sae_weights.safetensors"),
            [.. Tensors(golden, "init", d, m).Select(tensor => SafeTensor.Create(
                tensor.Name, tensor.Name switch { "W_enc" => [d, m], "W_dec" => [m, d], "b_dec" => [d], _ => [m] }, tensor.Values))]);
    }

    /// <summary>A golden's tensors under the names and in the layout of sae_weights.safetensors.</summary>
    private static IEnumerable<(string Name, float[] Values)> Tensors(Golden golden, string prefix, int d, int m)
    {
        if (golden.Setting("model") == "topk")
        {
            var encoder = golden.Floats($"{prefix}.encoder.weight");
            yield return ("W_enc", Golden.Transpose(encoder, m, d));
            yield return ("W_dec", golden.Has($"{prefix}.decoder.weight")
                ? Golden.Transpose(golden.Floats($"{prefix}.decoder.weight"), d, m)
                : encoder);
            yield return ("b_enc", golden.Floats($"{prefix}.latent_bias"));
            yield return ("b_dec", golden.Floats($"{prefix}.pre_bias"));
            yield break;
        }

        string[] names = golden.Setting("model") == "gated"
            ? ["W_enc", "b_gate", "r_mag", "b_mag", "W_dec", "b_dec"]
            : ["W_enc", "b_enc", "W_dec", "b_dec"];
        foreach (var name in names)
        {
            yield return (name, golden.Floats($"{prefix}.{name}"));
        }

        if (golden.Has($"{prefix}.jumprelu.log_threshold"))
        {
            yield return ("threshold", Array.ConvertAll(golden.Floats($"{prefix}.jumprelu.log_threshold"), MathF.Exp));
        }
    }
}
