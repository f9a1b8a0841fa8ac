using System.Globalization;

namespace MonoLoss.Bench;

/// <summary>A performance target of the project.</summary>
/// <param name="Work">What is measured.</param>
/// <param name="Unit">The unit of the figure.</param>
/// <param name="Bound">The smallest or largest value that meets the target.</param>
/// <param name="AtLeast">Whether larger is better.</param>
internal sealed record Requirement(string Work, string Unit, double Bound, bool AtLeast)
{
    private const string GemmTime = "× OpenBLAS's time for the GEMM";
    private const string Faster = "× faster than PyTorch";

    public static readonly Requirement Gemm = new("GEMM of the encoder's shape", "× OpenBLAS's speed", 0.97, true);
    public static readonly Requirement EncodeTopK = new("encode + top-64 of every row", GemmTime, 1.10, false);
    public static readonly Requirement EncodeBatchTopK = new("encode + batch-wide top 64·B", GemmTime, 1.15, false);
    public static readonly Requirement StepAgainstGemm = new("batch_topk step with MonoLoss, everything included", GemmTime, 1.8, false);
    public static readonly Requirement BatchTopK = new("batch_topk step with MonoLoss", Faster, 10, true);
    public static readonly Requirement TopK = new("topk step with MonoLoss", Faster, 10, true);
    public static readonly Requirement JumpReLU = new("jumprelu step with MonoLoss at its start (1 % active)", Faster, 6, true);
    public static readonly Requirement Vanilla = new("vanilla step with MonoLoss at its start (50 % active)", Faster, 2, true);
    public static readonly Requirement SparseVanilla = new("vanilla step with MonoLoss, 10 % active", Faster, 4, true);
    public static readonly Requirement Matryoshka = new(
        "matryoshka step with MonoLoss, four groups", "× a batch_topk step's time", 1.15, false);

    public static readonly Requirement Gated = new("gated step with MonoLoss at its start", "× a vanilla step's time", 1.5, false);
    public static readonly Requirement MonoScore = new("MonoScore of a dataset", Faster, 12, true);
    public static readonly Requirement MonoLossTime = new("time that MonoLoss adds to a batch_topk step", "%", 4, false);
    public static readonly Requirement Memory = new("peak memory of a batch_topk step with MonoLoss", "× PyTorch's", 0.5, false);
    public static readonly Requirement MaxMemory = new("peak memory of any model's step with MonoLoss", "× PyTorch's", 0.5, false);

    /// <summary>All targets, in the order in which they are reported.</summary>
    public static IReadOnlyList<Requirement> All { get; } =
    [
        Gemm, EncodeTopK, EncodeBatchTopK, StepAgainstGemm, BatchTopK, TopK, JumpReLU, Vanilla, SparseVanilla, Matryoshka, Gated, MonoScore,
        MonoLossTime, Memory, MaxMemory,
    ];

    /// <summary>The bound in words.</summary>
    public string BoundText =>
        $"{(AtLeast ? "at least" : "at most")} {Bound.ToString("0.##", CultureInfo.InvariantCulture)}{Unit[..1].Trim()}";

    /// <summary>A figure with its unit.</summary>
    public string Format(double value) =>
        $"{value.ToString(value < 5 ? "0.00" : "0.0", CultureInfo.InvariantCulture)}{Unit.Replace("%", " %")}";

    /// <summary>Whether a figure meets the target.</summary>
    public bool IsMet(double value) => AtLeast ? value >= Bound : value <= Bound;
}

/// <summary>The figures of a run that have a target.</summary>
internal sealed class Scoreboard
{
    private readonly Dictionary<Requirement, double> _figures = [];

    /// <summary>Records a figure.</summary>
    public void Add(Requirement requirement, double value) => _figures[requirement] = value;

    /// <summary>Prints every measured figure beside its target.</summary>
    public void Print()
    {
        if (_figures.Count == 0)
        {
            return;
        }

        var table = new Table("work", "measured", "target", "met");
        foreach (var requirement in Requirement.All.Where(_figures.ContainsKey))
        {
            var value = _figures[requirement];
            table.Add(requirement.Work, requirement.Format(value), requirement.BoundText, requirement.IsMet(value) ? "yes" : "NO");
        }

        Console.WriteLine();
        table.Print();
    }
}
