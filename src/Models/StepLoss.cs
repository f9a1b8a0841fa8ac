using MonoLoss.Autodiff;

namespace MonoLoss.Models;

/// <summary>The loss of a batch and its parts.</summary>
/// <remarks>Read the numbers after the backward pass: it forms MonoLoss, and reading earlier takes a separate pass.</remarks>
/// <param name="Total">The loss that is differentiated.</param>
/// <param name="Reconstruction">Mean squared error; NMSE for TopK.</param>
/// <param name="Auxiliary">The auxiliary loss without its coefficient; null if there was none.</param>
/// <param name="Sparsity">L1 or L0 without its coefficient; null for models without a sparsity penalty.</param>
/// <param name="Mono">MonoLoss without its coefficient; null when it is off.</param>
/// <param name="L0">Mean number of active latents per row.</param>
public readonly record struct StepLoss(
    Scalar Total, Scalar Reconstruction, Scalar? Auxiliary, Scalar? Sparsity, MonoLossResult? Mono, Scalar L0);
