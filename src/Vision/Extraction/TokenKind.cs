namespace MonoLoss.Vision;

/// <summary>Which of a model's tokens become features.</summary>
public enum TokenKind
{
    /// <summary>The class token: the first one.</summary>
    Cls,

    /// <summary>The mean of the patch tokens.</summary>
    Mean,

    /// <summary>Every patch token, a row each.</summary>
    Patches,

    /// <summary>Every token, a row each.</summary>
    All,
}
