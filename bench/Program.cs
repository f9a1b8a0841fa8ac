using CommandLine;
using MonoLoss.Bench;

return Parser.Default
    .ParseArguments<KernelsCommand, GemmCommand, StepsCommand, MonoScoreCommand, CompareCommand, ReportCommand, WorkerCommand>(args)
    .MapResult(
        (ICommand command) =>
        {
            try
            {
                command.Run();
                return 0;
            }
            catch (BenchException exception)
            {
                Console.Error.WriteLine($"bench: {exception.Message}");
                return 2;
            }
        },
        errors => errors.All(error => error.Tag is ErrorType.HelpRequestedError or ErrorType.HelpVerbRequestedError or ErrorType.VersionRequestedError)
            ? 0
            : 2);
