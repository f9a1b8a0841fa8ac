using System.Text;
using MonoLoss.Tests.Data;
using MonoLoss.Tests.Data.Arrays;
using MonoLoss.Tests.Data.Sources;

namespace MonoLoss.Tests.Cli;

/// <summary>Features that are not Parquet through the command: convert, and labels from a second file.</summary>
public sealed class ConvertTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Converted_features_are_those_of_the_source()
    {
        SourceFiles.WriteArrow(_folder["a.arrow"], true, null, 7, 13);
        var outcome = Convert(_folder["a.arrow"]);
        Assert.Equal(0, outcome.Exit);
        Assert.Contains("4 of 20 rows have no label", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("columns features, id, ", outcome.Output, StringComparison.Ordinal);
        var set = SourceFiles.Open(_folder["out.parquet"]);
        Assert.Equal(SourceFiles.Values, SourceFiles.Read(set));
        Assert.Equal(SourceFiles.Labels(SourceFiles.Open(_folder["a.arrow"])), SourceFiles.Labels(set));
        Assert.Equal(Enumerable.Range(0, 20).Select(row => $"{row}"), SourceFiles.Labels(SourceFiles.Open(_folder["out.parquet"],
            label: "id")));
    }

    [Fact]
    public void Many_row_groups_and_files_become_one_file()
    {
        // More than one row group of 16 MiB.
        const int Rows = 3000;
        const int Dimension = 2048;
        var values = RunFiles.Features(Rows, Dimension);
        File.WriteAllBytes(_folder["big.npy"], TestNpy.File("'<f4'", $"({Rows}, {Dimension})",
            [.. values.SelectMany(BitConverter.GetBytes)]));
        File.WriteAllLines(_folder["l.txt"], Enumerable.Range(0, Rows).Select(row => $"class {row % 3}"));
        Convert(_folder["big.npy"], "--labels", _folder["l.txt"]).Succeeded();
        var set = SourceFiles.Open(_folder["out.parquet"]);
        Assert.Equal(2, set.RowGroups.Count);
        Assert.Equal(values, SourceFiles.Read(set));
        Assert.Equal(File.ReadAllLines(_folder["l.txt"]), SourceFiles.Labels(set));
    }

    [Fact]
    public void Bad_input_leaves_no_file()
    {
        File.WriteAllText(_folder["x.csv"], "f0,f1\n1,2\n3,\n");
        Convert(_folder["x.csv"]).Refused("x.csv", "'f1', row 1");
        Convert(_folder["y.npy"]).Refused("y.npy", "no such file");
        Convert(_folder["x.csv"], "--no-labels", "--labels", _folder["x.csv"]).Refused("--labels");
        Assert.Equal(["x.csv"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
        Monoloss.Run(["convert", _folder["x.csv"], "--out", _folder["x.npy"]]).Refused("--out", ".parquet");
    }

    [Fact]
    public void Labels_of_each_split_come_from_its_own_file()
    {
        var text = new StringBuilder();
        var values = RunFiles.Features(100, 4);
        for (var row = 0; row < 100; row++)
        {
            text.AppendLine(FormattableString.Invariant(
                $"{values[row * 4]},{values[(row * 4) + 1]},{values[(row * 4) + 2]},{values[(row * 4) + 3]}"));
        }

        File.WriteAllText(_folder["x.csv"], text.ToString());
        File.WriteAllLines(_folder["l.txt"], Enumerable.Range(0, 100).Select(row => $"{row % 2}"));
        string[] train =
        [
            "train", "--train", _folder["x.csv"], "--val", _folder["x.csv"], "--out", _folder["run"], "--latents", "8", "-k", "2",
            "--batch-size", "50", "--epochs", "1",
        ];
        Monoloss.Run([.. train, "--test-labels", _folder["l.txt"]]).Refused("--test-labels");
        Monoloss.Run([.. train, "--val-labels", _folder["l.txt"]]).Succeeded();
        Assert.Contains("\"purity_binary\": 0.", File.ReadAllText(Path.Combine(_folder["run"], "results.json")), StringComparison.Ordinal);
        var eval = Monoloss.Run(["eval", "--run", _folder["run"], "--data", _folder["x.csv"], "--labels", _folder["l.txt"]]).Succeeded();
        Assert.Contains("purity", eval.Output, StringComparison.Ordinal);
        File.AppendAllText(_folder["l.txt"], "1\n");
        Monoloss.Run(["eval", "--run", _folder["run"], "--data", _folder["x.csv"], "--labels", _folder["l.txt"]])
            .Refused("l.txt", "101 labels", "expected 100");
    }

    private Outcome Convert(params string[] args) => Monoloss.Run(["convert", .. args, "--out", _folder["out.parquet"]]);
}
