using CommandLine;
using MonoLoss.Bench;

Type[] verbs =
[
    typeof(KernelsCommand), typeof(GemmCommand), typeof(StepsCommand), typeof(MonoScoreCommand), typeof(CompareCommand), typeof(ReportCommand),
    typeof(WorkerCommand),
#if ILGPU
    typeof(BoundsCommand),
#endif
];
return Parser.Default.ParseArguments(args, verbs).MapResult(
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
