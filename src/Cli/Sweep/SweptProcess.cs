namespace MonoLoss.Cli;

/// <summary>What the process of a run does for the sweep that has started it.</summary>
internal static class SweptProcess
{
    /// <summary>Set to 1 where standard input is a pipe from a sweep.</summary>
    public const string Variable = "MONOLOSS_SWEPT";

    /// <summary>
    /// Stops at the end of standard input: when the sweep closes the pipe, or is gone. Unlike signals this also works on Windows, and for
    /// a sweep that was killed.
    /// </summary>
    /// <param name="stop">What is canceled.</param>
    public static void StopAtEndOfInput(CancellationTokenSource stop)
    {
        void Read()
        {
            try
            {
                using var input = Console.OpenStandardInput();
                while (input.ReadByte() >= 0)
                {
                }
            }
            catch (IOException)
            {
                // A pipe that broke has ended too.
            }

            try
            {
                stop.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The run is over.
            }
        }

        new Thread(Read) { IsBackground = true, Name = "end of input" }.Start();
    }
}
