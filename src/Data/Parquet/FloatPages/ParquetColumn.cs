using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace MonoLoss.Data.Parquet;

/// <summary>What a column is a part of.</summary>
internal enum ColumnShape
{
    /// <summary>Values, lists of values, or lists of such lists; the column itself may be a field of a struct.</summary>
    Plain,

    /// <summary>A field of the structs of a list.</summary>
    ListOfStructs,

    /// <summary>The keys or values of a map.</summary>
    Map,
}

/// <summary>A column of values: a flat one, a field of a struct, or a list. Columns are equal if all their properties are.</summary>
internal sealed record ParquetColumn
{
    private const int MaxDepth = 32;

    private ParquetColumn(int index, SchemaElement leaf, Node node)
    {
        Index = index;
        Name = node.Name;
        Path = node.Path;
        Type = leaf.Type!.Value;
        TypeLength = leaf.TypeLength;
        Logical = leaf.Logical;
        MaxDefinition = node.Definition;
        MaxRepetition = node.Repetition;
        RepeatedDefinition = node.RepeatedDefinition;
        Depth = node.Depth;
        Shape = node.Shape;
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
    public LogicalType Logical { get; }

    /// <summary>Whether it is a field of structs within a list, a map, or neither.</summary>
    public ColumnShape Shape { get; }

    /// <summary>Whether a row is a list of values.</summary>
    public bool IsList => MaxRepetition == 1 && Shape == ColumnShape.Plain;

    /// <summary>Whether a row is a list of lists of values.</summary>
    public bool IsListOfLists => MaxRepetition == 2 && Shape == ColumnShape.Plain;

    /// <summary>Whether a row is one value.</summary>
    public bool IsFlat => MaxRepetition == 0;

    /// <summary>Whether it is not a field of a struct.</summary>
    public bool IsTopLevel => Depth == 0;

    /// <summary>Whether there may be nulls: rows, or elements of a list.</summary>
    public bool IsNullable => MaxDefinition > MaxRepetition;

    /// <summary>Whether values are FLOAT, DOUBLE or 16-bit floating point.</summary>
    public bool IsFloat => Type is PhysicalType.FLOAT or PhysicalType.DOUBLE
        || (Type == PhysicalType.FIXED_LEN_BYTE_ARRAY && TypeLength == 2 && Logical.Kind == LogicalKind.Float16);

    /// <summary>Whether values are plain integers, no dates or decimals.</summary>
    public bool IsInteger => Type is PhysicalType.INT32 or PhysicalType.INT64
        && Logical.Kind is LogicalKind.None or LogicalKind.Integer or LogicalKind.UnsignedInteger;

    /// <summary>Whether values are decimals.</summary>
    public bool IsDecimal => Logical.Kind == LogicalKind.Decimal
        && Type is PhysicalType.INT32 or PhysicalType.INT64 or PhysicalType.BYTE_ARRAY or PhysicalType.FIXED_LEN_BYTE_ARRAY;

    /// <summary>Whether values are booleans.</summary>
    public bool IsBoolean => Type == PhysicalType.BOOLEAN;

    /// <summary>Whether values convert to floats.</summary>
    public bool IsNumber => IsFloat || IsInteger || IsDecimal || IsBoolean;

    /// <summary>Whether values are text.</summary>
    public bool IsString => Type == PhysicalType.BYTE_ARRAY && Logical.Kind is LogicalKind.String or LogicalKind.Json or LogicalKind.None;

    /// <summary>The definition level of a value that is there.</summary>
    internal int MaxDefinition { get; }

    internal int MaxRepetition { get; }

    /// <summary>The definition level from which on a list has an element; one less is an empty list, still less a null one.</summary>
    internal int RepeatedDefinition { get; }

    private int Depth { get; }

    /// <summary>The type in words, for messages.</summary>
    public override string ToString() => Shape switch
    {
        ColumnShape.Map => $"{ValueType()} in a map",
        ColumnShape.ListOfStructs => $"{Lists(MaxRepetition)}, a field of a list of structs",
        _ => Lists(MaxRepetition),
    };

    private string Lists(int levels) => levels == 0 ? ValueType() : $"list<{Lists(levels - 1)}>";

    private string ValueType() => Logical.Kind switch
    {
        LogicalKind.Float16 => "float16",
        LogicalKind.Decimal => $"decimal({Logical.Precision}, {Logical.Scale})",
        LogicalKind.Integer => $"int{IntegerBits}",
        LogicalKind.UnsignedInteger => $"uint{IntegerBits}",
        LogicalKind.String => "text",
        LogicalKind.None => Type switch
        {
            PhysicalType.BOOLEAN => "bool",
            PhysicalType.FLOAT => "float32",
            PhysicalType.DOUBLE => "float64",
            PhysicalType.BYTE_ARRAY => "binary",
            PhysicalType.FIXED_LEN_BYTE_ARRAY => $"binary({TypeLength})",
            _ => Type.ToString().ToLowerInvariant(),
        },
        LogicalKind.Other => $"another type stored as {Type.ToString().ToLowerInvariant()}",
        var kind => kind.ToString().ToLowerInvariant(),
    };

    private int IntegerBits => Logical.Bits > 0 ? Logical.Bits : Type == PhysicalType.INT32 ? 32 : 64;

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
            Visit(new Node("", "", 0, 0, 0, NameDone: false, 0, ColumnShape.Plain), parent: null, 0);
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
                NameDone: false,
                outer.NameDone ? outer.Depth : depth,
                InnerShape(outer, element, parent, repeated));
            if (repeated && parent is { Logical.Kind: LogicalKind.List, Children: 1 })
            {
                inner = inner with { Name = outer.Name, NameDone = IsElementWrapper(element, parent), Depth = outer.Depth };
            }

            if (element.Type is not null)
            {
                if (element.Children != 0)
                {
                    throw new CorruptException("the schema is not a tree");
                }

                columns.Add(new ParquetColumn(columns.Count, element, inner));
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

    // Below a list, its wrapper and lists of lists keep the shape; any other group is a struct.
    private static ColumnShape InnerShape(Node outer, SchemaElement element, SchemaElement? parent, bool repeated)
    {
        if (outer.Shape == ColumnShape.Map || parent?.Logical.Kind == LogicalKind.Map)
        {
            return ColumnShape.Map;
        }

        var isWrapper = repeated && parent is { Logical.Kind: LogicalKind.List, Children: 1 } && IsElementWrapper(element, parent);
        var isStruct = element.Type is null && !isWrapper && element.Logical.Kind is not (LogicalKind.List or LogicalKind.Map);
        return outer.Shape == ColumnShape.ListOfStructs || (isStruct && (outer.Repetition > 0 || repeated))
            ? ColumnShape.ListOfStructs
            : ColumnShape.Plain;
    }

    private sealed record Node(
        string Name, string Path, int Definition, int Repetition, int RepeatedDefinition, bool NameDone, int Depth, ColumnShape Shape);
}
