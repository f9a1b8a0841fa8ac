using System.Globalization;

namespace MonoLoss.Data;

/// <summary>Reads the Python dict in a .npy header: the keys descr, fortran_order and shape, nothing else.</summary>
internal ref struct NpyLiteral(ReadOnlySpan<char> text)
{
    private ReadOnlySpan<char> _rest = text;

    /// <summary>The element type: a text such as &lt;f4, or what stands there instead (a list describes a record).</summary>
    public string? Descr { get; private set; }

    /// <summary>Whether <see cref="Descr"/> is a text.</summary>
    public bool IsSimple { get; private set; }

    /// <summary>Whether the first dimension is the fastest.</summary>
    public bool? Fortran { get; private set; }

    /// <summary>The dimensions.</summary>
    public List<long>? Shape { get; private set; }

    /// <summary>Reads the dict.</summary>
    /// <exception cref="CorruptException">It is not one, or has other keys.</exception>
    public void Read()
    {
        Expect('{');
        while (!Take('}'))
        {
            var key = ReadText();
            Expect(':');
            switch (key)
            {
                case "descr" when Descr is null:
                    ReadDescr();
                    break;
                case "fortran_order" when Fortran is null:
                    Fortran = ReadBoolean();
                    break;
                case "shape" when Shape is null:
                    Shape = ReadShape();
                    break;
                default:
                    throw Bad();
            }

            if (!Take(','))
            {
                Expect('}');
                break;
            }
        }

        if (!_rest.Trim().IsEmpty || Descr is null || Fortran is null || Shape is null)
        {
            throw Bad();
        }
    }

    private static CorruptException Bad() => new("its header is damaged");

    private void ReadDescr()
    {
        SkipSpace();
        IsSimple = !_rest.IsEmpty && _rest[0] is '\'' or '"';
        Descr = IsSimple ? ReadText() : ReadBracketed();
    }

    private string ReadBracketed()
    {
        var depth = 0;
        for (var i = 0; i < _rest.Length; i++)
        {
            depth += _rest[i] switch
            {
                '[' or '(' => 1,
                ']' or ')' => -1,
                _ => 0,
            };
            if (depth <= 0)
            {
                if (i == 0)
                {
                    break;
                }

                var text = _rest[..(i + 1)].ToString();
                _rest = _rest[(i + 1)..];
                return text;
            }
        }

        throw Bad();
    }

    private string ReadText()
    {
        SkipSpace();
        if (_rest.IsEmpty || _rest[0] is not ('\'' or '"'))
        {
            throw Bad();
        }

        var end = _rest[1..].IndexOf(_rest[0]);
        if (end < 0)
        {
            throw Bad();
        }

        var text = _rest.Slice(1, end).ToString();
        _rest = _rest[(end + 2)..];
        return text;
    }

    private bool ReadBoolean()
    {
        SkipSpace();
        foreach (var value in (ReadOnlySpan<bool>)[true, false])
        {
            var word = value ? "True" : "False";
            if (_rest.StartsWith(word, StringComparison.Ordinal))
            {
                _rest = _rest[word.Length..];
                return value;
            }
        }

        throw Bad();
    }

    private List<long> ReadShape()
    {
        var shape = new List<long>();
        Expect('(');
        while (!Take(')'))
        {
            SkipSpace();
            var digits = 0;
            while (digits < _rest.Length && char.IsAsciiDigit(_rest[digits]))
            {
                digits++;
            }

            if (!long.TryParse(_rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out var dimension))
            {
                throw Bad();
            }

            shape.Add(dimension);
            _rest = _rest[digits..];
            // Python 2 marks a long integer.
            Take('L');
            if (!Take(','))
            {
                // One number in parentheses is not a tuple.
                if (shape.Count == 1)
                {
                    throw Bad();
                }

                Expect(')');
                break;
            }
        }

        return shape;
    }

    private void Expect(char wanted)
    {
        if (!Take(wanted))
        {
            throw Bad();
        }
    }

    private bool Take(char wanted)
    {
        SkipSpace();
        if (_rest.IsEmpty || _rest[0] != wanted)
        {
            return false;
        }

        _rest = _rest[1..];
        return true;
    }

    private void SkipSpace() => _rest = _rest.TrimStart(" \t\r\n");
}
