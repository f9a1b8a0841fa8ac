namespace MonoLoss.Data;

/// <summary>What a feature file is known by wherever it lies: two files with the same fingerprint are taken for the same.</summary>
/// <param name="Rows">Its number of rows.</param>
/// <param name="Hash">XxHash64 of the last 4096 bytes before its footer, and of the footer.</param>
public readonly record struct FileFingerprint(long Rows, ulong Hash);
