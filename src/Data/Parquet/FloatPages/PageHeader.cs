using Parquet.Meta;

namespace MonoLoss.Data.Parquet;

/// <summary>The header of a page, of any type.</summary>
internal struct PageHeader
{
    /// <summary>The type of the page.</summary>
    public PageType Type;

    /// <summary>Bytes of the page once decompressed, levels included.</summary>
    public int UncompressedSize;

    /// <summary>Bytes of the page in the file, without this header.</summary>
    public int CompressedSize;

    /// <summary>CRC-32 of the page as it is in the file; null if the writer made none.</summary>
    public uint? Crc;

    /// <summary>Number of values, nulls and empty lists included.</summary>
    public int Values;

    /// <summary>The encoding of the values.</summary>
    public Encoding Encoding;

    /// <summary>The encoding of the definition levels.</summary>
    public Encoding DefinitionEncoding;

    /// <summary>The encoding of the repetition levels.</summary>
    public Encoding RepetitionEncoding;

    /// <summary>Bytes of the definition levels of a V2 page.</summary>
    public int DefinitionLength;

    /// <summary>Bytes of the repetition levels of a V2 page.</summary>
    public int RepetitionLength;

    /// <summary>Whether the values of a V2 page are compressed.</summary>
    public bool IsCompressed;

    /// <summary>Decodes a header.</summary>
    /// <param name="bytes">Bytes that start with the header.</param>
    /// <param name="length">Bytes of the header.</param>
    /// <exception cref="CorruptException">The header is damaged.</exception>
    public static PageHeader Read(ReadOnlySpan<byte> bytes, out int length)
    {
        var reader = new ThriftReader(bytes);
        var header = new PageHeader { Type = (PageType)(-1), UncompressedSize = -1, CompressedSize = -1, IsCompressed = true };
        var details = (PageType)(-1);
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    header.Type = (PageType)reader.ReadI32(type);
                    break;
                case 2:
                    header.UncompressedSize = reader.ReadI32(type);
                    break;
                case 3:
                    header.CompressedSize = reader.ReadI32(type);
                    break;
                case 4:
                    header.Crc = (uint)reader.ReadI32(type);
                    break;
                case 5 or 7 or 8:
                    details = id switch { 5 => PageType.DATA_PAGE, 7 => PageType.DICTIONARY_PAGE, _ => PageType.DATA_PAGE_V2 };
                    reader.ReadStruct(type);
                    header.ReadDetails(ref reader, details);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        length = reader.Position;
        if (header.UncompressedSize < 0 || header.CompressedSize < 0 || header.Values < 0
            || (header.Type != PageType.INDEX_PAGE && header.Type != details)
            || header.DefinitionLength < 0 || header.RepetitionLength < 0)
        {
            throw new CorruptException("a page has an invalid header");
        }

        return header;
    }

    private void ReadDetails(ref ThriftReader reader, PageType page)
    {
        Values = -1;
        DefinitionEncoding = RepetitionEncoding = Encoding.RLE;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, page)
            {
                case (1, _):
                    Values = reader.ReadI32(type);
                    break;
                case (2, PageType.DATA_PAGE or PageType.DICTIONARY_PAGE) or (4, PageType.DATA_PAGE_V2):
                    Encoding = (Encoding)reader.ReadI32(type);
                    break;
                case (3, PageType.DATA_PAGE):
                    DefinitionEncoding = (Encoding)reader.ReadI32(type);
                    break;
                case (4, PageType.DATA_PAGE):
                    RepetitionEncoding = (Encoding)reader.ReadI32(type);
                    break;
                case (5, PageType.DATA_PAGE_V2):
                    DefinitionLength = reader.ReadI32(type);
                    break;
                case (6, PageType.DATA_PAGE_V2):
                    RepetitionLength = reader.ReadI32(type);
                    break;
                case (7, PageType.DATA_PAGE_V2):
                    IsCompressed = reader.ReadBool(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }
    }
}
