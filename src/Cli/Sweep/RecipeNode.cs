using System.Text;
using MonoLoss.Data;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace MonoLoss.Cli;

/// <summary>A part of a recipe.</summary>
/// <param name="Line">The line it starts in, from 1.</param>
internal abstract record RecipeNode(int Line)
{
    // A recipe for ten thousand runs that are listed one by one has less.
    private const int MaxBytes = 4 << 20;

    // Runs, add, entry, values, files of a value.
    private const int MaxDepth = 6;

    /// <summary>
    /// Reads YAML: one document of mappings, lists and texts. Aliases and tags, which a recipe has no use for, are refused.
    /// </summary>
    /// <param name="name">What the file is called in messages.</param>
    /// <param name="content">Its content, in UTF-8.</param>
    /// <exception cref="DataException">It is something else: one line that names the file and the line.</exception>
    public static RecipeNode Read(string name, Stream content)
    {
        try
        {
            var bytes = new byte[MaxBytes + 1];
            var count = content.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (count > MaxBytes)
            {
                throw new DataException($"{name}: more than {MaxBytes >> 20} MiB, expected a recipe");
            }

            var text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes, 0, count);
            return new Reader(name, text.TrimStart('\uFEFF')).Document();
        }
        catch (DecoderFallbackException exception)
        {
            throw new DataException($"{name}: is not text in UTF-8, expected a recipe in YAML", exception);
        }
        catch (YamlException exception)
        {
            var message = (exception.InnerException as YamlException ?? exception).Message;
            throw new DataException($"{name}:{exception.End.Line}: is not YAML: {message}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{name}: cannot be read: {exception.Message}", exception);
        }
    }

    private sealed class Reader(string name, string text)
    {
        private readonly Parser _parser = new(new StringReader(text));

        public RecipeNode Document()
        {
            Next();
            if (Next() is StreamEnd)
            {
                throw new DataException($"{name}: is empty, expected a recipe");
            }

            var root = Node(depth: 0);
            Next();
            return Next() is StreamEnd ? root : throw Failure(_parser.Current!, "a second document, expected one recipe");
        }

        private ParsingEvent Next()
        {
            try
            {
                return _parser.MoveNext() ? _parser.Current! : throw new DataException($"{name}: ends early, expected a recipe in YAML");
            }
            catch (InvalidOperationException exception)
            {
                // YamlDotNet 18.1.0 has no message of its own for some texts that are not YAML.
                var line = _parser.Current is { } last ? (int)last.End.Line : 1;
                throw new DataException($"{name}:{line}: is not YAML here or soon after", exception);
            }
        }

        private RecipeNode Node(int depth) => Node(Next(), depth);

        private RecipeNode Node(ParsingEvent start, int depth)
        {
            if (depth > MaxDepth)
            {
                throw Failure(start, "lists and mappings inside one another too deeply");
            }

            if (start is NodeEvent { Tag: { IsEmpty: false } tag })
            {
                throw Failure(start, $"the tag {tag}, which recipes do not have");
            }

            var line = Line(start);
            switch (start)
            {
                case Scalar scalar:
                    var isNull = scalar.Style == ScalarStyle.Plain && scalar.Value is "" or "~" or "null";
                    return new RecipeText(line, isNull ? null : scalar.Value);
                case SequenceStart:
                    var items = new List<RecipeNode>();
                    while (Next() is not SequenceEnd)
                    {
                        items.Add(Node(_parser.Current!, depth + 1));
                    }

                    return new RecipeList(line, items);
                case MappingStart:
                    return Map(line, depth);
                case AnchorAlias alias:
                    throw Failure(start, $"the alias *{alias.Value}, which recipes do not have: write the value out");
                default:
                    throw Failure(start, $"what ends nothing, expected a value");
            }
        }

        private RecipeMap Map(int line, int depth)
        {
            var entries = new List<RecipeEntry>();
            while (Next() is not MappingEnd)
            {
                var start = _parser.Current!;
                if (Node(start, depth + 1) is not RecipeText { Value: { Length: > 0 } key })
                {
                    throw Failure(start, "a key that is not a word");
                }

                if (entries.Find(entry => entry.Key == key) is { } first)
                {
                    throw new DataException($"{name}:{Line(start)}: {key}: is given twice, first in line {first.Line}");
                }

                entries.Add(new RecipeEntry(key, Line(start), Node(depth + 1)));
            }

            return new RecipeMap(line, entries);
        }

        private DataException Failure(ParsingEvent at, string found) => new($"{name}:{Line(at)}: found {found}");

        private static int Line(ParsingEvent at) => (int)at.Start.Line;
    }
}

/// <summary>A text; a number is one too.</summary>
/// <param name="Line">Its line.</param>
/// <param name="Value">The text; null where nothing is written.</param>
internal sealed record RecipeText(int Line, string? Value) : RecipeNode(Line);

/// <summary>A list.</summary>
/// <param name="Line">Its line.</param>
/// <param name="Items">What it has.</param>
internal sealed record RecipeList(int Line, IReadOnlyList<RecipeNode> Items) : RecipeNode(Line);

/// <summary>A mapping of different keys.</summary>
/// <param name="Line">Its line.</param>
/// <param name="Entries">Keys and values, in the order of the file.</param>
internal sealed record RecipeMap(int Line, IReadOnlyList<RecipeEntry> Entries) : RecipeNode(Line);

/// <summary>A key of a mapping with its value.</summary>
/// <param name="Key">The key.</param>
/// <param name="Line">The key's line.</param>
/// <param name="Value">The value.</param>
internal sealed record RecipeEntry(string Key, int Line, RecipeNode Value);
