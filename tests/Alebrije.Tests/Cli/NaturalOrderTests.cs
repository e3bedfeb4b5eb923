using Alebrije.Cli.Commands;
using CsCheck;

namespace Alebrije.Tests.Cli;

public sealed class NaturalOrderTests
{
    [Theory]
    [InlineData("a2.png", "a10.png")]
    [InlineData("a09.png", "a10.png")]
    [InlineData("A1.png", "b1.png")]
    [InlineData("a.png", "a1.png")]
    [InlineData("x/2.png", "x/10.png")]
    [InlineData("7", "00000000000000000000000000000000000000008")]
    [InlineData("0003-lion.png", "0003-zebra.png")]
    public void SmallerNumbers_ComeFirst(string first, string second)
    {
        Assert.True(NaturalOrder.Instance.Compare(first, second) < 0);
        Assert.True(NaturalOrder.Instance.Compare(second, first) > 0);
    }

    [Fact]
    public void Order_IsTotal()
    {
        var names = Gen.Char["ab01/. "].Array[0, 6].Select(letters => new string(letters));
        Gen.Select(names, names, names).Sample((a, b, c) =>
        {
            var order = NaturalOrder.Instance;
            return Math.Sign(order.Compare(a, b)) == -Math.Sign(order.Compare(b, a))
                && (order.Compare(a, b) == 0) == (a == b)
                && (order.Compare(a, b) > 0 || order.Compare(b, c) > 0 || order.Compare(a, c) <= 0);
        }, iter: 3000, threads: 1);
    }
}
