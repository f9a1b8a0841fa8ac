namespace MonoLoss.Kernels.Ilgpu;

/// <content>Gated SAEs.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void Gate(CsrMatrix gate, Tensor scale, Tensor gateBias, Tensor magBias, CsrMatrix z)
    {
        RequireGate(gate, scale, magBias);
        Require(gateBias.Count == gate.Columns, "one bias per latent");
        var count = gate.NonzeroCount;
        z.Resize(gate.Rows, gate.Columns, count);
        Launch(GatedKernels.CopyOffsets, Elements(gate.Rows + 1L), View(gate.RowOffsets), View(z.RowOffsets));
        if (count > 0)
        {
            Launch(
                GatedKernels.Gate,
                Elements(count),
                View(gate.Indices),
                View(gate.Values),
                View(scale),
                View(gateBias),
                View(magBias),
                View(z.Indices),
                View(z.Values));
        }
    }

    /// <inheritdoc/>
    public override void GateGradient(
        CsrMatrix z,
        CsrMatrix gate,
        Tensor scale,
        Tensor magBias,
        Tensor scaleGradient,
        Tensor gateBiasGradient,
        Tensor magBiasGradient)
    {
        RequireColumnIndex(z);
        RequireGate(gate, scale, magBias);
        Require(z.MaxNonzeroCount == gate.MaxNonzeroCount, "z does not have the gate's entries");
        if (z.MaxNonzeroCount > 0)
        {
            Launch(
                GatedKernels.Gradient,
                Warps(z.Columns),
                View(z.ColumnOffsets),
                View(z.OpenEntryOf),
                View(z.OpenValues),
                View(z.OpenGradient),
                View(scale),
                View(magBias),
                View(gate.OpenGradient),
                View(scaleGradient),
                View(gateBiasGradient),
                View(magBiasGradient));
        }
    }

    private static void RequireGate(CsrMatrix gate, Tensor scale, Tensor magBias) =>
        Require(scale.Count == gate.Columns && magBias.Count == gate.Columns, "one scale and bias per latent");
}
