namespace PtxInterpreter;

/// <summary>
/// Fuses a product and a sum into one rounding, as NVIDIA's assembler may if neither specifies how it rounds (PTX ISA, "Floating-Point
/// Instructions: add"): a product that only one sum of its block reads becomes part of that sum.
/// </summary>
internal static class PtxContraction
{
    public static void Apply(List<PtxStatement> statements)
    {
        var uses = statements.SelectMany(Reads).CountBy(name => name).ToDictionary();
        var writes = statements.Select(Written).OfType<string>().CountBy(name => name).ToDictionary();
        var contracted = new HashSet<PtxStatement>();
        for (var i = 0; i < statements.Count; i++)
        {
            var sum = statements[i];
            if (sum.Opcode is "add.f32" or "sub.f32" or "add.f64" or "sub.f64" && sum.Guard is null)
            {
                foreach (var factor in new[] { 1, 2 })
                {
                    var product = sum.Operands[factor];
                    var at = Product(statements, i, product, "mul" + sum.Opcode[3..]);
                    if (at < 0 || uses[product] != 1 || writes[product] != 1)
                    {
                        continue;
                    }

                    // a·b + c, a·b − c or c − a·b; PTX has no opcodes for the last two, so the interpreter uses made-up ones.
                    var opcode = sum.IsOf("add") ? "fma.rn" : factor == 1 ? "fms.rn" : "fnma.rn";
                    var (a, b) = (statements[at].Operands[1], statements[at].Operands[2]);
                    statements[i] = sum with
                    {
                        Opcode = opcode + sum.Opcode[3..],
                        Operands = [sum.Operands[0], a, b, sum.Operands[3 - factor]],
                    };
                    contracted.Add(statements[at]);
                    break;
                }
            }
        }

        statements.RemoveAll(contracted.Contains);
    }

    // The product's entry, if it is in the same block and its factors have not changed since.
    private static int Product(List<PtxStatement> statements, int sum, string register, string opcode)
    {
        var written = new HashSet<string>();
        for (var i = sum - 1; i >= 0 && statements[i].Label is null && !statements[i].IsOf("bra"); i--)
        {
            if (Written(statements[i]) == register)
            {
                return statements[i].Opcode == opcode && !statements[i].Operands.Skip(1).Any(written.Contains) ? i : -1;
            }

            written.UnionWith(Names(statements[i].Operands is [var first, ..] ? first : string.Empty));
        }

        return -1;
    }

    private static bool Writes(PtxStatement statement) => !statement.IsOf("st") && !statement.IsOf("red") && !statement.IsOf("bra");

    private static string? Written(PtxStatement statement) =>
        Writes(statement) && statement.Operands.Count > 0 && statement.Operands[0].StartsWith('%') ? statement.Operands[0] : null;

    private static IEnumerable<string> Reads(PtxStatement statement) =>
        statement.Operands.Skip(Writes(statement) ? 1 : 0).SelectMany(Names);

    private static IEnumerable<string> Names(string operand) =>
        operand.Split('{', '}', '[', ']', ',', '+', ' ', '|').Where(name => name.StartsWith('%'));
}
