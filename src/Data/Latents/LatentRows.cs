namespace MonoLoss.Data;

/// <summary>The latents of consecutive rows, and what the way back to the features needs to know of each row.</summary>
public sealed class LatentRows
{
    /// <summary>Rows + 1 offsets: row i has the nonzeros from <c>Offsets[i]</c> up to <c>Offsets[i + 1]</c>.</summary>
    public required int[] Offsets { get; init; }

    /// <summary>The latent of each nonzero, ascending within a row.</summary>
    public required int[] Indices { get; init; }

    /// <summary>The activation of each nonzero.</summary>
    public required float[] Values { get; init; }

    /// <summary>What each row was divided by to have unit length; null if rows were taken as they are.</summary>
    public double[]? Scale { get; init; }

    /// <summary>What was subtracted from each row after that; null if nothing was.</summary>
    public double[]? Mean { get; init; }

    /// <summary>What each row was divided by after that; null if by nothing.</summary>
    public double[]? Deviation { get; init; }

    /// <summary>Number of rows.</summary>
    public int Rows => Offsets.Length - 1;
}
