using System.Runtime.InteropServices;
using MonoLoss.Tests.Cli;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>The messages of the command line for an OpenCL installation without a device.</summary>
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
public sealed class OpenCLDriverTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [UnixTheory]
    [InlineData(null)]
    [InlineData("/absent/driver.so")]
    public void Installation_without_a_working_driver_is_named_as_the_reason(string? driver)
    {
        Assert.SkipUnless(NativeLibrary.TryLoad("libOpenCL.so.1", out _), "libOpenCL is not installed");
        Directory.CreateDirectory(_folder["vendors"]);
        if (driver is not null)
        {
            File.WriteAllText(Path.Combine(_folder["vendors"], "driver.icd"), driver);
        }

        using var process = Monoloss.Start(
            $"export OCL_ICD_VENDORS='{_folder["vendors"]}'", "train", "--train", RunFiles.Write(_folder), "--device", "opencl");
        Monoloss.Finish(process).Refused("no opencl device found", "no vendor's driver is registered");
    }
}
