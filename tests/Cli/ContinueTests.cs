using System.Text.Json.Nodes;
using MonoLoss.Cli;
using MonoLoss.Data;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>What a resumed run may change, and what is said about the rest.</summary>
public sealed class ContinueTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Other_training_data_are_refused_by_what_changed()
    {
        var first = RunFiles.Write(_folder["a.parquet"], RunFiles.Features(320, 16), 16);
        var second = RunFiles.Write(_folder["b.parquet"], RunFiles.Features(320, 16, seed: 2), 16);
        var third = RunFiles.Write(_folder["c.parquet"], RunFiles.Features(320, 16, seed: 3), 16);
        var less = RunFiles.Write(_folder["less.parquet"], RunFiles.Features(100, 16), 16);
        var wide = RunFiles.Write(_folder["wide.parquet"], RunFiles.Features(320, 12), 12);
        string[] both = [first, second];
        Stop(both, "epoch 2/3 step 19 ");
        var before = Bytes("training_state.safetensors");
        Monoloss.Run(Train([first], "--resume")).Refused("a.parquet", "640 rows in 2 files", "320 rows in 1 file");
        Monoloss.Run(Train([first, less], "--resume")).Refused("less.parquet", "640 rows in 2 files", "420 rows in 2 files");
        // Fewer rows than the checkpoint has passed in its epoch.
        Monoloss.Run(Train([less], "--resume", "--batch-size", "64")).Refused("less.parquet", "640 rows", "100 rows");
        Monoloss.Run(Train([first, third], "--resume")).Refused("c.parquet", "footer");
        Monoloss.Run(Train([second, first], "--resume")).Refused("b.parquet", "order");
        Monoloss.Run(Train([wide, wide], "--resume")).Refused("wide.parquet", "12", "16", "run");
        Assert.Equal(before, Bytes("training_state.safetensors"));

        Monoloss.Run(Train(both, "--resume")).Succeeded();
    }

    [Fact]
    public void A_set_that_moved_is_the_same_set()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train([data], "--out", _folder["whole"])).Succeeded();
        Stop([data], "epoch 2/3 step 13 ");
        Directory.CreateDirectory(_folder["elsewhere"]);
        File.Move(data, _folder["elsewhere/renamed.parquet"]);
        Monoloss.Run(Train([_folder["elsewhere/renamed.parquet"]], "--resume")).Succeeded();
        RunFiles.AssertSame(_folder["whole"], _folder["run"]);
        Assert.Equal(_folder["elsewhere/renamed.parquet"], Config()["monoloss"]!["training"]!["train"]![0]!.GetValue<string>());
    }

    /// <summary>Checkpoints of versions that did not record the data go on, unless their steps do not fit the rows.</summary>
    [Fact]
    public void A_checkpoint_without_a_record_of_its_data_goes_on()
    {
        var data = RunFiles.Write(_folder);
        var less = RunFiles.Write(_folder["less.parquet"], RunFiles.Features(200, 16), 16);
        Monoloss.Run(Train([data], "--out", _folder["whole"])).Succeeded();
        Stop([data], "epoch 2/3 step 15 ");
        Rewrite(tensor => !tensor.Name.StartsWith("data_", StringComparison.Ordinal));
        Monoloss.Run(Train([less], "--resume")).Refused("less.parquet", "200 training rows", "3 steps per epoch", "15 steps");
        Monoloss.Run(Train([data], "--resume")).Succeeded();
        RunFiles.AssertSame(_folder["whole"], _folder["run"]);
    }

    [Theory]
    [InlineData(-1, 5, 15)]
    [InlineData(1, -5, 15)]
    [InlineData(1, 11, 21)]
    [InlineData(1, 5, 16)]
    [InlineData(1L << 40, 5, 15)]
    public void A_position_that_cannot_be_is_one_line(long epoch, long batch, long step)
    {
        var data = RunFiles.Write(_folder);
        Stop([data], "epoch 2/3 step 15 ");
        Rewrite(tensor => tensor.Name != "position", SafeTensor.Create<long>("position", [4], [epoch, batch, step, step]));
        Monoloss.Run(Train([data], "--resume", "--epochs", "30")).Refused("run", $"{step}");
    }

    [Fact]
    public void Other_settings_are_called_by_their_options()
    {
        var data = RunFiles.Write(_folder);
        Stop([data], "epoch 1/3 step 3 ");
        var refused = Monoloss.Run(Train(
            [data], "--resume", "--lr", "0.02", "--no-shuffle", "--normalize", "--aux-k", "7", "--memory", "8K", "--model", "batch_topk"));
        refused.Refused(
            "--lr was 0.01, now 0.02", "--no-shuffle was not set, now set", "--normalize was not set, now set",
            "--aux-k was the default, now 7", "--memory was 0, now 8192");
        Assert.DoesNotContain("NormalizesInput", refused.Error, StringComparison.Ordinal);
        Monoloss.Run(Train([data], "--resume", "--model", "vanilla")).Refused("--model was batch_topk, now vanilla");
        Monoloss.Run(Train(
            [data], "--resume", "--val", data, "--test", data, "--eval-every", "2", "--checkpoint-every", "2", "--label-column", "label"))
            .Succeeded();
    }

    [Fact]
    public void Resume_without_a_checkpoint_says_so()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train([data], "--resume")).Refused("run", "nothing to resume", "--resume", "--skip-existing");
        Assert.False(Directory.Exists(_folder["run"]));
    }

    [Fact]
    public void Resume_with_fewer_epochs_says_so()
    {
        var data = RunFiles.Write(_folder);
        Stop([data], "epoch 2/3 step 13 ");
        Monoloss.Run(Train([data], "--resume", "--epochs", "1")).Refused("a part of epoch 2", "--epochs must be at least 2, but is 1");
        Monoloss.Run(Train([data], "--resume")).Succeeded();
        Monoloss.Run(Train([data], "--resume", "--epochs", "2")).Refused("3 epochs", "--epochs must be at least 3, but is 2");
    }

    [Fact]
    public void Resume_of_a_complete_run_says_so_unless_there_is_more_to_evaluate()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train([data])).Succeeded();
        var written = File.GetLastWriteTimeUtc(Path.Combine(_folder["run"], "sae_weights.safetensors"));
        var output = Monoloss.Run(Train([data], "--resume")).Succeeded().Output;
        Assert.Contains("complete run of 3 epochs", output, StringComparison.Ordinal);
        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(_folder["run"], "sae_weights.safetensors")));
        output = Monoloss.Run(Train([data], "--skip-existing", "--epochs", "5")).Succeeded().Output;
        Assert.Contains("complete run of 3 epochs", output, StringComparison.Ordinal);
        output = Monoloss.Run(Train([data], "--resume", "--test", data)).Succeeded().Output;
        Assert.Matches(@"(?m)^\s*test\s", output);
    }

    /// <summary>BatchTopK's threshold, found at the end of three epochs, leaves no trace in the next three.</summary>
    [Fact]
    public void A_complete_run_that_is_continued_ends_in_the_same_bits()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train([data], "--out", _folder["whole"], "--epochs", "6")).Succeeded();
        Monoloss.Run(Train([data])).Succeeded();
        Monoloss.Run(Train([data], "--resume", "--epochs", "6")).Succeeded();
        RunFiles.AssertSame(_folder["whole"], _folder["run"], evaluations: false);
    }

    /// <summary>A run that was killed before its first checkpoint has nothing to lose, but others do.</summary>
    [Fact]
    public void What_is_left_of_a_run_without_a_checkpoint_is_replaced_unless_it_has_weights()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train([data], "--out", _folder["whole"])).Succeeded();
        Directory.CreateDirectory(_folder["run"]);
        foreach (var file in new[] { "cfg.json", "evals.parquet", "metrics.parquet" })
        {
            File.Copy(Path.Combine(_folder["whole"], file), Path.Combine(_folder["run"], file));
        }

        Monoloss.Run(Train([data], "--resume")).Refused("run", "nothing to resume");
        Monoloss.Run(Train([data])).Succeeded();
        RunFiles.AssertSame(_folder["whole"], _folder["run"]);

        File.Delete(Path.Combine(_folder["run"], "training_state.safetensors"));
        File.Delete(Path.Combine(_folder["run"], "results.json"));
        var weights = Bytes("sae_weights.safetensors");
        Monoloss.Run(Train([data])).Refused("run", "already contains a run");
        foreach (var option in new[] { "--resume", "--skip-existing" })
        {
            Monoloss.Run(Train([data], option)).Refused("run", "training_state.safetensors", "--out");
        }

        Assert.Equal(weights, Bytes("sae_weights.safetensors"));
    }

    [Fact]
    public void A_run_in_which_nothing_fires_says_so_once()
    {
        var data = RunFiles.Write(_folder);
        string[] options = ["--model", "jumprelu", "--lr", "1e-9", "--epochs", "15"];
        var notice = "no latent has fired for 100 steps";
        var error = Monoloss.Run(Train([data], options)).Error;
        Assert.Equal(1, Count(error));
        Assert.Contains("--normalize", error, StringComparison.Ordinal);
        Assert.Equal(0, Count(Monoloss.Run(Train([data], "--out", _folder["sparse"])).Succeeded().Error));

        int Count(string output) => output.Split(notice).Length - 1;
    }

    [Fact]
    public void Fewer_rows_than_a_batch_name_the_largest_that_works()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train([data], "--batch-size", "641")).Refused("features.parquet", "640", "641", "--batch-size of 640");
        Monoloss.Run(Train([data], "--batch-size", "640")).Succeeded();
    }

    private string[] Train(string[] data, params string[] more)
    {
        var given = more.ToHashSet();
        var defaults = new[]
        {
            ("--out", _folder["run"]), ("--latents", "40"), ("--k", "4"), ("--batch-size", "64"), ("--epochs", "3"), ("--lr", "1e-2"),
            ("--log-every", "1"),
        }.Where(option => !given.Contains(option.Item1)).SelectMany(option => new[] { option.Item1, option.Item2 });
        return ["train", "--train", .. data, .. defaults, .. more];
    }

    private void Stop(string[] data, string line) =>
        Assert.Equal(ExitCode.Stopped, Monoloss.RunUntil(line, Train(data)).Exit);

    /// <summary>Writes the checkpoint again with only some of its tensors, and others instead.</summary>
    private void Rewrite(Func<TensorInfo, bool> keep, params SafeTensor[] others)
    {
        var path = Path.Combine(_folder["run"], "training_state.safetensors");
        List<SafeTensor> kept;
        using (var file = SafetensorsFile.Open(path))
        {
            kept = [.. file.Tensors.Where(keep).Select(tensor => tensor.Dtype switch
            {
                "F32" => SafeTensor.Create(tensor.Name, tensor.Shape, file.ReadFloats(tensor.Name)),
                "F64" => SafeTensor.Create(tensor.Name, tensor.Shape, file.ReadDoubles(tensor.Name)),
                "I64" => SafeTensor.Create(tensor.Name, tensor.Shape, file.ReadLongs(tensor.Name)),
                _ => SafeTensor.Create(tensor.Name, tensor.Shape, file.ReadInts(tensor.Name)),
            })];
            Assert.InRange(kept.Count, 1, file.Tensors.Count - 1);
        }

        SafetensorsWriter.Write(path, [.. kept, .. others]);
    }

    private byte[] Bytes(string file) => File.ReadAllBytes(Path.Combine(_folder["run"], file));

    private JsonNode Config() => JsonNode.Parse(Bytes("cfg.json"))!;
}
