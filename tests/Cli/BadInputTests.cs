using System.Security.Cryptography;
using System.Text;
using MonoLoss.Data.Parquet;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>Any invalid input gives one line that says what is wrong and where, exit code 2, and no file.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_rejects_a_missing_file() => Refused([_folder["absent.parquet"]], "absent.parquet", "no such file");

    [Fact]
    public void Train_rejects_a_folder_without_Parquet_files()
    {
        Directory.CreateDirectory(_folder["empty"]);
        File.WriteAllText(Path.Combine(_folder["empty"], "notes.txt"), "no features");
        Refused([_folder["empty"]], "empty", "no file of features");
        Refused([_folder["part-*.parquet"]], "part-*.parquet", "no file matches");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(100)]
    [InlineData(5000)]
    [InlineData(-1)]
    public void Train_rejects_a_truncated_file(int length)
    {
        var bytes = File.ReadAllBytes(RunFiles.Write(_folder));
        File.WriteAllBytes(_folder["features.parquet"], bytes[..(length < 0 ? bytes.Length + length : length)]);
        Refused([_folder["features.parquet"]], "features.parquet");
    }

    [Theory]
    [InlineData("")]
    [InlineData("8K")]
    public void Train_rejects_a_corrupt_file(string memory)
    {
        var bytes = File.ReadAllBytes(RunFiles.Write(_folder));
        Array.Fill(bytes, (byte)0xff, 20_000, 400);
        File.WriteAllBytes(_folder["features.parquet"], bytes);
        Refused(memory.Length == 0 ? [_folder["features.parquet"]] : [_folder["features.parquet"], "--memory", memory], "features.parquet");
    }

    [Fact]
    public void Train_rejects_a_file_that_is_not_Parquet()
    {
        File.WriteAllText(_folder["features.parquet"], "f0,f1\n1,2\n" + new string('x', 100));
        Refused([_folder["features.parquet"]], "features.parquet");
    }

    [Fact]
    public void Train_rejects_a_file_without_list_column()
    {
        Write("plain.parquet", ParquetData.Create("f0", new float[100]), ParquetData.Create("f1", new float[100]));
        Refused([_folder["plain.parquet"]], "plain.parquet", "f0", "--features-column");
        Refused([_folder["plain.parquet"], "--features-column", "g*"], "plain.parquet", "'g*'");
        Refused([_folder["plain.parquet"], "--features-column", "x"], "plain.parquet", "'x'");
    }

    [Fact]
    public void Several_list_columns_need_an_option()
    {
        var values = RunFiles.Features(100, 4);
        Write("two.parquet", ParquetData.FloatLists("clip", values, 4), ParquetData.FloatLists("vit", values, 4));
        Refused([_folder["two.parquet"]], "two.parquet", "clip", "vit", "--features-column");
        var features = RunFiles.Write(_folder);
        Monoloss.Run("score", "--features", features, "--activations", _folder["two.parquet"])
            .Refused("two.parquet", "--activations-column");
    }

    [Fact]
    public void Train_rejects_lists_of_different_lengths()
    {
        int[] offsets = [0, .. Enumerable.Range(1, 100).Select(row => (row * 4) - (row > 57 ? 1 : 0))];
        Write("ragged.parquet", ParquetData.FloatLists("features", RunFiles.Features(100, 4).AsMemory(0, 399), offsets));
        Refused([_folder["ragged.parquet"]], "ragged.parquet", "'features'", "row 57", "3", "4");
    }

    [Fact]
    public void Train_rejects_nulls()
    {
        var values = Enumerable.Range(0, 100).Select(row => row == 31 ? (float?)null : row).ToArray();
        Write("nulls.parquet", ParquetData.Create("f0", new float[100]), ParquetData.Create("f1", values));
        Refused([_folder["nulls.parquet"], "--features-column", "f*"], "nulls.parquet", "'f1'", "row 31", "null");
    }

    [Theory]
    [InlineData(float.NaN, "NaN", "")]
    [InlineData(float.PositiveInfinity, "infinite", "")]
    [InlineData(float.NegativeInfinity, "infinite", "8K")]
    [InlineData(float.NaN, "NaN", "8K")]
    public void Train_rejects_values_that_are_not_finite(float value, string name, string memory)
    {
        var values = RunFiles.Features(640, 16);
        values[(333 * 16) + 5] = value;
        var file = RunFiles.Write(_folder["bad.parquet"], values, 16, rowGroupRows: 100);
        Refused(memory.Length == 0 ? [file] : [file, "--memory", memory], "bad.parquet", "'features'", "row 333", name, "finite");
        RunFiles.Write(_folder);
        Refused([_folder["features.parquet"], "--val", file], "bad.parquet", "'features'", "row 333", name, "finite");
    }

    [Fact]
    public void Train_rejects_files_of_different_dimensions()
    {
        var first = RunFiles.Write(_folder);
        var second = RunFiles.Write(_folder["second.parquet"], RunFiles.Features(100, 12), 12);
        Refused([first, "--train", second], "second.parquet", "'features'", "12", "16", "features.parquet");
        Refused([first, "--val", second], "second.parquet", "12", "16");
    }

    [Fact]
    public void Features_must_have_the_dimension_of_the_checkpoint()
    {
        var first = RunFiles.Write(_folder);
        var second = RunFiles.Write(_folder["second.parquet"], RunFiles.Features(100, 12), 12);
        Monoloss.Run(Train("run", first)).Succeeded();
        Refused([second, "--init", _folder["run"]], "cfg.json", "16", "12");
        File.Delete(Path.Combine(_folder["run"], "cfg.json"));
        Refused([second, "--init", _folder["run"]], "sae_weights.safetensors", "W_enc", "16×40", "12×40");
        Refused([first, "--init", _folder["run"], "--latents", "41"], "sae_weights.safetensors", "W_enc", "16×40", "16×41");

        Monoloss.Run(Train("other", first)).Succeeded();
        Monoloss.Run(Train("other", second, "--resume")).Refused("other", "16", "12");
        Monoloss.Run("eval", "--run", _folder["other"], "--data", second).Refused("second.parquet", "16", "12");
        Monoloss.Run("eval", "--run", _folder["absent"], "--data", first).Refused("absent", "cfg.json", "no such file");
    }

    [Fact]
    public void Train_rejects_a_file_without_rows()
    {
        Write("none.parquet", ParquetData.FloatLists("features", Array.Empty<float>(), 4));
        Refused([_folder["none.parquet"]], "none.parquet", "no rows");
    }

    [Fact]
    public void Train_rejects_fewer_rows_than_a_batch() =>
        Refused([RunFiles.Write(_folder), "--batch-size", "641"], "640 rows", "641");

    [Theory]
    [InlineData("--k 41", "--k 41", "--latents 40")]
    [InlineData("--k 0", "--k", "0")]
    [InlineData("--latents 0", "--latents", "0")]
    [InlineData("--latents 1e3", "--latents", "'1e3'", "an integer")]
    [InlineData("--lr fast", "--lr", "'fast'", "a number")]
    [InlineData("--lr 0", "--lr", "0")]
    [InlineData("--lr=-1", "--lr must be positive, but is -1")]
    [InlineData("--k 3 -k 4", "--k", "2 times")]
    [InlineData("--mono-coef -1", "--mono-coef", "-1")]
    [InlineData("--mono-period 0", "--mono-period")]
    [InlineData("--batch-size 0", "--batch-size")]
    [InlineData("--epochs 0", "--epochs")]
    [InlineData("--log-every -1", "--log-every")]
    [InlineData("--eval-every -1", "--eval-every")]
    [InlineData("--threads -1", "--threads", "-1")]
    [InlineData("--memory 8X", "--memory", "'8X'", "8G")]
    [InlineData("--memory 0", "--memory", "'0'")]
    [InlineData("--seed x", "--seed", "'x'")]
    [InlineData("--k=x", "--k", "'x'")]
    [InlineData("--model sae", "--model", "'sae'", "batch_topk", "vanilla")]
    [InlineData("--untied", "--untied", "topk")]
    [InlineData("--groups 1", "--groups", "matryoshka", "batch_topk")]
    [InlineData("--model matryoshka --groups 0.5,0.4", "--groups", "sum to 1", "0.9")]
    [InlineData("--model matryoshka --groups 0.5,0.500002", "--groups", "sum to 1", "1.000002")]
    [InlineData("--model matryoshka --groups 0.5,0,0.5", "--groups", "positive", "0")]
    [InlineData("--model matryoshka --groups 1.5,-0.5", "--groups", "positive", "-0.5")]
    [InlineData("--model matryoshka --groups 0,5;0,5", "--groups", "'5;0'", "0.001")]
    [InlineData("--model matryoshka --groups 0.5,", "--groups", "''", "0.001")]
    [InlineData("--model matryoshka --groups 0.05,0.95 --latents 19", "--groups", "0.05 of 19", "--latents")]
    [InlineData("--init nowhere", "nowhere", "no such file")]
    [InlineData("--dataset-config x.json", "--dataset-config", "--train")]
    [InlineData("--trane x", "--trane", "did you mean --train")]
    [InlineData("--lr-decay steep", "--lr-decay", "'steep'", "none, linear, cosine")]
    [InlineData("--lr-decay-steps 9", "--lr-decay-steps has no effect without --lr-decay")]
    [InlineData("--lr-decay linear --lr-warmup 40", "40 steps", "--lr-warmup 40")]
    [InlineData("--k-start 9", "--k-start and --k-anneal belong together")]
    [InlineData("--k-start 41 --k-anneal 5", "--k-start 41 exceeds --latents 40")]
    [InlineData("--k-start 9 --k-anneal 40", "--k-anneal must be less than the 40 steps", "--k")]
    [InlineData("--model vanilla --k-start 9 --k-anneal 4", "--k-start", "batch_topk or matryoshka or topk", "vanilla")]
    [InlineData("--target-l0 9", "--target-l0", "jumprelu or vanilla", "batch_topk")]
    [InlineData("--model vanilla --target-l0 41", "--target-l0 41 exceeds --latents 40")]
    [InlineData("--model vanilla --target-l0 9 --l1-warmup 3", "--target-l0", "--l1-warmup")]
    [InlineData("--l1-warmup 9", "--l1-warmup", "jumprelu or vanilla", "batch_topk")]
    [InlineData("--mono-warmup 9", "--mono-warmup has no effect: --mono-coef is 0")]
    [InlineData("--b-dec-init median", "--b-dec-init", "'median'", "zero, mean, geometric-median")]
    [InlineData("--model topk --aux-detach", "--aux-detach", "batch_topk", "topk")]
    [InlineData("--optimizer sgd", "--optimizer", "'sgd'", "adam, adamw")]
    [InlineData("--weight-decay 0.1", "--weight-decay", "--optimizer adamw")]
    [InlineData("--optimizer adamw --weight-decay -1", "--weight-decay", "-1")]
    [InlineData("--quiet yes", "'yes'")]
    [InlineData("--label-column nothing", "features.parquet", "'nothing'")]
    public void Train_rejects_invalid_options(string options, params string[] words) =>
        Refused([RunFiles.Write(_folder), .. options.Split(' ')], words);

    [Theory]
    [InlineData("trian", "'trian'", "did you mean train", "demo")]
    [InlineData("help trian", "'trian'", "did you mean train", "demo")]
    [InlineData("train", "--train")]
    [InlineData("train --train", "--train")]
    [InlineData("train file.parquet", "file.parquet")]
    [InlineData("train --latents", "--latents", "needs a value")]
    [InlineData("train --latents --k 3", "--latents", "needs a value")]
    [InlineData("train --lr 1 --lr=2", "--lr", "2 times")]
    [InlineData("eval --data x", "--run")]
    [InlineData("eval --run x", "--data")]
    [InlineData("eval --run x --data y --out z.txt", "z.txt", ".parquet")]
    [InlineData("eval --run x --data y --batch-size 0", "--batch-size")]
    [InlineData("score --features x", "--activations")]
    [InlineData("score --features x --activations y --method fast", "'fast'", "pairwise")]
    [InlineData("eval", "eval", "--run", "--data", "--help")]
    [InlineData("score", "--features", "--activations")]
    [InlineData("report", "--run")]
    [InlineData("report --run a --run b", "--out")]
    [InlineData("report --run a --out results.json", "results.json", ".html")]
    [InlineData("score --features x --activations y --out z.txt", "z.txt", ".json", ".parquet")]
    [InlineData("score --features=x --activations=y --method=linear --method pairwise", "--method", "2 times")]
    [InlineData("train --train x -k3 -k=4 --k 5", "--k", "3 times")]
    [InlineData("train --train x --quiet --quiet", "--quiet", "2 times")]
    [InlineData("train --train x --quiet=yes", "--quiet", "no value", "'yes'")]
    [InlineData("train --train x --out=", "--out", "''", "DIR")]
    [InlineData("train --train x --out -y", "--out", "needs a value", "--out=-y")]
    [InlineData("train -lr 1", "-lr", "did you mean --lr")]
    [InlineData("train --train x --threads 1000000", "--threads", "1024", "1000000")]
    [InlineData("demo --mono-coef 0", "--mono-coef")]
    [InlineData("train --dataset-config absent.json", "absent.json", "no such file")]
    public void Invalid_command_lines_are_rejected(string line, params string[] words) => Monoloss.Run(line.Split(' ')).Refused(words);

    [Fact]
    public void Train_leaves_another_run_in_the_output_folder_alone()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train("run", data)).Succeeded();
        var before = Snapshot();
        Monoloss.Run(Train("run", data)).Refused("run", "--resume", "--out");
        Monoloss.Run(Train("run", data, "--resume", "--latents", "50")).Refused("run", "--latents was 40, now 50");
        Monoloss.Run(Train("run", data, "--resume", "--lr", "0.5")).Refused("run", "--lr was 0.0001, now 0.5");
        Assert.Equal(before, Snapshot());
    }

    [Fact]
    public void Train_rejects_a_file_as_output_folder()
    {
        File.WriteAllText(_folder["taken"], "text");
        Monoloss.Run(Train("taken", RunFiles.Write(_folder))).Refused("taken");
        Monoloss.Run(Train("taken/run", _folder["features.parquet"])).Refused("taken");
        Assert.Equal("text", File.ReadAllText(_folder["taken"]));
        Monoloss.Run(Train("run", _folder["features.parquet"], "--out", "")).Refused("--out");
    }

    [Fact]
    public void Resume_rejects_a_damaged_checkpoint()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train("run", data)).Succeeded();
        var state = Path.Combine(_folder["run"], "training_state.safetensors");
        File.WriteAllBytes(state, File.ReadAllBytes(state)[..1000]);
        Monoloss.Run(Train("run", data, "--resume", "--epochs", "3")).Refused("training_state.safetensors");
        File.WriteAllText(Path.Combine(_folder["run"], "cfg.json"), "{");
        Monoloss.Run("eval", "--run", _folder["run"], "--data", data).Refused("cfg.json");
    }

    [Fact]
    public void A_loss_that_is_not_finite_ends_the_run() =>
        Refused([RunFiles.Write(_folder), "--lr", "1e30", "--epochs", "5", "--batch-size", "64"], "loss", "step", "--lr");

    [Fact]
    public void Options_without_effect_are_named()
    {
        var data = RunFiles.Write(_folder);
        var given = "--k 3 --aux-k 2 --aux-coef 0.1 --l1-coef 0.1 --bandwidth 0.1 --dead-check-interval 9".Split(' ');
        string Error(string model) => Monoloss.Run(Train(model, data, ["--model", model, "--epochs", "1", .. given])).Succeeded().Error;
        string Named(string model, params string[] options) =>
            string.Concat(options.Select(option => $"monoloss: --{option} has no effect on {model}\n"));
        Assert.Equal(Named("batch_topk", "l1-coef", "bandwidth", "dead-check-interval"), Error("batch_topk"));
        Assert.Equal(Named("topk", "l1-coef", "bandwidth"), Error("topk"));
        Assert.Equal(Named("jumprelu", "k", "aux-coef", "aux-k", "dead-check-interval"), Error("jumprelu"));
        Assert.Equal(Named("vanilla", "k", "bandwidth", "aux-coef", "aux-k", "dead-check-interval"), Error("vanilla"));
        Assert.Empty(Monoloss.Run(Train("plain", data)).Error);
    }

    [Fact]
    public void A_run_keeps_the_epochs_its_decay_was_made_for_and_the_bias_it_starts_from()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train("run", data, "--lr-decay", "cosine")).Succeeded();
        var before = Snapshot();
        Monoloss.Run(Train("run", data, "--lr-decay", "cosine", "--resume", "--epochs", "4"))
            .Refused("--lr-decay", "--epochs", "was 2, now 4");
        Monoloss.Run(Train("run", data, "--lr-decay", "linear", "--resume")).Refused("--lr-decay was cosine, now linear");
        Monoloss.Run(Train("other", data, "--init", _folder["run"], "--b-dec-init", "mean")).Refused("--b-dec-init", "--init");
        Assert.Equal(before, Snapshot());
    }

    [Fact]
    public void Score_rejects_different_numbers_of_rows()
    {
        var features = RunFiles.Write(_folder);
        var activations = RunFiles.Write(_folder["activations.parquet"], RunFiles.Features(639, 4), 4);
        Monoloss.Run("score", "--features", features, "--activations", activations).Refused("activations.parquet", "639", "640");
    }

    [Fact]
    public void Eval_takes_any_size_of_batches()
    {
        var data = RunFiles.Write(_folder);
        Monoloss.Run(Train("run", data)).Succeeded();
        var whole = Monoloss.Run("eval", "--run", _folder["run"], "--data", data, "--batch-size", "640", "--json").Succeeded();
        Assert.Equal(
            whole, Monoloss.Run("eval", "--run", _folder["run"], "--data", data, "--batch-size", "2147483647", "--json").Succeeded());
    }

    [Theory]
    [InlineData("""{"monoloss": 1, "monoloss": 2}""")]
    [InlineData("""{"monoloss": null}""")]
    [InlineData("""{"monoloss": []}""")]
    [InlineData("""{"monoloss": {}}""")]
    [InlineData("""{"monoloss": {"model": null}}""")]
    [InlineData("""{"monoloss": {"model": {"dimension": 16}}}""")]
    [InlineData("""{"monoloss": {"model": {"architecture": "x", "dimension": 16}}}""")]
    [InlineData("""{"monoloss": {"model": {"architecture": "topk", "dimension": -16}}}""")]
    [InlineData("""{"monoloss": {"model": {"architecture": "topk", "dimension": 16, "latents": 40, "k": 0}}}""")]
    [InlineData("""{"monoloss": {"model": {"architecture": "topk", "dimension": 16, "latents": 1e99}}}""")]
    [InlineData(
        """{"monoloss": {"model": {"architecture": "topk", "dimension": 16}, "training": {"train": [], "output": "", "batch_size": 0}}}""")]
    [InlineData("""{"monoloss": {"model": {"architecture": "topk", "dimension": 16}, "training": {"train": null, "output": ""}}}""")]
    [InlineData("[[")]
    public void Eval_rejects_a_damaged_configuration(string json)
    {
        var data = RunFiles.Write(_folder);
        Directory.CreateDirectory(_folder["run"]);
        File.WriteAllText(_folder["run/cfg.json"], json);
        Monoloss.Run("eval", "--run", _folder["run"], "--data", data).Refused("cfg.json");
    }

    [Fact]
    public void Devices_has_no_options() => Monoloss.Run("devices", "--threads", "1").Refused("devices", "--threads");

    [UnixFact]
    public void A_full_disk_keeps_the_last_checkpoint()
    {
        var data = RunFiles.Write(_folder);
        string[] args = Train("run", data, "--latents", "400", "--epochs", "2");
        string[] further = Train("run", data, "--latents", "400", "--epochs", "4", "--resume");
        Monoloss.Run(args).Succeeded();
        var state = Path.Combine(_folder["run"], "training_state.safetensors");
        var before = File.ReadAllBytes(state);

        // Weights of 55 kB still fit, the state of 157 kB does not.
        const string Limit = "ulimit -f 100; trap '' XFSZ";
        using (var process = Monoloss.Start(Limit, further))
        {
            Monoloss.Finish(process).Refused("training_state.safetensors");
        }

        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(state)));
        AssertNoTemporaryFile();
        Monoloss.Run(further).Succeeded();
        Monoloss.Run(Train("whole", data, "--latents", "400", "--epochs", "4")).Succeeded();
        // Only the first epoch was evaluated.
        RunFiles.AssertSame(_folder["whole"], _folder["run"], evaluations: false);

        using (var process = Monoloss.Start(Limit, Train("new", data, "--latents", "400")))
        {
            Monoloss.Finish(process).Refused("training_state.safetensors");
        }

        Assert.False(Directory.Exists(_folder["new"]));
    }

    private string[] Train(string output, string data, params string[] more)
    {
        var given = more.Select(arg => arg.Split('=')[0]).ToHashSet();
        var defaults = new[]
        {
            ("--out", _folder[output]), ("--latents", "40"), ("--k", "4"), ("--batch-size", "32"), ("--epochs", "2"), ("--threads", "2"),
        }.Where(option => !given.Contains(option.Item1)).SelectMany(option => new[] { option.Item1, option.Item2 });
        return ["train", "--train", data, .. defaults, .. more];
    }

    /// <summary>Checks that training is rejected and neither creates nor changes a file.</summary>
    private void Refused(string[] dataAndOptions, params string[] words)
    {
        var before = Snapshot();
        Monoloss.Run(Train("out", dataAndOptions[0], dataAndOptions[1..])).Refused(words);
        Assert.Equal(before, Snapshot());
    }

    private void Write(string name, params ParquetData[] columns) => ParquetWriter.Write(_folder[name], columns);

    private void AssertNoTemporaryFile() => Assert.DoesNotContain(
        Directory.EnumerateFiles(_folder.Path, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }),
        file => file.EndsWith(".tmp", StringComparison.Ordinal));

    /// <summary>Every file and folder, with the hash of its contents.</summary>
    private string Snapshot()
    {
        var text = new StringBuilder();
        var all = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 };
        foreach (var entry in Directory.EnumerateFileSystemEntries(_folder.Path, "*", all).Order(StringComparer.Ordinal))
        {
            var content = File.Exists(entry) ? Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(entry))) : "folder";
            text.Append(entry).Append(' ').Append(content).Append('\n');
        }

        return text.ToString();
    }
}
