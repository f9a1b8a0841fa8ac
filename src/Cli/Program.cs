using System.Runtime.InteropServices;
using MonoLoss.Cli;
using Spectre.Console;

// The first Ctrl-C asks for an orderly end, the second does not wait for it. SIGTERM is the same request from another program,
// and SIGHUP from a terminal that closes.
using var stop = new CancellationTokenSource();
void OnSignal(PosixSignalContext signal)
{
    if (!stop.IsCancellationRequested)
    {
        signal.Cancel = true;
        stop.Cancel();
    }
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);
return Application.Run(args, new CliContext(AnsiConsole.Console, Console.Error, stop.Token));
