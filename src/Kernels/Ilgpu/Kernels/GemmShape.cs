namespace MonoLoss.Kernels.Ilgpu;

/// <summary>C = α·A·B + β·C, then + bias and ReLU: A is M×K, B is K×N, in either storage order.</summary>
internal readonly struct GemmShape(int m, int n, int k, int splitDepth, float alpha, float beta, bool relu)
{
    // Groups that run at the same time should share rows of A and columns of B: they walk C in bands of this many tiles.
    private const int Band = 16;

    public readonly int M = m;
    public readonly int N = n;
    public readonly int K = k;

    /// <summary>How many terms of each sum one group forms: K, or a multiple of a tile's step below it.</summary>
    public readonly int SplitDepth = splitDepth;

    public readonly float Alpha = alpha;
    public readonly float Beta = beta;
    public readonly int Relu = relu ? 1 : 0;

    /// <summary>The first row of the tile that a group computes.</summary>
    public int Row(int group, int tileRows, int tileColumns)
    {
        var (first, height, within) = Place(group, tileRows, tileColumns);
        return (first + (within % height)) * tileRows;
    }

    /// <summary>The first column of the tile that a group computes.</summary>
    public int Column(int group, int tileRows, int tileColumns)
    {
        var (_, height, within) = Place(group, tileRows, tileColumns);
        return within / height * tileColumns;
    }

    private (int First, int Height, int Within) Place(int group, int tileRows, int tileColumns)
    {
        var rows = (M + tileRows - 1) / tileRows;
        var columns = (N + tileColumns - 1) / tileColumns;
        var first = group / (Band * columns) * Band;
        return (first, Math.Min(Band, rows - first), group - (first * columns));
    }
}
