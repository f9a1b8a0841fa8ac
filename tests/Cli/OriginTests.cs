using System.Text.Json.Nodes;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Cli;

/// <summary>What files say about the network that their features are of goes with the model.</summary>
public sealed class OriginTests : IDisposable
{
    private const int Dimension = 16;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Origin_of_features_is_in_the_run_and_in_its_exports()
    {
        var data = Write("x.parquet", layer: "blocks.11");
        Train("run", data);
        Monoloss.Run("export", "--run", _folder["run"], "--format", "saelens", "--out", _folder["exported"]).Succeeded();

        foreach (var folder in new[] { "run", "exported" })
        {
            var metadata = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder[folder], "cfg.json")))!["metadata"]!;
            Assert.Equal(
                ("dino.onnx", "blocks.11", "cls"),
                ((string?)metadata["model_name"], (string?)metadata["hook_name"], (string?)metadata["token"]));
        }

        Assert.Contains("| hook_name | blocks.11 |", File.ReadAllText(Path.Combine(_folder["exported"], "README.md")));
    }

    [Fact]
    public void What_files_do_not_agree_on_is_left_out()
    {
        Train("run", Write("a.parquet", layer: "blocks.11"), Write("b.parquet", layer: "blocks.10"));

        var metadata = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder["run"], "cfg.json")))!["metadata"]!;
        Assert.Equal(("dino.onnx", null), ((string?)metadata["model_name"], (string?)metadata["hook_name"]));
    }

    [Fact]
    public void Conversion_keeps_the_origin()
    {
        var data = Write("x.parquet", layer: "blocks.11");
        Monoloss.Run("convert", "--source", data, "--out", _folder["y.parquet"]).Succeeded();

        Assert.Equal(FeatureSet.Open([data]).Origin, FeatureSet.Open([_folder["y.parquet"]]).Origin);
        Assert.Equal(3, FeatureSet.Open([data]).Origin.Count);
    }

    private string Write(string name, string layer)
    {
        var metadata = new Dictionary<string, string>
        {
            ["monoloss.model"] = "dino.onnx", ["monoloss.layer"] = layer, ["monoloss.token"] = "cls",
        };
        using var writer = new ParquetRowWriter(_folder[name], new ParquetWriterOptions { Metadata = metadata });
        writer.Write([ParquetData.FloatLists("features", RunFiles.Features(64, Dimension), Dimension)]);
        writer.Commit();
        return _folder[name];
    }

    private void Train(string run, params string[] files) => Monoloss.Run(
        ["train", "--train", .. files, "--out", _folder[run], "--latents", "20", "-k", "4", "--batch-size", "32", "--epochs", "1"]).Succeeded();
}
