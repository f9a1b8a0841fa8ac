using CommandLine;
using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Trains an autoencoder from feature files into a run folder.</summary>
[Verb("train", HelpText = "Train a sparse autoencoder on Parquet features.")]
internal sealed class TrainCommand : Command
{
    private static readonly Dictionary<string, Architecture> Models =
        Enum.GetValues<Architecture>().ToDictionary(architecture => architecture.Name());

    [Section("Data: Parquet files, folders of them, or patterns such as 'part-*.parquet'")]
    [Option("train", MetaValue = "PATH…", HelpText = "Features to train on.")]
    public IEnumerable<string> TrainPaths { get; set; } = [];

    [Option("val", MetaValue = "PATH…", HelpText = "Features to evaluate on after every epoch (see --eval-every).")]
    public IEnumerable<string> ValidationPaths { get; set; } = [];

    [Option("test", MetaValue = "PATH…", HelpText = "Features to evaluate on at the end.")]
    public IEnumerable<string> TestPaths { get; set; } = [];

    [Option("dataset-config", MetaValue = "FILE", HelpText =
        "JSON file with train_path, val_path and test_path, instead of the three above.")]
    public string? DatasetConfigPath { get; set; }

    [Option("features-column", MetaValue = "NAME", HelpText =
        "Column of float lists, or a pattern such as 'f*' over one float column a dimension [the only column of lists]")]
    public string? FeaturesColumn { get; set; }

    [Option("label-column", MetaValue = "NAME", HelpText =
        "Column of class labels, for purity [label, labels, class, target or y, if there is one]")]
    public string? LabelColumn { get; set; }

    [Option("memory", MetaValue = "BYTES", HelpText =
        "Memory for features, such as 512M or 8G; a larger set is streamed through a shuffle buffer of that size [half of the machine's]")]
    public string? Memory { get; set; }

    [Option("no-shuffle", HelpText = "Take the rows in the order of the files.")]
    public bool NoShuffle { get; set; }

    [Section("Model")]
    [Option("model", Default = "batch_topk", MetaValue = "NAME", HelpText = "batch_topk, topk, jumprelu or vanilla")]
    public string Model { get; set; } = string.Empty;

    [Option("latents", Default = 8192, MetaValue = "M", HelpText = "Number of latents")]
    public int Latents { get; set; }

    [Option('k', Default = 64, MetaValue = "K", HelpText = "Active latents a sample (batch_topk: on average; topk)")]
    public int K { get; set; }

    [Option("untied", HelpText = "Give topk a decoder of its own.")]
    public bool Untied { get; set; }

    [Option("normalize", HelpText = "Layer-normalize the input (topk always does).")]
    public bool Normalize { get; set; }

    [Option("init", MetaValue = "DIR", HelpText = "Start from the weights of this run folder instead of drawing them.")]
    public string? InitializeFrom { get; set; }

    [Section("MonoLoss")]
    [Option("mono-coef", Default = 0.0, MetaValue = "X", HelpText =
        "Weight of MonoLoss; 0 trains without it. Usual: 0.0003 (batch_topk), 0.1 (topk), 0.0005 (jumprelu), 0.0001 (vanilla)")]
    public double MonoCoefficient { get; set; }

    [Option("mono-period", Default = 1, MetaValue = "P", HelpText =
        "1: MonoLoss of every batch; P > 1: of the whole training set, at every P-th step")]
    public int MonoPeriod { get; set; }

    [Section("Optimization")]
    [Option("batch-size", Default = 2048, MetaValue = "B", HelpText = "Rows of a batch")]
    public int BatchSize { get; set; }

    [Option("epochs", Default = 50, MetaValue = "N", HelpText = "Passes over the training set")]
    public int Epochs { get; set; }

    [Option("lr", Default = 1e-4, MetaValue = "X", HelpText = "Adam's learning rate")]
    public double LearningRate { get; set; }

    [Option("adam-eps", Default = 6.25e-10, MetaValue = "X", HelpText = "Adam's epsilon")]
    public double AdamEpsilon { get; set; }

    [Option("max-grad-norm", MetaValue = "X", HelpText = "Clip the gradient to this norm [1; topk: not clipped]")]
    public double? MaxGradientNorm { get; set; }

    [Option("l1-coef", Default = 1e-4, MetaValue = "X", HelpText = "Weight of the sparsity penalty: L1 (vanilla), L0 (jumprelu)")]
    public double L1Coefficient { get; set; }

    [Option("bandwidth", Default = 1e-3, MetaValue = "X", HelpText = "Width in which a jumprelu threshold feels its pre-activations")]
    public double Bandwidth { get; set; }

    [Option("seed", Default = 42, MetaValue = "N", HelpText = "What weights and the order of rows are drawn from")]
    public int Seed { get; set; }

    [Section("Dead latents")]
    [Option("aux-coef", Default = 1.0 / 32, MetaValue = "X", HelpText = "Weight of the loss that revives dead latents (batch_topk, topk)")]
    public double AuxCoefficient { get; set; }

    [Option("aux-k", MetaValue = "N", HelpText = "Dead latents that take part in it [batch_topk: 512; topk: --k]")]
    public int? AuxK { get; set; }

    [Option("dead-after", Default = 10_000_000L, MetaValue = "SAMPLES", HelpText = "A latent is dead after so many samples without firing")]
    public long DeadAfter { get; set; }

    [Option("dead-check-interval", Default = 1000, MetaValue = "STEPS", HelpText = "How often topk restarts dead latents; 0: never")]
    public int DeadCheckInterval { get; set; }

    [Section("Machine")]
    [Option("device", Default = "auto", MetaValue = "NAME", HelpText =
        DeviceFactory.Names + "; monoloss devices lists them")]
    public string DeviceName { get; set; } = string.Empty;

    [Option("tf32", HelpText = "Round the factors of dense products to TF32: faster on NVIDIA GPUs (compute capability 8.0 on).")]
    public bool Tf32 { get; set; }

    [Option("threads", Default = 0, MetaValue = "N", HelpText = "Threads; 0: one a core. The results are the same with any number")]
    public int Threads { get; set; }

    [Section("Output")]
    [Option("out", MetaValue = "DIR", HelpText = "The run folder [runs/MODEL, or runs/MODEL-monoX with --mono-coef X]")]
    public string? Output { get; set; }

    [Option("resume", HelpText = "Go on from the checkpoint in --out, to the same bits as a run that never stopped.")]
    public bool Resume { get; set; }

    [Option("skip-existing", HelpText = "Leave a complete run alone; continue one that is not.")]
    public bool SkipExisting { get; set; }

    [Option("eval-every", Default = 1, MetaValue = "EPOCHS", HelpText = "Evaluate so often; 0: not at all")]
    public int EvalEvery { get; set; }

    [Option("checkpoint-every", Default = 0, MetaValue = "STEPS", HelpText = "Save a checkpoint so often, besides the one after each epoch")]
    public int CheckpointEvery { get; set; }

    [Option("log-every", MetaValue = "STEPS", HelpText =
        "Print a line so often where output is no terminal; 0: never [10 lines an epoch]")]
    public int? LogEvery { get; set; }

    [Option("quiet", HelpText = "No progress, only the table at the end.")]
    public bool Quiet { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        var options = TrainingOptions();
        options.Validate();
        var architecture = Models.TryGetValue(Model, out var known)
            ? known
            : throw new UsageException($"--model: found '{Model}', expected one of {string.Join(", ", Models.Keys)}");
        SaeConfig Configure(int dimension) => new()
        {
            Architecture = architecture,
            Dimension = dimension,
            Latents = Latents,
            K = K,
            Untied = Untied,
            Normalize = Normalize,
            AuxK = AuxK,
            AuxCoefficient = AuxCoefficient,
            L1Coefficient = L1Coefficient,
            Bandwidth = Bandwidth,
            MonoCoefficient = MonoCoefficient,
        };

        // What is wrong with the options should not wait for the features to be read.
        Configure(dimension: 1).Validate();
        using var device = DeviceFactory.Open(DeviceName, Threads, Tf32);
        return TrainingSession.Run(context, device, options, Configure, Quiet, LogEvery);
    }

    private TrainingOptions TrainingOptions()
    {
        var (train, validation, test) = Splits();
        return new TrainingOptions
        {
            Train = train,
            Validation = validation,
            Test = test,
            FeaturesColumn = FeaturesColumn,
            LabelColumn = LabelColumn,
            Output = Output switch
            {
                null => Path.Combine("runs", MonoCoefficient > 0 ? FormattableString.Invariant($"{Model}-mono{MonoCoefficient}") : Model),
                "" => throw new UsageException("--out: found an empty name, expected a folder"),
                _ => Output,
            },
            BatchSize = BatchSize,
            Epochs = Epochs,
            LearningRate = LearningRate,
            AdamEpsilon = AdamEpsilon,
            MaxGradientNorm = MaxGradientNorm,
            MonoPeriod = MonoPeriod,
            DeadAfter = DeadAfter,
            DeadCheckInterval = DeadCheckInterval,
            Seed = Seed,
            Shuffle = !NoShuffle,
            MemoryBytes = Memory is null ? 0 : ByteSize.Parse("--memory", Memory),
            EvalEvery = EvalEvery,
            CheckpointEvery = CheckpointEvery,
            InitializeFrom = InitializeFrom,
            Resume = Resume,
            SkipExisting = SkipExisting,
        };
    }

    private (IReadOnlyList<string> Train, IReadOnlyList<string> Validation, IReadOnlyList<string> Test) Splits()
    {
        IReadOnlyList<string> train = [.. TrainPaths];
        IReadOnlyList<string> validation = [.. ValidationPaths];
        IReadOnlyList<string> test = [.. TestPaths];
        if (DatasetConfigPath is not null)
        {
            if (train.Count + validation.Count + test.Count > 0)
            {
                throw new UsageException("--dataset-config takes the place of --train, --val and --test: give one or the other");
            }

            var config = DatasetConfig.Load(DatasetConfigPath);
            (train, validation, test) = (config.Train, config.Validation, config.Test);
            if (train.Count == 0)
            {
                throw new UsageException($"{DatasetConfigPath}: has no train_path");
            }
        }

        return train.Count > 0
            ? (train, validation, test)
            : throw new UsageException("there is nothing to train on: name Parquet files with --train or --dataset-config");
    }
}
