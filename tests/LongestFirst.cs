using MonoLoss.Tests;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(LongestFirst))]

namespace MonoLoss.Tests;

/// <summary>Starts the longest collections first, so that two cores finish at about the same time.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    // The PTX suites, then those that train or that run ILGPU's simulation.
    private static readonly string[] Long = ["PTX", "PtxCost", "ILGPU", "GoldenCli", "RunTests", "ResumeTests", "Conformance", "Ilgpu"];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection => [.. testCollections.OrderBy(collection => Rank(collection.TestCollectionDisplayName))];

    private static int Rank(string name)
    {
        var rank = Array.FindIndex(Long, part => name.Contains(part, StringComparison.Ordinal));
        return rank < 0 ? Long.Length : rank;
    }
}
