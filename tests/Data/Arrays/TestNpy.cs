using System.Buffers.Binary;
using System.Text;

namespace MonoLoss.Tests.Data.Arrays;

/// <summary>Builds .npy files.</summary>
internal static class TestNpy
{
    /// <summary>A file with this header and data.</summary>
    public static byte[] File(string descr, string shape, byte[] data, bool fortran = false, int version = 1) =>
        WithHeader($"{{'descr': {descr}, 'fortran_order': {(fortran ? "True" : "False")}, 'shape': {shape}, }}\n", data, version);

    /// <summary>A file with this header, as it is, and data.</summary>
    public static byte[] WithHeader(string header, byte[] data, int version = 1)
    {
        var text = Encoding.UTF8.GetBytes(header);
        var length = new byte[version == 1 ? 2 : 4];
        if (version == 1)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)text.Length);
        }
        else
        {
            BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)text.Length);
        }

        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. length, .. text, .. data];
    }
}
