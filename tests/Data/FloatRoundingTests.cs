using System.Globalization;
using System.Numerics;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

/// <summary>Integers and decimals become the nearest float32: compared with text, which .NET parses exactly.</summary>
public sealed class FloatRoundingTests
{
    [Fact]
    public void Integers_become_the_nearest_float()
    {
        var random = new Random(1);
        foreach (var value in Values(random))
        {
            Assert.Equal(Parse($"{value}"), FloatRounding.FromInteger(value));
            Assert.Equal(Parse($"{(ulong)value}"), FloatRounding.FromInteger((ulong)value));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(7)]
    [InlineData(15)]
    [InlineData(22)]
    [InlineData(30)]
    public void Decimals_become_the_nearest_float(int scale)
    {
        var random = new Random(scale);
        foreach (var value in Values(random))
        {
            Assert.Equal(Parse($"{value}e-{scale}"), FloatRounding.FromDecimal(value, scale));
            Assert.Equal(Parse($"{value}12345e-{scale + 5}"), 
                FloatRounding.FromDecimal(((BigInteger)value * 100000) + (value < 0 ? -12345 : 12345), scale + 5));
        }
    }

    // Half way between two floats and beside it, where a way over float64 is wrong.
    private static IEnumerable<long> Values(Random random)
    {
        for (var i = 0; i < 2000; i++)
        {
            var value = random.NextInt64() >> random.Next(63);
            yield return value;
            yield return -value;
            var half = ((random.NextInt64(1 << 23, 1 << 24) << 1) + 1) << random.Next(38);
            foreach (var near in new[] { -1, 0, 1 })
            {
                yield return half + near;
                yield return -half - near;
            }
        }

        yield return long.MaxValue;
        yield return long.MinValue;
    }

    private static float Parse(string text) => float.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
}
