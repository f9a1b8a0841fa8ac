using MonoLoss.Data;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>What the options that name features and labels have in common.</summary>
internal static class FeatureOptions
{
    /// <summary>What a path may be.</summary>
    public const string Paths = "files (Parquet, Arrow, .npy, .npz, .pt, .safetensors, CSV), LMDB stores, folders or patterns.";

    /// <summary>How features are chosen.</summary>
    public const string ColumnHelp =
        "Column with lists of numbers or array, or a pattern for one column per dimension: 'f*', 'f[0-767]', '0..23', 'f*,!f_id'; "
        + "for saev 'layer 11, cls' [the only one]";

    /// <summary>How labels are chosen.</summary>
    public const string LabelHelp = "Column with class labels, for class purity [label, labels, class, target or y, if present]";

    /// <summary>What an autoencoder may be.</summary>
    public const string RunHelp = "Run folder of the autoencoder, or a folder of another tool (see import).";

    /// <summary>How labels in a second file are named.</summary>
    public const string LabelsFileHelp = "File with a label for each row in order: .npy, .npz, .pt, .safetensors, .csv, .parquet or .txt";

    /// <summary>How latents get names.</summary>
    public const string VocabularyHelp = "File of texts and their embeddings in the features' space, such as CLIP's text tower gives: "
        + "latents get the texts nearest to their decoder rows as names";

    /// <summary>Where the texts of a vocabulary are.</summary>
    public const string VocabularyColumnHelp = "Column with the texts of --vocabulary [text, name, word, label, … or the only one]";

    /// <summary>Checks that options about labels do not contradict each other.</summary>
    /// <exception cref="UsageException">They do.</exception>
    public static void CheckLabels(bool noLabels, string? labelColumn, params string?[] labelsFiles)
    {
        if (noLabels && (labelColumn is not null || labelsFiles.Any(file => file is not null)))
        {
            throw new UsageException($"--no-labels cannot be combined with {(labelColumn is not null ? "--label-column" : "--labels")}");
        }
    }

    /// <summary>Checks that a column of a vocabulary is not named without one.</summary>
    /// <exception cref="UsageException">It is.</exception>
    public static void CheckVocabulary(string? vocabulary, string? column)
    {
        if (column is not null && vocabulary is null)
        {
            throw new UsageException("--vocabulary-column needs --vocabulary FILE");
        }
    }

    /// <summary>Opens the vocabulary that names an autoencoder's latents, and tells the user what is to know about it.</summary>
    /// <inheritdoc cref="Vocabulary.Open"/>
    public static Vocabulary OpenVocabulary(
        CliContext context, string path, string? column, string? featuresColumn, int dimension)
    {
        var vocabulary = Vocabulary.Open(path, column, featuresColumn, dimension, context.Stop);
        context.Notice(vocabulary.Notices);
        return vocabulary;
    }

    /// <summary>Opens the features that an autoencoder is to take, and tells the user what is to know about them.</summary>
    /// <param name="context">Where notices go.</param>
    /// <param name="source">The autoencoder: columns that are not named are those that it was trained on.</param>
    /// <param name="run">Its folder, as given.</param>
    /// <param name="paths">The features.</param>
    /// <param name="options">What the command line says.</param>
    /// <exception cref="DataException">The features cannot be read, or are not of the autoencoder's dimension.</exception>
    public static FeatureSet OpenFor(
        CliContext context, ModelSource source, string run, IEnumerable<string> paths, FeatureSetOptions options)
    {
        var training = source.Training;
        var set = FeatureSet.Open(paths, options with
        {
            FeaturesColumn = options.FeaturesColumn ?? training?.FeaturesColumn,
            FeatureNames = training?.FeatureNames,
            // The column of the training files says nothing about another file.
            LabelColumn = options.LabelColumn ?? (options.LabelsFile is null ? training?.LabelColumn : null),
        });
        context.Notice(set.Notices);
        return set.Dimension == source.Config.Dimension ? set : throw new DataException(
            $"{set.Files[0]}: column '{set.FeaturesColumn}' has features of dimension {set.Dimension}, "
                + $"but {run} expects {source.Config.Dimension}");
    }
}
