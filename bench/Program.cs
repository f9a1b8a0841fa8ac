using CommandLine;
using MonoLoss.Bench;
using MonoLoss.Kernels;

Type[] verbs =
[
    typeof(KernelsCommand), typeof(GemmCommand), typeof(StepsCommand), typeof(MonoScoreCommand), typeof(CompareCommand),
    typeof(ReportCommand),
    typeof(WorkerCommand),
    typeof(FeaturesCommand), typeof(ExtractCommand), typeof(FuzzCommand), typeof(KillCommand), typeof(InteropCommand),
    typeof(GpuCommand), typeof(BoundsCommand), typeof(PtxCommand),
];
return Parser.Default.ParseArguments(args, verbs).MapResult(
    (ICommand command) =>
    {
        try
        {
            command.Run();
            return Environment.ExitCode;
        }
        catch (Exception exception) when (exception is BenchException or DeviceException)
        {
            Console.Error.WriteLine($"bench: {exception.Message}");
            return 2;
        }
    },
    errors => errors.IsHelp() || errors.IsVersion() ? 0 : 2);
