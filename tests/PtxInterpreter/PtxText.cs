using System.Globalization;
using System.Text.RegularExpressions;

namespace PtxInterpreter;

/// <summary>A type of PTX, such as <c>.s32</c>; a predicate has 1 bit.</summary>
internal readonly record struct PtxType(char Kind, int Bits)
{
    public static readonly PtxType Predicate = new('p', 1);

    public int Bytes => Bits / 8;

    public static PtxType Parse(string name) =>
        name == "pred" ? Predicate : new(name[0], int.Parse(name.AsSpan(1), CultureInfo.InvariantCulture));

    /// <summary>Whether an instruction of another type may use a register of this type, by the rules of the PTX ISA.</summary>
    public bool Fits(PtxType instruction) =>
        Bits == instruction.Bits && (Kind == 'b' || instruction.Kind == 'b' || (Kind == 'f') == (instruction.Kind == 'f'));

    public override string ToString() => Kind == 'p' ? "pred" : $"{Kind}{Bits}";
}

/// <summary>An instruction as written, or a label, which has no opcode.</summary>
internal sealed record PtxStatement(
    int Line, string? Label, string? Guard, bool GuardNegated, string Opcode, IReadOnlyList<string> Operands, string Text)
{
    /// <summary>Whether the opcode starts with these parts, as <c>st.global.f32</c> does with <c>st</c>.</summary>
    public bool IsOf(string opcode) => Opcode.Split('.')[0] == opcode;
}

/// <summary>Where a parameter or a shared array lies in its memory.</summary>
/// <param name="Offset">The offset of its first byte.</param>
/// <param name="Size">The size in bytes.</param>
public readonly record struct PtxPlace(int Offset, int Size);

/// <summary>The entry of a PTX module: what it declares, and its statements.</summary>
internal sealed partial class PtxText
{
    /// <summary>Bytes between shared arrays, so that an access past the end of one does not hit the next.</summary>
    private const int SharedGap = 256;

    private PtxText(string name) => Name = name;

    public string Name { get; }

    public Dictionary<string, PtxPlace> Parameters { get; } = [];

    public int ParameterSize { get; private set; }

    /// <summary>Static arrays; the dynamic one has no size.</summary>
    public Dictionary<string, PtxPlace> Shared { get; } = [];

    /// <summary>The offset of the dynamic array, after all others.</summary>
    public int SharedSize { get; private set; }

    /// <summary>Bytes of the static arrays, without the space between them.</summary>
    public int StaticShared => Shared.Values.Sum(entry => entry.Size);

    /// <summary>The type and number of registers by prefix.</summary>
    public Dictionary<string, (PtxType Type, int Count)> Registers { get; } = [];

    /// <summary>Threads of the largest group, 0 if not stated.</summary>
    public int MaxThreads { get; private set; }

    public List<PtxStatement> Statements { get; } = [];

    public static PtxText Parse(string ptx)
    {
        var lines = ptx.Split('\n');
        var entry = Array.FindIndex(lines, line => line.Contains(".entry", StringComparison.Ordinal));
        var text = new PtxText(Entry().Match(lines[entry]).Groups[1].Value);
        var dynamicShared = new List<string>();
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].Trim();
            if (line.StartsWith(".extern .shared", StringComparison.Ordinal))
            {
                dynamicShared.Add(SharedArray().Match(line).Groups[2].Value);
            }
            else if (i > entry && line is not ("" or "{" or "}" or "(" or ")") && !line.StartsWith("//", StringComparison.Ordinal))
            {
                text.Add(line, i + 1);
            }
        }

        foreach (var name in dynamicShared)
        {
            text.Shared.Add(name, new(text.SharedSize, 0));
        }

        return text;
    }

    private void Add(string line, int number)
    {
        if (Parameter().Match(line) is { Success: true } parameter)
        {
            var type = PtxType.Parse(parameter.Groups[2].Value);
            var size = parameter.Groups[4].Success ? Integer(parameter.Groups[4]) : type.Bytes;
            var align = parameter.Groups[1].Success ? Integer(parameter.Groups[1]) : type.Bytes;
            var offset = Align(ParameterSize, align);
            Parameters.Add(parameter.Groups[3].Value, new(offset, size));
            ParameterSize = offset + size;
        }
        else if (SharedArray().Match(line) is { Success: true } shared)
        {
            var offset = Align(SharedSize, Integer(shared.Groups[1]));
            Shared.Add(shared.Groups[2].Value, new(offset, Integer(shared.Groups[3])));
            SharedSize = Align(offset + Integer(shared.Groups[3]) + SharedGap, SharedGap);
        }
        else if (Register().Match(line) is { Success: true } register)
        {
            Registers.Add(register.Groups[2].Value, (PtxType.Parse(register.Groups[1].Value), Integer(register.Groups[3])));
        }
        else if (line.StartsWith(".maxntid", StringComparison.Ordinal))
        {
            MaxThreads = line[".maxntid".Length..].Split(',')
                .Aggregate(1, (product, size) => product * int.Parse(size, CultureInfo.InvariantCulture));
        }
        else if (Label().Match(line) is { Success: true } label)
        {
            Statements.Add(new(number, label.Groups[1].Value, null, false, "", [], line));
        }
        else if (Instruction().Match(line) is { Success: true } match)
        {
            var guard = match.Groups[2].Success ? match.Groups[2].Value : null;
            var operands = Operand().Matches(match.Groups[4].Value).Select(operand => operand.Value.Trim()).ToArray();
            Statements.Add(new(number, null, guard, match.Groups[1].Length > 0, match.Groups[3].Value, operands, line));
        }
        else if (!line.StartsWith(".minnctapersm", StringComparison.Ordinal))
        {
            throw new NotSupportedException($"{Name}, line {number}: {line}");
        }
    }

    internal static int Align(int offset, int align) => (offset + align - 1) / align * align;

    private static int Integer(Group group) => int.Parse(group.ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\.entry (\w+)")]
    private static partial Regex Entry();

    [GeneratedRegex(@"^\.param (?:\.align (\d+) )?\.(\w+) (\w+)(?:\[(\d+)\])?,?$")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\.shared \.align (\d+) \.b8 (\w+)\[(\d*)\];$")]
    private static partial Regex SharedArray();

    [GeneratedRegex(@"^\.reg \.(\w+)\s+(%\w+)<(\d+)>;$")]
    private static partial Regex Register();

    [GeneratedRegex(@"^([\w$]+):$")]
    private static partial Regex Label();

    [GeneratedRegex(@"^(?:@(!?)(%\w+)\s+)?([a-z][\w.]*)\s*(.*);$")]
    private static partial Regex Instruction();

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|[^,\s][^,]*")]
    private static partial Regex Operand();
}
