using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MonoLoss.Vision;

/// <summary>
/// Resizes as Pillow's <c>Image.resize</c> does, to the bit: the filter is widened by the ratio where an image shrinks, so that every
/// pixel counts; weights have 22 fractional bits; rows first, then columns, each rounded to 8 bits.
/// </summary>
/// <remarks>Only the part of the result that is asked for is formed, so an image of 1 × 60 000 pixels takes no more than another.</remarks>
public static class PillowResize
{
    private const int FractionBits = 32 - 8 - 2;

    /// <summary>A part of an image that has been resized.</summary>
    /// <param name="image">The image.</param>
    /// <param name="size">The size of the whole result.</param>
    /// <param name="part">The part of it that is wanted, which may reach beyond the edges: there it is black.</param>
    /// <param name="filter">The filter.</param>
    /// <returns>An image of the part's size.</returns>
    public static PixelImage Resize(PixelImage image, (int Width, int Height) size, PixelRectangle part, Resampling filter)
    {
        var target = new byte[part.Width * part.Height * PixelImage.Channels];
        var inside = part.Within(size.Width, size.Height);
        if (inside.Width > 0 && inside.Height > 0)
        {
            var columns = Weights.Create(image.Width, size.Width, inside.X, inside.Width, filter);
            var rows = Weights.Create(image.Height, size.Height, inside.Y, inside.Height, filter);
            var (first, end) = (rows.First[0], rows.First[^1] + rows.Count[^1]);
            var between = Horizontal(image, columns, first, end);
            var at = (((inside.Y - part.Y) * part.Width) + inside.X - part.X) * PixelImage.Channels;
            Vertical(between, inside.Width, rows, first, target.AsSpan(at), part.Width);
        }

        return new PixelImage(part.Width, part.Height, target);
    }

    // One row of the result for each row from first to end of the image.
    private static byte[] Horizontal(PixelImage image, Weights columns, int first, int end)
    {
        var width = columns.Count.Length;
        var target = new byte[(end - first) * width * PixelImage.Channels];
        var to = MemoryMarshal.Cast<byte, uint>(target.AsSpan());
        for (var y = first; y < end; y++)
        {
            var row = MemoryMarshal.Cast<byte, uint>(image.Pixels.AsSpan(y * image.Width * PixelImage.Channels))[..image.Width];
            var line = to.Slice((y - first) * width, width);
            if (columns.IsIdentity)
            {
                row.Slice(columns.First[0], width).CopyTo(line);
                continue;
            }

            for (var x = 0; x < width; x++)
            {
                var weights = columns.Of(x);
                var pixels = row.Slice(columns.First[x], weights.Length);
                var sum = Vector128.Create(1 << (FractionBits - 1));
                for (var i = 0; i < pixels.Length; i++)
                {
                    sum += Channels(pixels[i]) * weights[i];
                }

                line[x] = Clip(sum);
            }
        }

        return target;
    }

    private static void Vertical(byte[] source, int width, Weights rows, int first, Span<byte> target, int stride)
    {
        var from = MemoryMarshal.Cast<byte, uint>(source.AsSpan());
        var to = MemoryMarshal.Cast<byte, uint>(target);
        for (var y = 0; y < rows.Count.Length; y++)
        {
            var line = to.Slice(y * stride, width);
            var weights = rows.Of(y);
            var block = from[((rows.First[y] - first) * width)..];
            if (rows.IsIdentity)
            {
                block[..width].CopyTo(line);
                continue;
            }

            for (var x = 0; x < width; x++)
            {
                var sum = Vector128.Create(1 << (FractionBits - 1));
                for (var i = 0; i < weights.Length; i++)
                {
                    sum += Channels(block[(i * width) + x]) * weights[i];
                }

                line[x] = Clip(sum);
            }
        }
    }

    private static Vector128<int> Channels(uint pixel) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(pixel).AsByte())).AsInt32();

    private static uint Clip(Vector128<int> sum)
    {
        var rounded = Vector128.Clamp(sum >> FractionBits, Vector128<int>.Zero, Vector128.Create(255));
        var narrow = Vector128.Narrow(rounded, rounded).AsUInt16();
        return Vector128.Narrow(narrow, narrow).AsUInt32().ToScalar();
    }

    /// <summary>For each pixel of the result, the pixels of the image that it is made of and their weights.</summary>
    private sealed class Weights
    {
        private readonly int[] _values;
        private readonly int _stride;

        private Weights(int count, int stride)
        {
            (First, Count, _values, _stride) = (new int[count], new int[count], new int[count * stride], stride);
        }

        public int[] First { get; }

        public int[] Count { get; }

        public bool IsIdentity { get; private init; }

        public ReadOnlySpan<int> Of(int index) => _values.AsSpan(index * _stride, Count[index]);

        public static Weights Create(int source, int target, int start, int count, Resampling filter)
        {
            if (source == target)
            {
                // Pillow leaves a pass out that changes nothing.
                var same = new Weights(count, 1) { IsIdentity = true };
                for (var i = 0; i < count; i++)
                {
                    (same.First[i], same.Count[i]) = (start + i, 1);
                }

                return same;
            }

            var scale = (double)source / target;
            var widening = Math.Max(1, scale);
            var support = filter.Support() * widening;
            var weights = new Weights(count, ((int)Math.Ceiling(support) * 2) + 1);
            Span<double> exact = new double[weights._stride];
            for (var i = 0; i < count; i++)
            {
                var center = (start + i + 0.5) * scale;
                var first = Math.Max(0, (int)(center - support + 0.5));
                var length = Math.Min(source, (int)(center + support + 0.5)) - first;
                var sum = 0.0;
                for (var j = 0; j < length; j++)
                {
                    exact[j] = filter.Weight((j + first - center + 0.5) * (1 / widening));
                    sum += exact[j];
                }

                (weights.First[i], weights.Count[i]) = (first, length);
                for (var j = 0; j < length; j++)
                {
                    var weight = (sum != 0 ? exact[j] / sum : exact[j]) * (1 << FractionBits);
                    weights._values[(i * weights._stride) + j] = (int)(weight < 0 ? weight - 0.5 : weight + 0.5);
                }
            }

            return weights;
        }
    }
}
