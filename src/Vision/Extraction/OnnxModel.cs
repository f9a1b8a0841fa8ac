using System.IO.Hashing;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>A network in an ONNX file that takes images of batch × 3 × height × width. Thread-safe once it is open.</summary>
internal sealed class OnnxModel : IDisposable
{
    private const int Channels = 3;

    // What Hugging Face's exports call their outputs, best first: projected embedding, pooled output, all tokens.
    private static readonly string[] PooledFirst = ["image_embeds", "pooler_output", "last_hidden_state"];
    private static readonly string[] TokensFirst = ["last_hidden_state", "pooler_output", "image_embeds"];

    private readonly InferenceSession _session;
    private readonly string _input;
    private readonly bool _halfInput;
    private readonly string[] _outputs;

    private OnnxModel(string path, InferenceSession session, string? output, bool wantsTokens)
    {
        (Path, _session) = (path, session);
        var images = session.InputMetadata.Where(input => input.Value.Dimensions.Length == 4).ToList();
        if (session.InputMetadata.Count != 1 || images.Count != 1)
        {
            throw new DataException($"{path}: its inputs are {string.Join(", ", session.InputMetadata.Keys)}; expected one input of "
                + "images: export the image tower only");
        }

        var (name, metadata) = images[0];
        var shape = metadata.Dimensions;
        _input = name;
        _halfInput = metadata.ElementDataType == TensorElementType.Float16;
        if (!_halfInput && metadata.ElementDataType != TensorElementType.Float)
        {
            throw new DataException($"{path}: input '{name}' is {metadata.ElementDataType}, expected float or float16");
        }

        if (shape[1] > 0 && shape[1] != Channels)
        {
            throw new DataException($"{path}: input '{name}' is {string.Join(" × ", shape)}, expected batch × 3 × height × width");
        }

        (Batch, Height, Width) = (Fixed(shape[0]), Fixed(shape[2]), Fixed(shape[3]));
        Output = FindOutput(output, wantsTokens);
        _outputs = [Output];
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The output that is taken.</summary>
    public string Output { get; }

    /// <summary>The batch size that the model is fixed to; null if any will do.</summary>
    public int? Batch { get; }

    /// <summary>The height that the input is fixed to; null if any will do.</summary>
    public int? Height { get; }

    /// <summary>The width that the input is fixed to; null if any will do.</summary>
    public int? Width { get; }

    /// <summary>Opens a model.</summary>
    /// <param name="path">The file.</param>
    /// <param name="output">The output to take; null for the usual one.</param>
    /// <param name="wantsTokens">Whether single tokens are wanted.</param>
    /// <param name="threads">Threads of one <see cref="Run"/>.</param>
    /// <exception cref="DataException">The file is not such a model, or has no such output.</exception>
    public static OnnxModel Open(string path, string? output, bool wantsTokens, int threads)
    {
        if (!File.Exists(path))
        {
            throw new DataException($"{path}: no such file");
        }

        InferenceSession? session = null;
        try
        {
            using var options = new SessionOptions
            {
                IntraOpNumThreads = threads,
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            };
            session = new InferenceSession(path, options);
            return new OnnxModel(path, session, output, wantsTokens);
        }
        catch (OnnxRuntimeException exception)
        {
            throw Failure(path, exception);
        }
        catch
        {
            session?.Dispose();
            throw;
        }
    }

    /// <summary>XxHash64 of the file.</summary>
    /// <exception cref="DataException">It cannot be read.</exception>
    public ulong Hash()
    {
        try
        {
            using var stream = File.OpenRead(Path);
            var hash = new XxHash64();
            hash.Append(stream);
            return hash.GetCurrentHashAsUInt64();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{Path}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Runs the model.</summary>
    /// <param name="images">Count × 3 × height × width values.</param>
    /// <param name="count">Number of images.</param>
    /// <param name="height">Rows of an image.</param>
    /// <param name="width">Pixels per row.</param>
    /// <returns>The output and its shape.</returns>
    /// <exception cref="DataException">The model fails, or its output is not of floats.</exception>
    public (float[] Values, long[] Shape) Run(float[] images, int count, int height, int width)
    {
        long[] shape = [count, Channels, height, width];
        var length = count * Channels * height * width;
        try
        {
            using var input = _halfInput
                ? OrtValue.CreateTensorValueFromMemory(
                    Array.ConvertAll(images[..length], value => new Float16(BitConverter.HalfToUInt16Bits((Half)value))), shape)
                : OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, images.AsMemory(0, length), shape);
            using var options = new RunOptions();
            using var results = _session.Run(options, [_input], [input], _outputs);
            var info = results[0].GetTensorTypeAndShape();
            return (Floats(results[0], info.ElementDataType), info.Shape);
        }
        catch (OnnxRuntimeException exception)
        {
            throw Failure(Path, exception);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    private float[] Floats(OrtValue value, TensorElementType type) => type switch
    {
        TensorElementType.Float => value.GetTensorDataAsSpan<float>().ToArray(),
        TensorElementType.Float16 => Array.ConvertAll(
            MemoryMarshal.Cast<Float16, Half>(value.GetTensorDataAsSpan<Float16>()).ToArray(), half => (float)half),
        _ => throw new DataException($"{Path}: output '{Output}' is {type}, expected float or float16"),
    };

    private string FindOutput(string? name, bool wantsTokens)
    {
        var outputs = _session.OutputMetadata;
        var all = string.Join(", ", outputs.Keys);
        if (name is not null)
        {
            return outputs.ContainsKey(name) ? name : throw new DataException($"{Path}: no output '{name}'; it has {all}");
        }

        return outputs.Count == 1
            ? outputs.Keys.First()
            : (wantsTokens ? TokensFirst : PooledFirst).FirstOrDefault(outputs.ContainsKey)
                ?? throw new DataException($"{Path}: it has several outputs: {all}; name one with --output");
    }

    private static int? Fixed(int dimension) => dimension > 0 ? dimension : null;

    private static DataException Failure(string path, OnnxRuntimeException exception) =>
        new($"{path}: ONNX Runtime: {exception.Message.Split('\n')[0]}", exception);
}
