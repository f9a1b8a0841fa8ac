using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Arrays;

/// <summary>The files of ../shared/interop/pt, written by torch.</summary>
public sealed class SharedTorchTests
{
    public static TheoryData<string> Readable => SharedData.Folder is null
        ? []
        : [.. Directory.GetFiles(SharedData.File("interop", "pt"), "*.safetensors").Select(f => Path.GetFileNameWithoutExtension(f)!)];

    [SharedDataTheory(SkipTestWithoutData = true)]
    [MemberData(nameof(Readable))]
    public void Tensors_equal_their_twins(string name)
    {
        using var torch = TorchFile.Open(SharedData.File("interop", "pt", name + ".pt"));
        using var twin = SafetensorsArrays.Open(SharedData.File("interop", "pt", name + ".safetensors"));
        Assert.Equal(
            twin.Arrays.Select(array => array.Name).Order(StringComparer.Ordinal),
            torch.Arrays.Select(array => array.Name).Order(StringComparer.Ordinal));
        foreach (var array in torch.Arrays)
        {
            AssertEqual(twin.Find(array.Name), array);
        }
    }

    [SharedDataTheory]
    [InlineData("refuse_code_system", "os.system")]
    [InlineData("refuse_code_eval", "eval")]
    [InlineData("refuse_whole_module", "torch.nn.modules.linear.Linear")]
    [InlineData("refuse_legacy_format", "legacy")]
    [InlineData("refuse_protocol_4", "protocol 4")]
    [InlineData("refuse_sparse_tensor", "sparse")]
    [InlineData("refuse_quantized", "quantized")]
    [InlineData("refuse_complex", "complex")]
    [InlineData("refuse_truncated", "cut off")]
    [InlineData("refuse_short_storage", "storage 'data/0' has 16 bytes; 35 elements of float32 are 140")]
    public void Others_are_refused_by_name(string name, string word)
    {
        var path = SharedData.File("interop", "pt", name + ".pt");
        Throws.Line(() => TorchFile.Open(path).Dispose(), path, word);
    }

    [SharedDataFact]
    public void Every_file_is_tested()
    {
        var names = Directory.GetFiles(SharedData.File("interop", "pt"), "*.pt").Select(path => Path.GetFileNameWithoutExtension(path)!);
        var method = GetType().GetMethod(nameof(Others_are_refused_by_name))!;
        var refused = method.GetCustomAttributes(typeof(InlineDataAttribute), false).Cast<InlineDataAttribute>()
            .Select(data => (string)data.Data[0]!);
        Assert.Equal(names.Order(StringComparer.Ordinal), Readable.Select(row => row.Data).Concat(refused).Order(StringComparer.Ordinal));
    }

    [SharedDataFact]
    public void Values_beside_tensors_are_kept()
    {
        using var file = TorchFile.Open(SharedData.File("interop", "pt", "nested.pt"));
        Assert.Equal(TorchKind.Dictionary, file.Root.Kind);
        Assert.Equal(TorchKind.Tensor, file.Root["model_state_dict"]!["W"]!.Kind);
        Assert.Equal(300, file.Root["longer text"]!.Text!.Length);
        var group = file.Root["groups"]!.Items[0];
        Assert.Equal(0.001, group["lr"]!.Number);
        Assert.Equal([0L, 1L], group["params"]!.Items.Select(item => item.Integer!.Value));
        Assert.Equal(TorchKind.Tuple, group["betas"]!.Kind);
        Assert.Equal([0, 1], file.Lists.Single(list => list.Name == "groups.0.params").ReadIntegers());
    }

    [SharedDataFact]
    public void All_other_torch_files_open()
    {
        foreach (var folder in (string[])["saev", "dictionary_learning", "monoloss_official", "saelens"])
        {
            foreach (var path in Directory.GetFiles(SharedData.File("interop", folder), "*.pt", SearchOption.AllDirectories))
            {
                using var file = TorchFile.Open(path);
                Assert.Equal(path.EndsWith("sae.pt", StringComparison.Ordinal), file.LeadingLine?.StartsWith('{') == true);
                Assert.All(file.Arrays.Where(array => array.Type.ToString() != "Boolean"), array => array.ReadDoubles());
            }
        }
    }

    private static void AssertEqual(StoredArray expected, StoredArray actual)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        Assert.Equal(expected.Type, actual.Type);
        if (expected.Type is >= ElementType.Float16 and <= ElementType.Float64)
        {
            Assert.Equal(
                expected.ReadDoubles().Select(BitConverter.DoubleToInt64Bits), actual.ReadDoubles().Select(BitConverter.DoubleToInt64Bits));
            Assert.Equal(
                expected.ReadFloats().Select(BitConverter.SingleToInt32Bits), actual.ReadFloats().Select(BitConverter.SingleToInt32Bits));
        }
        else
        {
            Assert.Equal(expected.ReadIntegers(), actual.ReadIntegers());
        }
    }
}
