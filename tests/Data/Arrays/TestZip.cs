using System.IO.Compression;
using System.IO.Hashing;
using System.Text;

namespace MonoLoss.Tests.Data.Arrays;

/// <summary>Builds zip archives, with what real writers leave to chance under control.</summary>
internal sealed class TestZip
{
    private readonly List<(string Name, byte[] Data)> _entries = [];

    /// <summary>Whether entries are deflated.</summary>
    public bool Deflated { get; init; }

    /// <summary>Whether all sizes and offsets stand in zip64 fields.</summary>
    public bool Zip64 { get; init; }

    /// <summary>Whether sizes and CRC follow the data, as torch writes them.</summary>
    public bool Descriptors { get; init; }

    /// <summary>What is put before the archive.</summary>
    public string Before { get; init; } = "";

    /// <summary>Added to every CRC-32.</summary>
    public uint WrongCrc { get; init; }

    /// <summary>Adds an entry.</summary>
    public TestZip Add(string name, byte[] data)
    {
        _entries.Add((name, data));
        return this;
    }

    /// <summary>Adds an entry of ASCII text.</summary>
    public TestZip Add(string name, string text) => Add(name, Encoding.ASCII.GetBytes(text));

    /// <summary>The archive.</summary>
    public byte[] Build()
    {
        var stream = new MemoryStream();
        var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Encoding.UTF8.GetBytes(Before));
        var start = stream.Position;
        var directory = new MemoryStream();
        var central = new BinaryWriter(directory, Encoding.UTF8);
        foreach (var (name, data) in _entries)
        {
            var offset = stream.Position - start;
            var packed = Deflated ? Deflate(data) : data;
            var crc = Crc32.HashToUInt32(data) + WrongCrc;
            writer.Write(0x04034b50u);
            WriteCommon(writer, name, Descriptors ? 0 : crc, Descriptors ? 0u : (uint)packed.Length, Descriptors ? 0u : (uint)data.Length);
            writer.Write((ushort)0);
            writer.Write(Encoding.UTF8.GetBytes(name));
            writer.Write(packed);
            if (Descriptors)
            {
                writer.Write(0x08074b50u);
                writer.Write(crc);
                writer.Write((uint)packed.Length);
                writer.Write((uint)data.Length);
            }

            central.Write(0x02014b50u);
            central.Write((ushort)45);
            WriteCommon(central, name, crc, Zip64 ? uint.MaxValue : (uint)packed.Length, Zip64 ? uint.MaxValue : (uint)data.Length);
            central.Write((ushort)(Zip64 ? 28 : 0));
            central.Write((ushort)0);
            central.Write((ushort)0);
            central.Write((ushort)0);
            central.Write(0u);
            central.Write(Zip64 ? uint.MaxValue : (uint)offset);
            central.Write(Encoding.UTF8.GetBytes(name));
            if (Zip64)
            {
                central.Write((ushort)1);
                central.Write((ushort)24);
                central.Write((long)data.Length);
                central.Write((long)packed.Length);
                central.Write(offset);
            }
        }

        WriteEnd(writer, directory.ToArray(), stream.Position - start);
        return stream.ToArray();
    }

    private static byte[] Deflate(byte[] data)
    {
        var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            deflate.Write(data);
        }

        return packed.ToArray();
    }

    private void WriteCommon(BinaryWriter writer, string name, uint crc, uint packed, uint size)
    {
        writer.Write((ushort)45);
        writer.Write((ushort)(0x800 | (Descriptors ? 8 : 0)));
        writer.Write((ushort)(Deflated ? 8 : 0));
        writer.Write(0x210000u);
        writer.Write(crc);
        writer.Write(packed);
        writer.Write(size);
        writer.Write((ushort)Encoding.UTF8.GetByteCount(name));
    }

    private void WriteEnd(BinaryWriter writer, byte[] directory, long offset)
    {
        writer.Write(directory);
        if (Zip64)
        {
            writer.Write(0x06064b50u);
            writer.Write(44L);
            writer.Write(0x002d002du);
            writer.Write(0L);
            writer.Write((long)_entries.Count);
            writer.Write((long)_entries.Count);
            writer.Write((long)directory.Length);
            writer.Write(offset);
            writer.Write(0x07064b50u);
            writer.Write(0u);
            writer.Write(offset + directory.Length);
            writer.Write(1u);
        }

        writer.Write(0x06054b50u);
        writer.Write(0u);
        writer.Write(Zip64 ? ushort.MaxValue : (ushort)_entries.Count);
        writer.Write(Zip64 ? ushort.MaxValue : (ushort)_entries.Count);
        writer.Write(Zip64 ? uint.MaxValue : (uint)directory.Length);
        writer.Write(Zip64 ? uint.MaxValue : (uint)offset);
        writer.Write((ushort)0);
    }
}
