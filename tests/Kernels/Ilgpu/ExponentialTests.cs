using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

public sealed class ExponentialTests
{
    [Fact]
    public void Exp_is_correct_to_the_last_bit_or_the_one_before()
    {
        for (var x = -87f; x <= 88; x += 0.0173f)
        {
            var expected = Math.Exp(x);
            Assert.InRange(Exponential.Exp(x), expected * (1 - 1.2e-7), expected * (1 + 1.2e-7));
        }

        Assert.True(float.IsNaN(Exponential.Exp(float.NaN)));
        Assert.Equal(1, Exponential.Exp(0));
    }
}
