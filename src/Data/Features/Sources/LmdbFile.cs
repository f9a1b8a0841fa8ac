using System.Buffers.Binary;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>The data file of an LMDB store, for reading: the keys of its main database in order, and where their values are.</summary>
/// <remarks>
/// LMDB's own library maps the file into memory and trusts it: an offset that leads outside of it, or a file that is cut, ends the process
/// by a signal. It also needs a native library for every platform, and a lock file beside the store. The layout is small and has been the
/// same since 2011, so it is read here: bytes are checked before they are used, nothing is locked, and nothing is written.
/// </remarks>
internal sealed class LmdbFile
{
    private const uint Magic = 0xBEEFC0DE;
    private const int HeaderSize = 16;
    private const int MetaSize = HeaderSize + 136;
    private const int DefaultPage = 4096;
    private const int MaxDepth = 32;

    private const int Branch = 0x01;
    private const int Leaf = 0x02;
    private const int Overflow = 0x04;
    private const int DuplicateLeaf = 0x20;
    private const int BigData = 0x01;
    private const int SubDatabase = 0x02;
    private const int Duplicates = 0x04;

    private readonly FileBytes _bytes;
    private readonly int _page;
    private readonly ulong _root;
    private readonly ulong _last;
    private long _budget;

    /// <summary>Reads the pages that say which version of the data is the current one.</summary>
    /// <param name="bytes">The file, open; it stays the caller's.</param>
    /// <exception cref="CorruptException">It is not an LMDB store, or it is damaged.</exception>
    public LmdbFile(FileBytes bytes)
    {
        _bytes = bytes;
        var first = ReadMeta(0) ?? throw new CorruptException("it is not an LMDB store");
        _page = first.PageSize;
        if (_page is < 512 or > 1 << 16 || !int.IsPow2(_page))
        {
            throw new CorruptException($"its pages of {_page} bytes are not LMDB pages");
        }

        // The one of two that was written last is valid.
        var meta = ReadMeta(_page) is { } second && second.Transaction > first.Transaction ? second : first;
        (_root, _last, Entries) = (meta.Root, meta.LastPage, meta.Entries);
        if (meta.Flags != 0)
        {
            throw new CorruptException($"its main database has the flags {meta.Flags:x}, expected plain keys with one value each");
        }
    }

    /// <summary>Takes a key and where its value is.</summary>
    /// <param name="key">The key.</param>
    /// <param name="offset">Offset of the value in the file.</param>
    /// <param name="length">Its length in bytes.</param>
    public delegate void Take(ReadOnlySpan<byte> key, long offset, long length);

    /// <summary>Number of keys, as the store counts them.</summary>
    public ulong Entries { get; }

    /// <summary>Goes through all keys in the store's order.</summary>
    /// <exception cref="CorruptException">The store is damaged.</exception>
    public void ReadAll(Take take)
    {
        if (_root == ulong.MaxValue)
        {
            return;
        }

        // Pages that lead back to others would be read without end.
        _budget = _bytes.Length / _page;
        var buffers = new List<byte[]>();
        ReadPage(_root, 0, buffers, take);
    }

    private sealed record Meta(int PageSize, int Flags, ulong Entries, ulong Root, ulong LastPage, ulong Transaction);

    private Meta? ReadMeta(long offset)
    {
        if (_bytes.Length < offset + MetaSize)
        {
            return null;
        }

        Span<byte> page = stackalloc byte[MetaSize];
        _bytes.Read(page, offset);
        var meta = page[HeaderSize..];
        if (BinaryPrimitives.ReadUInt32LittleEndian(meta) != Magic)
        {
            return null;
        }

        // Magic, version, address, size of the map; the database of free pages, the main one; the last page, the transaction.
        var main = meta[72..];
        var version = BinaryPrimitives.ReadUInt32LittleEndian(meta[4..]);
        return version == 1
            ? new Meta(
                BinaryPrimitives.ReadInt32LittleEndian(meta[24..]),
                BinaryPrimitives.ReadUInt16LittleEndian(main[4..]),
                BinaryPrimitives.ReadUInt64LittleEndian(main[32..]),
                BinaryPrimitives.ReadUInt64LittleEndian(main[40..]),
                BinaryPrimitives.ReadUInt64LittleEndian(meta[120..]),
                BinaryPrimitives.ReadUInt64LittleEndian(meta[128..]))
            : throw new CorruptException($"it is an LMDB store of version {version}, expected 1");
    }

    private void ReadPage(ulong number, int depth, List<byte[]> buffers, Take take)
    {
        if (depth == MaxDepth || _budget-- == 0)
        {
            throw new CorruptException("its pages refer to each other in a circle");
        }

        if (buffers.Count == depth)
        {
            buffers.Add(new byte[_page]);
        }

        var page = buffers[depth];
        _bytes.Read(page, OffsetOf(number));
        var flags = BinaryPrimitives.ReadUInt16LittleEndian(page.AsSpan(10));
        var lower = BinaryPrimitives.ReadUInt16LittleEndian(page.AsSpan(12));
        var isBranch = (flags & Branch) != 0;
        if ((flags & (Branch | Leaf)) is 0 or (Branch | Leaf) || (flags & (Overflow | DuplicateLeaf)) != 0
            || BinaryPrimitives.ReadUInt64LittleEndian(page) != number || lower < HeaderSize || lower > _page)
        {
            throw new CorruptException($"page {number} is damaged");
        }

        for (var at = HeaderSize; at + 1 < lower; at += 2)
        {
            var node = BinaryPrimitives.ReadUInt16LittleEndian(page.AsSpan(at));
            if (node < lower || node + 8 > _page)
            {
                throw new CorruptException($"page {number} is damaged");
            }

            if (isBranch)
            {
                var child = BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(node)) & 0xffff_ffff_ffff;
                ReadPage(child, depth + 1, buffers, take);
            }
            else
            {
                ReadNode(page, node, number, take);
            }
        }
    }

    private void ReadNode(byte[] page, int node, ulong number, Take take)
    {
        var head = page.AsSpan(node);
        long length = BinaryPrimitives.ReadUInt32LittleEndian(head);
        var flags = BinaryPrimitives.ReadUInt16LittleEndian(head[4..]);
        var keyLength = BinaryPrimitives.ReadUInt16LittleEndian(head[6..]);
        var isBig = (flags & BigData) != 0;
        if (keyLength > head.Length - 8 || (isBig ? sizeof(ulong) : length) > head.Length - 8 - keyLength)
        {
            throw new CorruptException($"page {number} is damaged");
        }

        var key = head.Slice(8, keyLength);
        if ((flags & (SubDatabase | Duplicates)) != 0)
        {
            throw new CorruptException("it has databases with names, or several values a key, expected the official layout");
        }

        if (!isBig)
        {
            take(key, OffsetOf(number) + node + 8 + keyLength, length);
            return;
        }

        var overflow = BinaryPrimitives.ReadUInt64LittleEndian(head[(8 + keyLength)..]);
        var start = OffsetOf(overflow) + HeaderSize;
        if (length > _bytes.Length - start)
        {
            throw new CorruptException("a value lies outside of the file: it is cut off, or damaged");
        }

        take(key, start, length);
    }

    private long OffsetOf(ulong page) => page <= _last && page < (ulong)(_bytes.Length / _page)
        ? (long)page * _page
        : throw new CorruptException($"page {page} lies outside of the file: it is cut off, or damaged");
}
