using CommandLine;
using MonoLoss.Data;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Trains an autoencoder on feature files into a run folder.</summary>
[Verb("train", HelpText = "Train a sparse autoencoder on features.")]
internal sealed class TrainCommand : DeviceCommand
{
    // PyTorch's.
    private const double DefaultWeightDecay = 0.01;

    private static readonly Dictionary<string, Architecture> Architectures =
        MonoLoss.Models.Architectures.Trained.ToDictionary(architecture => architecture.Name());

    [Section("Data (Parquet, Arrow, .npy, .npz, .pt, .safetensors or CSV files, LMDB stores, folders, patterns)")]
    [Option("train", MetaValue = "PATH…", HelpText = "Training features.")]
    public IEnumerable<string> Train { get; set; } = [];

    [Option("val", MetaValue = "PATH…", HelpText = "Validation features, evaluated after each epoch (see --eval-every).")]
    public IEnumerable<string> Validation { get; set; } = [];

    [Option("test", MetaValue = "PATH…", HelpText = "Test features, evaluated at the end.")]
    public IEnumerable<string> Test { get; set; } = [];

    [Option("dataset-config", MetaValue = "FILE", HelpText =
        "JSON file with train_path, val_path and test_path, instead of the three options above.")]
    public string? DatasetConfigPath { get; set; }

    [Option("features-column", MetaValue = "NAME", HelpText = FeatureOptions.ColumnHelp)]
    public string? FeaturesColumn { get; set; }

    [Option("similarity-column", MetaValue = "NAME", HelpText =
        "Column of another model's embeddings that MonoScore and MonoLoss compare [the features]")]
    public string? SimilarityColumn { get; set; }

    [Option("label-column", MetaValue = "NAME", HelpText = FeatureOptions.LabelHelp)]
    public string? LabelColumn { get; set; }

    [Option("labels", MetaValue = "FILE", HelpText = FeatureOptions.LabelsFileHelp + ", for the rows of --train")]
    public string? LabelsFile { get; set; }

    [Option("val-labels", MetaValue = "FILE", HelpText = "The same for the rows of --val")]
    public string? ValidationLabelsFile { get; set; }

    [Option("test-labels", MetaValue = "FILE", HelpText = "The same for the rows of --test")]
    public string? TestLabelsFile { get; set; }

    [Option("rows", MetaValue = "KIND", HelpText = RowScaling.Help + " [unit, or as --init wants them]")]
    public string? Rows { get; set; }

    [Option("no-labels", HelpText = "Do not look for labels: no class purity.")]
    public bool NoLabels { get; set; }

    [Option("memory", MetaValue = "BYTES", HelpText =
        "Memory for features, such as 512M or 8G; a larger set is streamed through a shuffle buffer of this size [half of the machine's]")]
    public string? MemoryBytes { get; set; }

    [Option("no-shuffle", HelpText = "Train on the rows in file order.")]
    public bool NoShuffle { get; set; }

    [Section("Model")]
    [Option("model", Default = "batch_topk", MetaValue = "NAME", HelpText = "batch_topk, matryoshka, topk, jumprelu, vanilla or gated")]
    public string Architecture { get; set; } = string.Empty;

    [Option("latents", MetaValue = "M", HelpText = "Number of latents")]
    public int? Latents { get; set; }

    [Option('k', MetaValue = "K", HelpText = "Active latents per row (topk), or per row on average (batch_topk, matryoshka)")]
    public int? K { get; set; }

    [Option("groups", MetaValue = "X,X…", HelpText =
        "Shares of the latents in each group (matryoshka); their sum is 1 [0.0625,0.125,0.25,0.5625, or those of --init]")]
    public string? Groups { get; set; }

    [Option("untied", HelpText = "Use a separate decoder matrix (topk).")]
    public bool Untied { get; set; }

    [Option("normalize", HelpText = "Layer-normalize the input (topk always does).")]
    public bool Normalize { get; set; }

    [Option("init", MetaValue = "DIR", HelpText =
        "Start from the weights in this run folder, or folder of another tool (see import), instead of random ones.")]
    public string? InitializeFrom { get; set; }

    [Option("b-dec-init", MetaValue = "KIND", HelpText =
        "Start of the decoder's bias: zero, or the mean or geometric-median of the first batch")]
    public string? DecoderBiasStart { get; set; }

    [Section("MonoLoss")]
    [Option("mono-coef", MetaValue = "X", HelpText =
        "Weight of MonoLoss (0 = off). Typical: 0.0003 (batch_topk, matryoshka), 0.1 (topk), 0.0005 (jumprelu), 0.0001 (vanilla, gated)")]
    public double? MonoCoefficient { get; set; }

    [Option("mono-period", MetaValue = "P", HelpText =
        "1 = MonoLoss of each batch; P > 1 = MonoLoss of the whole training set, every P steps")]
    public int? MonoPeriod { get; set; }

    [Section("Optimization")]
    [Option("batch-size", MetaValue = "B", HelpText = "Rows per batch")]
    public int? BatchSize { get; set; }

    [Option("epochs", MetaValue = "N", HelpText = "Passes over the training set")]
    public int? Epochs { get; set; }

    [Option("lr", MetaValue = "X", HelpText = "Learning rate")]
    public double? LearningRate { get; set; }

    [Option("optimizer", Default = "adam", MetaValue = "NAME", HelpText = "adam or adamw")]
    public string Optimizer { get; set; } = string.Empty;

    [Option("weight-decay", MetaValue = "X", HelpText = "Weight decay of adamw [0.01]")]
    public double? WeightDecay { get; set; }

    [Option("adam-eps", MetaValue = "X", HelpText = "Epsilon of the optimizer")]
    public double? AdamEpsilon { get; set; }

    [Option("max-grad-norm", MetaValue = "X", HelpText = "Clip the gradient to this norm [1; topk: no clipping]")]
    public double? MaxGradientNorm { get; set; }

    [Option("l1-coef", MetaValue = "X", HelpText = "Weight of the sparsity penalty: L1 (vanilla, gated) or L0 (jumprelu)")]
    public double? L1Coefficient { get; set; }

    [Option("bandwidth", MetaValue = "X", HelpText = "Bandwidth of the straight-through estimator for jumprelu thresholds")]
    public double? Bandwidth { get; set; }

    [Option("seed", MetaValue = "N", HelpText = "Random seed for weight initialization and shuffling")]
    public int? Seed { get; set; }

    [Section("Schedules (in steps; an epoch has as many as batches)")]
    [Option("lr-warmup", MetaValue = "N", HelpText = "Raise the learning rate to --lr over the first N steps")]
    public int? LearningRateWarmup { get; set; }

    [Option("lr-decay", MetaValue = "KIND", HelpText = "Lower the learning rate to 0 at the end: none, linear or cosine")]
    public string? LearningRateDecay { get; set; }

    [Option("lr-decay-steps", MetaValue = "N", HelpText = "Over the last N steps [all after --lr-warmup]")]
    public int? LearningRateDecaySteps { get; set; }

    [Option("l1-warmup", MetaValue = "N", HelpText = "Raise --l1-coef from 0 over the first N steps (jumprelu, vanilla)")]
    public int? L1Warmup { get; set; }

    [Option("target-l0", MetaValue = "X", HelpText =
        "Steer the sparsity penalty, from --l1-coef on, so that X latents per row are active (jumprelu, vanilla)")]
    public double? TargetL0 { get; set; }

    [Option("mono-warmup", MetaValue = "N", HelpText = "Raise --mono-coef from 0 over the first N steps")]
    public int? MonoWarmup { get; set; }

    [Option("k-start", MetaValue = "K", HelpText = "Active latents per row at the first step (batch_topk, topk) [--k]")]
    public int? KStart { get; set; }

    [Option("k-anneal", MetaValue = "N", HelpText = "Go from --k-start to --k over the first N steps")]
    public int? KAnneal { get; set; }

    [Section("Dead latents")]
    [Option("aux-coef", MetaValue = "X", HelpText =
        "Weight of the auxiliary loss that revives dead latents (batch_topk, matryoshka, topk)")]
    public double? AuxCoefficient { get; set; }

    [Option("aux-k", MetaValue = "N", HelpText = "Dead latents per row in the auxiliary loss [topk: --k; else 512]")]
    public int? AuxK { get; set; }

    [Option("aux-detach", HelpText = "No gradient of the auxiliary loss through the error that it reconstructs (batch_topk).")]
    public bool AuxDetach { get; set; }

    [Option("dead-after", MetaValue = "ROWS", HelpText = "A latent is dead if it has not fired for this many rows")]
    public long? DeadAfter { get; set; }

    [Option("dead-check-interval", MetaValue = "N", HelpText = "Restart dead latents every N steps (topk; 0 = never)")]
    public int? DeadCheckInterval { get; set; }

    [Section("Output")]
    [Option("out", MetaValue = "DIR", HelpText = "Run folder [runs/MODEL, or runs/MODEL-monoX with --mono-coef X]")]
    public string? Output { get; set; }

    [Option("resume", HelpText = "Resume from the checkpoint in --out; bit-identical to an uninterrupted run.")]
    public bool Resume { get; set; }

    [Option("skip-existing", HelpText = "Skip the run if it is complete; resume it if it is not.")]
    public bool SkipExisting { get; set; }

    [Option("eval-every", MetaValue = "N", HelpText = "Evaluate every N epochs (0 = never)")]
    public int? EvalEvery { get; set; }

    [Option("samples", MetaValue = "N", HelpText =
        "Keep N top, N middle and N bottom samples of every latent from the last evaluation (0 = none)")]
    public int? Samples { get; set; }

    [Option("vocabulary", MetaValue = "FILE", HelpText = FeatureOptions.VocabularyHelp)]
    public string? Vocabulary { get; set; }

    [Option("vocabulary-column", MetaValue = "NAME", HelpText = FeatureOptions.VocabularyColumnHelp)]
    public string? VocabularyColumn { get; set; }

    [Option("checkpoint-every", MetaValue = "N", HelpText = "Also save a checkpoint every N steps (0 = only after each epoch)")]
    public int? CheckpointEvery { get; set; }

    [Option("log-every", MetaValue = "N", HelpText =
        "Print progress every N steps when output is not a terminal (0 = never) [10 lines per epoch]")]
    public int? LogEvery { get; set; }

    [Option("quiet", HelpText = "Print only the final table.")]
    public bool Quiet { get; set; }

    /// <inheritdoc/>
    public override IReadOnlyList<object> DefaultSettings { get; } =
    [
        new SaeConfig { Architecture = default, Dimension = 1 },
        new TrainingOptions { Train = [], Output = string.Empty },
    ];

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        var (configure, options) = Settings();
        var architecture = Architectures[Architecture];
        var unused = architecture.SettingsWithoutEffect();
        var notices = Options.Of(typeof(TrainCommand))
            .Where(option => unused.Contains(option.Property.Name) && option.Property.GetValue(this) is not null)
            .Select(option => $"{option.Flag} has no effect on {architecture.Name()}").ToList();
        using var device = OpenDevice();
        return TrainingSession.Run(context, device, options, configure, Quiet, LogEvery, notices);
    }

    /// <summary>The settings of the run, checked as far as they can be before features are read.</summary>
    /// <returns>The model's configuration, given the number of features, and how to train it.</returns>
    /// <exception cref="UsageException">Options contradict each other.</exception>
    /// <exception cref="ConfigurationException">A setting is out of range.</exception>
    /// <exception cref="DataException">A file of --init or --dataset-config cannot be read.</exception>
    public (Func<int, SaeConfig> Configure, TrainingOptions Options) Settings()
    {
        var architecture = Architectures.TryGetValue(Architecture, out var known)
            ? known
            : throw new UsageException($"--model: found '{Architecture}', expected one of {string.Join(", ", Architectures.Keys)}");
        var source = InitializeFrom is null || ModelSource.HasWeightsOnly(InitializeFrom) ? null : ModelSource.Open(InitializeFrom);
        var groups = Groups is null ? null : NumberText.ParseList("--groups", Groups);
        SaeConfig Configure(int dimension) => this.ApplyTo(new SaeConfig
        {
            Architecture = architecture,
            Dimension = dimension,
            UnitRows = RowScaling.UnitRows(Rows) ?? source?.TrainsOnUnitRows ?? true,
            EncoderBias = architecture is MonoLoss.Models.Architecture.BatchTopK or MonoLoss.Models.Architecture.Matryoshka
                && source is { HasEncoderBias: true },
            Groups = groups ?? (architecture == MonoLoss.Models.Architecture.Matryoshka ? source?.Groups : null),
        });

        // The dimension is not known yet.
        var config = Configure(dimension: 1);
        config.Validate();
        var options = TrainingOptions(config);
        options.Validate();
        TrainingSchedule.Check(config, options);
        return (Configure, options);
    }

    private TrainingOptions TrainingOptions(SaeConfig config)
    {
        if (Output?.Length == 0)
        {
            throw new UsageException("--out: found an empty name, expected a folder");
        }

        FeatureOptions.CheckLabels(NoLabels, LabelColumn, LabelsFile, ValidationLabelsFile, TestLabelsFile);
        var (train, validation, test) = Splits();
        foreach (var (option, file, paths) in new[] { ("val", ValidationLabelsFile, validation), ("test", TestLabelsFile, test) })
        {
            if (file is not null && paths.Count == 0)
            {
                throw new UsageException($"--{option}-labels: there is no --{option} whose rows these could be labels of");
            }
        }

        var mono = config.MonoCoefficient > 0 ? FormattableString.Invariant($"-mono{config.MonoCoefficient}") : string.Empty;
        var decay = Optimizer switch
        {
            "adam" when WeightDecay is null => 0,
            "adam" => throw new UsageException("--weight-decay needs --optimizer adamw"),
            "adamw" => WeightDecay ?? DefaultWeightDecay,
            _ => throw new UsageException($"--optimizer: found '{Optimizer}', expected one of adam, adamw"),
        };
        return this.ApplyTo(new TrainingOptions
        {
            Train = train,
            Validation = validation,
            Test = test,
            Output = Path.Combine("runs", Architecture + mono),
            WeightDecay = decay,
            Shuffle = !NoShuffle,
            ReadLabels = !NoLabels,
            MemoryBytes = MemoryBytes is null ? 0 : ByteSize.Parse("--memory", MemoryBytes),
        });
    }

    private (IReadOnlyList<string> Train, IReadOnlyList<string> Validation, IReadOnlyList<string> Test) Splits()
    {
        IReadOnlyList<string> train = [.. Train];
        IReadOnlyList<string> validation = [.. Validation];
        IReadOnlyList<string> test = [.. Test];
        if (DatasetConfigPath is not null)
        {
            if (train.Count + validation.Count + test.Count > 0)
            {
                throw new UsageException("--dataset-config cannot be combined with --train, --val or --test");
            }

            var config = DatasetConfig.Load(DatasetConfigPath);
            (train, validation, test) = (config.Train, config.Validation, config.Test);
            if (train.Count == 0)
            {
                throw new UsageException($"{DatasetConfigPath}: train_path is missing");
            }
        }

        return train.Count > 0
            ? (train, validation, test)
            : throw new UsageException("no training data: pass files with --train or --dataset-config");
    }
}
