using MonoLoss.Data;

namespace MonoLoss.Tests.Data;

public sealed class DatasetConfigTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Paths_are_found_beside_the_file()
    {
        File.WriteAllText(_folder["t.parquet"], "");
        File.WriteAllText(
            _folder["d.json"],
            """{"train_path": ["t.parquet", "no.parquet", "*.parquet"], "val_path": "/abs/v.parquet", "other": 1}""");
        var config = DatasetConfig.Load(_folder["d.json"]);
        Assert.Equal([_folder["t.parquet"], "no.parquet", _folder["*.parquet"]], config.Train);
        Assert.Equal(["/abs/v.parquet"], config.Validation);
        Assert.Empty(config.Test);
    }

    [Theory]
    [InlineData("[1]", "found a list, expected an object")]
    [InlineData("{}", "none of train_path")]
    [InlineData("{\"train_path\": 3}", "train_path: found a number")]
    [InlineData("{\"train_path\": [\"a\", null]}", "train_path: found null")]
    [InlineData("{\"train_path\": \"\"}", "train_path: found an empty string")]
    [InlineData("{\n\"train_path\"}", "not JSON: line 2")]
    public void Bad_configuration_gives_one_line(string json, string problem)
    {
        File.WriteAllText(_folder["d.json"], json);
        Throws.Line(() => DatasetConfig.Load(_folder["d.json"]), "d.json", problem);
        Throws.Line(() => DatasetConfig.Load(_folder["e.json"]), "e.json: no such file");
    }
}
