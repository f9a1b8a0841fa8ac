using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace MonoLoss.Data.Parquet;

/// <summary>A column of values: a flat one, a field of a struct, or a list. Columns are equal if all their properties are.</summary>
internal sealed record ParquetColumn
{
    private const int MaxDepth = 32;

    private ParquetColumn(
        int index, string name, string path, SchemaElement leaf, int definition, int repetition, int repeatedDefinition)
    {
        Index = index;
        Name = name;
        Path = path;
        Type = leaf.Type!.Value;
        TypeLength = leaf.TypeLength;
        LogicalKind = leaf.Logical;
        MaxDefinition = definition;
        MaxRepetition = repetition;
        RepeatedDefinition = repeatedDefinition;
    }

    /// <summary>Its place among the file's columns.</summary>
    public int Index { get; }

    /// <summary>Its name: the list's for a list, with dots for a field of a struct.</summary>
    public string Name { get; }

    /// <summary>Its full path, such as <c>features.list.element</c>.</summary>
    public string Path { get; }

    /// <summary>How its values are stored.</summary>
    public PhysicalType Type { get; }

    /// <summary>Bytes of a value, for FIXED_LEN_BYTE_ARRAY.</summary>
    public int TypeLength { get; }

    /// <summary>What its values stand for.</summary>
    public LogicalKind LogicalKind { get; }

    /// <summary>Whether a row is a list of values.</summary>
    public bool IsList => MaxRepetition == 1;

    /// <summary>Whether a row is a list of lists: such a column cannot be read.</summary>
    public bool IsNested => MaxRepetition > 1;

    /// <summary>Whether there may be nulls: rows, or elements of a list.</summary>
    public bool IsNullable => MaxDefinition > MaxRepetition;

    /// <summary>Whether values are FLOAT, DOUBLE or 16-bit floating point.</summary>
    public bool IsFloat => Type is PhysicalType.FLOAT or PhysicalType.DOUBLE
        || (Type == PhysicalType.FIXED_LEN_BYTE_ARRAY && TypeLength == 2 && LogicalKind == LogicalKind.Float16);

    /// <summary>Whether values are plain integers, no dates or decimals.</summary>
    public bool IsInteger => Type is PhysicalType.INT32 or PhysicalType.INT64
        && LogicalKind is LogicalKind.None or LogicalKind.Integer or LogicalKind.UnsignedInteger;

    /// <summary>Whether values are text.</summary>
    public bool IsString => Type == PhysicalType.BYTE_ARRAY && LogicalKind is LogicalKind.String or LogicalKind.None;

    /// <summary>The definition level of a value that is there.</summary>
    internal int MaxDefinition { get; }

    internal int MaxRepetition { get; }

    /// <summary>The definition level from which on a list has an element; one less is an empty list, still less a null one.</summary>
    internal int RepeatedDefinition { get; }

    /// <summary>The type in words, for messages.</summary>
    public override string ToString()
    {
        var type = Type switch
        {
            _ when IsFloat && Type == PhysicalType.FIXED_LEN_BYTE_ARRAY => "float16",
            PhysicalType.INT32 or PhysicalType.INT64 when LogicalKind == LogicalKind.UnsignedInteger =>
                "u" + Type.ToString().ToLowerInvariant(),
            PhysicalType.BYTE_ARRAY when LogicalKind == LogicalKind.String => "string",
            PhysicalType.BYTE_ARRAY => "binary",
            PhysicalType.FIXED_LEN_BYTE_ARRAY => $"binary({TypeLength})",
            _ => Type.ToString().ToLowerInvariant(),
        };
        return MaxRepetition switch { 0 => type, 1 => $"list<{type}>", _ => $"nested list<{type}>" };
    }

    /// <summary>Finds the columns of a schema.</summary>
    /// <exception cref="CorruptException">The schema is not a tree.</exception>
    internal static List<ParquetColumn> FromSchema(IReadOnlyList<SchemaElement> schema)
    {
        if (schema.Count == 0)
        {
            throw new CorruptException("the schema is empty");
        }

        var columns = new List<ParquetColumn>();
        var next = 1;
        for (var i = 0; i < schema[0].Children; i++)
        {
            Visit(new Node("", "", 0, 0, 0, NameDone: false), parent: null, 0);
        }

        return next == schema.Count && columns.Count > 0 ? columns : throw new CorruptException("the schema is not a tree");

        void Visit(Node outer, SchemaElement? parent, int depth)
        {
            if (next >= schema.Count || depth > MaxDepth)
            {
                throw new CorruptException("the schema is not a tree");
            }

            var element = schema[next++];
            var definition = outer.Definition + (element.Repetition == FieldRepetitionType.REQUIRED ? 0 : 1);
            var repeated = element.Repetition == FieldRepetitionType.REPEATED;
            var inner = new Node(
                outer.NameDone ? outer.Name : Join(outer.Name, element.Name),
                Join(outer.Path, element.Name),
                definition,
                outer.Repetition + (repeated ? 1 : 0),
                repeated ? definition : outer.RepeatedDefinition,
                NameDone: false);
            if (repeated && parent is { Logical: LogicalKind.List, Children: 1 })
            {
                inner = inner with { Name = outer.Name, NameDone = IsElementWrapper(element, parent) };
            }

            if (element.Type is not null)
            {
                if (element.Children != 0)
                {
                    throw new CorruptException("the schema is not a tree");
                }

                columns.Add(new ParquetColumn(
                    columns.Count, inner.Name, inner.Path, element, inner.Definition, inner.Repetition, inner.RepeatedDefinition));
                return;
            }

            for (var i = 0; i < element.Children; i++)
            {
                Visit(inner, element, depth + 1);
            }
        }
    }

    // The format's rules for lists of old writers: a repeated group wraps the element unless it has several fields or one of
    // these names, in which case it is the element.
    private static bool IsElementWrapper(SchemaElement repeated, SchemaElement list) =>
        repeated.Type is null && repeated.Children == 1 && repeated.Name != "array" && repeated.Name != list.Name + "_tuple";

    private static string Join(string outer, string name) => outer.Length == 0 ? name : $"{outer}.{name}";

    private sealed record Node(string Name, string Path, int Definition, int Repetition, int RepeatedDefinition, bool NameDone);
}
