using CommandLine;
using MonoLoss.Data;
using MonoLoss.Vision;

namespace MonoLoss.Cli;

/// <summary>Computes features of images by a network in an ONNX file.</summary>
[Verb("extract", HelpText = "Compute features of images by a network in an ONNX file.")]
internal sealed class ExtractCommand : Command
{
    private const int ShownDamaged = 20;

    private static readonly string[] Formats = [".parquet"];

    [Section("Input")]
    [Option("images", Required = true, MetaValue = "SRC…", HelpText =
        "Images: folders (an image's class is its folder's name), Parquet files with a column of images, WebDataset's tar shards, "
        + "lists (.txt: a path per line, after a tab its class), or single images.")]
    public IEnumerable<string> Images { get; set; } = [];

    [Option("image-column", MetaValue = "NAME", HelpText = "Column of images in Parquet files [the only one]")]
    public string? ImageColumn { get; set; }

    [Option("label-column", MetaValue = "NAME", HelpText = "Column of class labels in Parquet files [label, labels, class, target or y]")]
    public string? LabelColumn { get; set; }

    [Option("strict", HelpText = "Stop at a damaged image instead of skipping and listing it.")]
    public bool Strict { get; set; }

    [Section("Model")]
    [Option("model", Required = true, MetaValue = "FILE", HelpText = "ONNX file of the network, with one input of images.")]
    public string Model { get; set; } = string.Empty;

    [Option("preset", MetaValue = "NAME", HelpText =
        "How images are resized, cropped and normalized: clip, siglip, siglip2, vit, dinov2, swin or resnet "
        + "[preprocessor_config.json beside the model]")]
    public string? Preset { get; set; }

    [Option("output", MetaValue = "NAME", HelpText = "The network's output to take [image_embeds, pooler_output or last_hidden_state]")]
    public string? OutputName { get; set; }

    [Option("token", MetaValue = "KIND", HelpText =
        "cls, mean (of the patches), patches (a row each, with its position) or all [the pooled output, or cls]")]
    public string? Token { get; set; }

    [Option("prefix-tokens", MetaValue = "N", HelpText = "Special tokens before the patches [found by the number of tokens]")]
    public int? PrefixTokens { get; set; }

    [Option("batch-size", Default = 16, MetaValue = "B", HelpText = "Images per batch, where the network is not fixed to a size")]
    public int BatchSize { get; set; }

    [Option("threads", Default = 0, MetaValue = "N", HelpText = "Number of CPU threads (0 = one per core); does not affect results")]
    public int Threads { get; set; }

    [Section("Output")]
    [Option("out", Required = true, MetaValue = "FILE", HelpText = "Parquet file with the columns id, label, position and features.")]
    public string Output { get; set; } = string.Empty;

    [Option("resume", HelpText = "Continue an extraction that was stopped.")]
    public bool Resume { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        Check();
        OutputFile.Check(Output, Formats, [.. Images, Model]);
        var options = new ExtractionOptions
        {
            Sources = ImageSources.Open(Images, ImageColumn, LabelColumn),
            Model = Model,
            OutputPath = Output,
            Preprocessor = Preset is null ? null : Presets.Find(Preset),
            OutputName = OutputName,
            Token = Token is null ? null : Enum.Parse<TokenKind>(Token, ignoreCase: true),
            PrefixTokens = PrefixTokens,
            BatchSize = BatchSize,
            Threads = Threads,
            Strict = Strict,
            Resume = Resume,
        };
        NativeLibraries.Guard("extract", () => Extract(context, options));
        return ExitCode.Success;
    }

    private static void Extract(CliContext context, ExtractionOptions options)
    {
        using var extraction = Extraction.Open(options);
        context.WriteLine($"model   {options.Model}: {extraction.Output}, {extraction.Token}, "
            + $"{ProgressFormat.Format(extraction.Dimension)} features, batches of {extraction.BatchSize}");
        context.WriteLine($"images  {extraction.Preprocessor.Description}");
        var progress = new ExtractionLog(context);
        ExtractionResult result;
        try
        {
            result = extraction.Run(progress.Report, context.Stop);
        }
        catch (OperationCanceledException) when (context.Stop.IsCancellationRequested)
        {
            context.Notice(["stopped; continue with --resume"]);
            throw;
        }

        progress.Finish();
        List<string> damaged = [.. result.Skipped.Take(ShownDamaged).Select(skipped => $"skipped {skipped.Id}: {skipped.Reason}")];
        if (result.Skipped.Count > 0)
        {
            var list = Path.ChangeExtension(options.OutputPath, ".skipped.tsv");
            AtomicFile.WriteAllText(list, string.Concat(result.Skipped.Select(skipped => $"{OneLine(skipped.Id)}\t{skipped.Reason}\n")));
            damaged.Add($"{ProgressFormat.Format(result.Skipped.Count)} images skipped; all of them are in {list}");
        }

        context.Notice(damaged.Select(OneLine));
        context.WriteLine($"{ProgressFormat.Format(result.Images)} images, {ProgressFormat.Format(result.Rows)} rows of "
            + $"{ProgressFormat.Format(result.Dimension)}, {progress.Speed}, {options.OutputPath}");
    }

    private static string OneLine(string text) => string.Concat(text.Select(letter => char.IsControl(letter) ? '?' : letter));

    private void Check()
    {
        if (Preset is not null && Presets.Find(Preset) is null)
        {
            throw new UsageException($"--preset: found '{Preset}', expected one of {string.Join(", ", Presets.Names)}");
        }

        if (Token is not (null or "cls" or "mean" or "patches" or "all"))
        {
            throw new UsageException($"--token: found '{Token}', expected cls, mean, patches or all");
        }

        if (BatchSize <= 0)
        {
            throw new UsageException($"--batch-size must be positive, but is {BatchSize}");
        }

        if (PrefixTokens < 0)
        {
            throw new UsageException($"--prefix-tokens must not be negative, but is {PrefixTokens}");
        }

        if (Threads < 0)
        {
            throw new UsageException($"--threads must not be negative, but is {Threads}");
        }
    }
}
