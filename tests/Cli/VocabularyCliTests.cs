using MonoLoss.Cli;
using MonoLoss.Data.Parquet;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>Names of latents in latents.parquet, by train and by eval.</summary>
public sealed class VocabularyCliTests : IDisposable
{
    private const int Dimension = 16;
    private const int Texts = 50;

    private static readonly string[] Columns =
    [
        "name", "name_cosine", "names", "name_centered", "name_centered_cosine", "names_centered",
    ];

    private readonly TempFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("batch_topk")]
    [InlineData("topk")]
    public void Train_writes_the_names_of_its_decoder_rows(string model)
    {
        var data = RunFiles.Write(_folder);
        var vocabulary = Vocabulary();
        var run = Train(data, "run", "--model", model, "--vocabulary", vocabulary);
        var table = ParquetTable.Read(Path.Combine(run, "latents.parquet"));
        Assert.Equal(Columns, table.Columns.TakeLast(Columns.Length));

        using var device = DeviceFactory.Open("cpu");
        using var trained = ModelSource.Open(run).Load(device);
        var names = MonoLoss.Models.Vocabulary.Open(vocabulary, null, null, Dimension, Stop)
            .NamesOf(trained, stop: Stop);
        Assert.Equal(names.Select(name => name!.Plain[0].Text), table.ReadTexts("name"));
        Assert.Equal(names.Select(name => name!.Centered[0].Text), table.ReadTexts("name_centered"));
        Assert.Equal(names.Select(name => string.Join(", ", name!.Plain.Select(near => near.Text))), table.ReadTexts("names"));
        Assert.Equal(names.Select(name => (double?)name!.Centered[0].Cosine), table.ReadNullableDoubles("name_centered_cosine"));

        var read = new RunFolder(run).ReadCompleted();
        Assert.Equal(names.Select(name => name!.Plain[0]), read.Latents.Select(latent => latent.Names!.Plain.Single()));
        Assert.Equal(vocabulary, read.Results.Training.Vocabulary);

        // The page has them, and is the same again.
        var report = File.ReadAllText(Path.Combine(run, "report.html"));
        Assert.Contains("<th class=\"text\">name</th>", report, StringComparison.Ordinal);
        Assert.Contains("a thing, the ", report, StringComparison.Ordinal);
        Monoloss.Run("report", "--run", run).Succeeded();
        Assert.Equal(report, File.ReadAllText(Path.Combine(run, "report.html")));
    }

    [Fact]
    public void Eval_writes_the_same_names_to_its_file_or_to_the_run()
    {
        var data = RunFiles.Write(_folder);
        var vocabulary = Vocabulary();
        var named = Path.Combine(Train(data, "named", "--vocabulary", vocabulary), "latents.parquet");
        var run = Train(data, "run");
        var latents = Path.Combine(run, "latents.parquet");
        Assert.DoesNotContain("name", ParquetTable.Read(latents).Columns);
        Assert.DoesNotContain("<th class=\"text\">name</th>", File.ReadAllText(Path.Combine(run, "report.html")), StringComparison.Ordinal);
        Assert.All(new RunFolder(run).ReadCompleted().Latents, latent => Assert.Null(latent.Names));

        string[] eval = ["eval", "--run", run, "--data", data, "--vocabulary", vocabulary];
        var before = File.ReadAllBytes(latents);
        Monoloss.Run([.. eval, "--out", _folder["latents.parquet"]]).Succeeded();
        Assert.True(File.ReadAllBytes(named).AsSpan().SequenceEqual(File.ReadAllBytes(_folder["latents.parquet"])));
        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(latents)));

        // With samples both are written.
        Monoloss.Run([.. eval, "--out", _folder["summary.json"], "--samples", "2"]).Succeeded();
        Assert.True(File.ReadAllBytes(named).AsSpan().SequenceEqual(File.ReadAllBytes(latents)));
        Monoloss.Run("report", "--run", run).Succeeded();
        Assert.Contains("<th class=\"text\">name</th>", File.ReadAllText(Path.Combine(run, "report.html")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text")]
    [InlineData("named")]
    [InlineData("none")]
    public void Names_leave_labels_as_they_are(string labels)
    {
        LatentResult[] latents =
        [
            new(0.5, 3, 1, 2, labels == "none" ? null : new LatentPurity(1, 0.5, 0.25)),
            new(0, 0, 0, 0, null),
            new(0.25, 9, 1, 2, labels == "none" ? null : new LatentPurity(0, 0.75, 1)),
        ];
        LatentNames?[] names = [new([new("b", 0.5), new("a", 0.25)], [new("a", 0.5)]), null, new([new("a", 0.75)], [new("b", 0.5)])];
        string[] classes = labels == "none" ? [] : ["tree", "car"];
        long[]? numbers = labels == "named" ? [7, 9] : null;
        var (file, expected) = (_folder["latents.parquet"], _folder["expected.parquet"]);
        MetricsFiles.WriteLatents(file, latents, classes, numbers, labels == "named");
        MetricsFiles.ReplaceNames(file, names);
        MetricsFiles.ReplaceNames(file, names);
        MetricsFiles.WriteLatents(
            expected, [.. latents.Zip(names, (latent, name) => latent with { Names = name })], classes, numbers, labels == "named");
        Assert.True(File.ReadAllBytes(expected).AsSpan().SequenceEqual(File.ReadAllBytes(file)));
        Assert.Equal(["b", null, "a"], MetricsFiles.ReadLatents(file).Latents.Select(latent => latent.Names?.Plain[0].Text));
    }

    [Fact]
    public void A_complete_run_gets_names_by_resume_and_an_interrupted_one_keeps_them()
    {
        var data = RunFiles.Write(_folder);
        var vocabulary = Vocabulary();
        var whole = Train(data, "whole", "--vocabulary", vocabulary);
        var run = Train(data, "run");
        Train(data, "run", "--vocabulary", vocabulary, "--resume");
        RunFiles.AssertSame(whole, run);

        var args = Args(data, "parts", "--vocabulary", vocabulary);
        Assert.Equal(ExitCode.Stopped, Monoloss.RunUntil("epoch 1/2 step 7 ", args).Exit);
        Monoloss.Run([.. args, "--resume"]).Succeeded();
        RunFiles.AssertSame(whole, _folder["parts"]);
    }

    [Fact]
    public void Bad_vocabularies_are_refused_before_training()
    {
        var data = RunFiles.Write(_folder);
        var vocabulary = Vocabulary();
        void Refused(string[] more, params string[] words)
        {
            Monoloss.Run(Args(data, "refused", more)).Refused(words);
            Assert.False(Directory.Exists(_folder["refused"]));
        }

        Refused(["--vocabulary", _folder["missing.parquet"]], "missing.parquet");
        Refused(["--vocabulary", vocabulary, "--vocabulary-column", "words"], "no column 'words'");
        Refused(["--vocabulary-column", "text"], "--vocabulary-column needs --vocabulary");
        Refused(["--vocabulary", vocabulary, "--eval-every", "0"], "--vocabulary", "--eval-every");
        var two = _folder["two.parquet"];
        ParquetWriter.Write(
            two,
            [
                ParquetData.Create("a", ["x"]), ParquetData.Create("b", ["x"]),
                ParquetData.FloatLists("embedding", new float[Dimension], Dimension),
            ]);
        Refused(["--vocabulary", two], "several columns of texts", "name one with --vocabulary-column");
        Refused(["--vocabulary", two, "--vocabulary-column", "a"], "no text with an embedding");
        var wide = _folder["wide.parquet"];
        ParquetWriter.Write(wide, [ParquetData.Create("text", ["x"]), ParquetData.FloatLists("embedding", new float[3], 3)]);
        Refused(["--vocabulary", wide], "embeddings of dimension 3", "features have 16");

        var run = Train(data, "run", "--eval-every", "0");
        string[] eval = ["eval", "--run", run, "--data", data];
        Monoloss.Run([.. eval, "--vocabulary-column", "text"]).Refused("--vocabulary-column needs --vocabulary");
        Monoloss.Run([.. eval, "--vocabulary", vocabulary]).Refused("no latents.parquet", "--out FILE.parquet");
        Monoloss.Run([.. eval, "--vocabulary", vocabulary, "--out", vocabulary]).Refused("--out", "is read by the command");
        Monoloss.Run([.. eval, "--vocabulary", wide, "--out", _folder["x.parquet"]]).Refused("embeddings of dimension 3");
        Assert.False(File.Exists(_folder["x.parquet"]));
    }

    private string Vocabulary()
    {
        var path = _folder["vocabulary.parquet"];
        ParquetWriter.Write(
            path,
            [
                ParquetData.Create("text", [.. Enumerable.Range(0, Texts).Select(i => $"a thing, the {i}th")]),
                ParquetData.FloatLists("embedding", RunFiles.Features(Texts, Dimension, seed: 5), Dimension),
            ]);
        return path;
    }

    private string[] Args(string data, string run, params string[] more) =>
    [
        "train", "--train", data, "--out", _folder[run], "--latents", "40", "--k", "4", "--batch-size", "64", "--lr", "1e-2",
        "--epochs", "2", "--threads", "2", "--log-every", "1", .. more,
    ];

    private string Train(string data, string run, params string[] more)
    {
        Monoloss.Run(Args(data, run, more)).Succeeded();
        return _folder[run];
    }
}
