namespace MonoLoss.Cli;

/// <summary>What a synthetic sample shows. Strengths are 0.5 … 1.5.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Thing">Which thing it is: an index of <see cref="SyntheticConcepts.Labels"/>.</param>
/// <param name="Family">Which family the thing belongs to.</param>
/// <param name="ThingStrength">How much of the thing it shows.</param>
/// <param name="Attributes">Its attributes, and how much it shows of each. An attribute may occur twice.</param>
internal sealed record ConceptSample(
    string Id, int Thing, int Family, double ThingStrength, IReadOnlyList<(int Attribute, double Strength)> Attributes)
{
    /// <summary>The thing's label.</summary>
    public string Label => SyntheticConcepts.Labels[Thing];
}
