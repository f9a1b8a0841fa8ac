namespace MonoLoss.Data;

/// <summary>Makes arrays of .npy files and of those in a .npz file.</summary>
internal static class NpyArrays
{
    /// <summary>Describes the array in a .npy file.</summary>
    /// <param name="path">The file that messages name.</param>
    /// <param name="name">The array's name.</param>
    /// <param name="header">The header.</param>
    /// <param name="source">The whole .npy file.</param>
    /// <exception cref="CorruptException">The file is shorter or longer than the header says.</exception>
    public static StoredArray Create(string path, string name, NpyHeader header, ByteSource source)
    {
        if (header.Problem is { } problem)
        {
            return new UnreadableArray(path, name, header.Shape, header.Descr, problem);
        }

        var expected = header.Size + ((Int128)header.Count * header.ElementSize);
        if (expected != source.Length)
        {
            var shape = header.Shape.Count == 0 ? "a scalar" : string.Join("×", header.Shape);
            var difference = source.Length < expected
                ? $"{expected - source.Length} bytes are missing"
                : $"{source.Length - expected} bytes follow its array";
            throw new CorruptException($"{difference}: {shape} of '{header.Descr}' need {expected}, there are {source.Length}");
        }

        return header.Type == ElementType.Text
            ? new NpyTextArray(path, name, header, source)
            : new StridedArray(
                path,
                name,
                header.Type,
                header.Shape,
                StridedLayout.Dense(source, header.Size, header.Shape, header.BigEndian, header.Fortran));
    }
}
