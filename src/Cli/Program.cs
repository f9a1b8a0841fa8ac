using System.Globalization;
using System.Runtime.InteropServices;
using MonoLoss.Cli;
using Spectre.Console;

// The program is built without cultures, but an environment variable of .NET can bring the user's back.
CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = CultureInfo.InvariantCulture;
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.DefaultThreadCurrentUICulture = CultureInfo.InvariantCulture;

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

// What a sweep starts ends in order when the sweep does, however that is: the end of its input, a pipe from the sweep, is the request.
if (Environment.GetEnvironmentVariable(SweptProcess.Variable) is { Length: > 0 })
{
    SweptProcess.StopAtEndOfInput(stop);
}

using var output = new StandardStream(descriptor: 1, () => Console.Out);
using var error = new StandardStream(descriptor: 2, () => Console.Error);
Console.SetOut(output);
Console.SetError(error);
var exit = Application.Run(args, new CliContext(AnsiConsole.Console, error, stop.Token));
if (exit == ExitCode.Success && output.Failure is { } failure && !Application.WritesFiles(args))
{
    error.WriteLine($"monoloss: standard output cannot be written: {failure}");
    return ExitCode.BadInput;
}

return exit;
