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
        errors => errors.IsHelp() || errors.IsVersion() ? 0 : 2);
