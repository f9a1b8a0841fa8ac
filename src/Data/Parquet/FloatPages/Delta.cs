namespace MonoLoss.Data.Parquet;

/// <summary>
/// Decodes DELTA_BINARY_PACKED (blocks of differences, bit-packed, each miniblock with its own width), a part at a time. The data are
/// passed to every call, so that the decoder can outlive the span.
/// </summary>
internal struct DeltaReader
{
    private const int MaxBlock = 1 << 20;

    private readonly int _miniblocks;
    private readonly int _perMiniblock;
    private long _previous;
    private long _smallest;
    private bool _first;
    private int _left;
    private int _position;
    private int _widths;
    private int _miniblock;
    private int _packedStart;
    private int _width;
    private int _used;
    private int _inMiniblock;

    /// <summary>Reads the header.</summary>
    /// <param name="data">The page.</param>
    /// <param name="start">Where the encoded values start in it.</param>
    /// <param name="count">Number of values expected.</param>
    /// <exception cref="CorruptException">The header is damaged, or announces another number of values.</exception>
    public DeltaReader(ReadOnlySpan<byte> data, int start, int count)
    {
        var rest = data[start..];
        var block = Varint.Read(ref rest);
        var miniblocks = Varint.Read(ref rest);
        var found = Varint.Read(ref rest);
        _previous = Varint.ReadZigZag(ref rest);
        if (block is 0 or > MaxBlock || miniblocks == 0 || miniblocks > block || block % (miniblocks * 8) != 0)
        {
            throw new CorruptException("delta-encoded data with an invalid header");
        }

        if (found != (ulong)count)
        {
            throw new CorruptException($"delta-encoded data hold {found} values, expected {count}");
        }

        (_miniblocks, _perMiniblock) = ((int)miniblocks, (int)(block / miniblocks));
        (_first, _left, _miniblock) = (true, count, _miniblocks);
        _position = data.Length - rest.Length;
    }

    /// <summary>Reads the next values.</summary>
    /// <param name="data">The page.</param>
    /// <param name="target">Receives the values; at most as many as are left.</param>
    /// <exception cref="CorruptException">The data are damaged.</exception>
    public void Read(ReadOnlySpan<byte> data, Span<long> target)
    {
        if (_first && !target.IsEmpty)
        {
            target[0] = _previous;
            target = target[1..];
            _first = false;
            _left--;
        }

        while (!target.IsEmpty)
        {
            if (_used == _inMiniblock)
            {
                NextMiniblock(data);
            }

            var part = target[..Math.Min(_inMiniblock - _used, target.Length)];
            BitPacking.Unpack(data[_packedStart.._position], _width, _used, part);
            foreach (ref var value in part)
            {
                _previous = unchecked(_previous + _smallest + value);
                value = _previous;
            }

            _used += part.Length;
            _left -= part.Length;
            target = target[part.Length..];
        }
    }

    /// <summary>Passes over all values that are left.</summary>
    /// <returns>Where in <paramref name="data"/> they end.</returns>
    /// <exception cref="CorruptException">The data are damaged.</exception>
    public int Skip(ReadOnlySpan<byte> data)
    {
        _left -= _first && _left > 0 ? 1 : 0;
        _first = false;
        _left -= _inMiniblock - _used;
        while (_left > 0)
        {
            NextMiniblock(data);
            _left -= _inMiniblock;
        }

        return _position;
    }

    private void NextMiniblock(ReadOnlySpan<byte> data)
    {
        if (_left == 0)
        {
            throw new EndOfDataException("delta-encoded data");
        }

        if (_miniblock == _miniblocks)
        {
            var rest = data[_position..];
            _smallest = Varint.ReadZigZag(ref rest);
            if (rest.Length < _miniblocks)
            {
                throw new EndOfDataException("delta-encoded data");
            }

            _widths = data.Length - rest.Length;
            _position = _widths + _miniblocks;
            _miniblock = 0;
        }

        _width = data[_widths + _miniblock++];
        _inMiniblock = Math.Min(_perMiniblock, _left);
        _used = 0;
        // The last miniblock may be cut after the bytes that hold values.
        var bytes = (int)Math.Min((long)_perMiniblock * _width / 8, data.Length - _position);
        if (_width > 64 || bytes * 8L < (long)_inMiniblock * _width)
        {
            throw new EndOfDataException("delta-encoded data");
        }

        _packedStart = _position;
        _position += bytes;
    }
}
