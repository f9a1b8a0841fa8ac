using System.Globalization;
using System.IO.Compression;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace MonoLoss.Tests.Packaging;

/// <summary>Tests the packages as users get them, installed from a folder without access to a feed.</summary>
[Trait("Speed", "Slow")]
public sealed class PackageTests(BuiltPackages packages) : IClassFixture<BuiltPackages>
{
    private static readonly string[] Libraries = ["Autodiff", "Data", "Kernels", "Models"];

    [Fact]
    public void Tool_installs_and_runs()
    {
        BuiltPackages.SkipWithoutBuild();
        packages.RunIsolated(
            "dotnet", packages.Feed, "tool", "install", "MonoLoss.Tool", "--tool-path", packages["tools"], "--version", packages.Version,
            "--configfile", packages["nuget.config"]);
        var command = Path.Combine(packages["tools"], OperatingSystem.IsWindows() ? "monoloss.exe" : "monoloss");
        Assert.Matches(
            $@"^monoloss {Regex.Escape(packages.Version)}(\+[0-9a-f]+)?\s*$", packages.RunIsolated(command, packages.Feed, "--version"));
        var devices = packages.RunIsolated(command, packages.Feed, "devices");
        Assert.All(["cpu", "cuda", "opencl", "ilgpu-cpu"], device => Assert.Contains(device, devices, StringComparison.Ordinal));
    }

    [Fact]
    public void Library_trains_in_the_program_of_its_readme()
    {
        BuiltPackages.SkipWithoutBuild();
        using var archive = ZipFile.OpenRead(packages.Library);
        using var reader = new StreamReader(archive.GetEntry("README.md")!.Open());
        var code = Regex.Match(reader.ReadToEnd(), "```csharp\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        var folder = Directory.CreateDirectory(packages["program"]).FullName;
        File.WriteAllText(Path.Combine(folder, "Program.cs"), code);
        File.WriteAllText(
            Path.Combine(folder, "Program.csproj"),
            $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <InvariantGlobalization>true</InvariantGlobalization>
                <UseAppHost>false</UseAppHost>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="MonoLoss" Version="{packages.Version}" />
              </ItemGroup>
            </Project>
            """);
        packages.RunIsolated(
            "dotnet", folder, "build", "-o", packages["built"], $"-p:RestoreConfigFile={packages["nuget.config"]}",
            "-p:UseSharedCompilation=false");
        var output = packages.RunIsolated("dotnet", folder, Path.Combine(packages["built"], "Program.dll"));
        var losses = Regex.Matches(output, @"loss ([0-9.]+)")
            .Select(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))
            .ToList();
        Assert.True(losses.Count > 1 && losses[^1] < losses[0], output);
    }

    [Fact]
    public void Library_holds_assemblies_documentation_and_symbols()
    {
        BuiltPackages.SkipWithoutBuild();
        using var archive = ZipFile.OpenRead(packages.Library);
        using var symbols = ZipFile.OpenRead(packages.Symbols);
        Assert.Equal(
            Libraries.SelectMany(name => new[] { $"MonoLoss.{name}.dll", $"MonoLoss.{name}.xml" }),
            Names(archive));
        Assert.Equal(Libraries.Select(name => $"MonoLoss.{name}.pdb"), Names(symbols));

        static IEnumerable<string> Names(ZipArchive archive) =>
            archive.Entries.Where(entry => entry.FullName.StartsWith("lib/net10.0/", StringComparison.Ordinal)).Select(entry => entry.Name)
                .Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Library_depends_on_what_its_projects_reference()
    {
        BuiltPackages.SkipWithoutBuild();
        using var archive = ZipFile.OpenRead(packages.Library);
        using var stream = archive.GetEntry("MonoLoss.nuspec")!.Open();
        var dependencies = XDocument.Load(stream).Descendants().Where(element => element.Name.LocalName == "dependency")
            .Select(element => element.Attribute("id")!.Value);
        var references = Libraries
            .Select(name => XDocument.Load(Path.Combine(SourceTree.Root!, "src", name, $"{name}.csproj")))
            .SelectMany(project => project.Descendants("PackageReference"))
            .Select(element => element.Attribute("Include")!.Value);
        Assert.Equal(references.Distinct().Order(StringComparer.Ordinal), dependencies.Order(StringComparer.Ordinal));
    }
}
