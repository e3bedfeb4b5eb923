using Alebrije.Preprocessing;

namespace Alebrije.Tests.Datasets;

/// <summary>Streams of recorded seeds, which never change.</summary>
public sealed class SeededRandomTests
{
    [Fact]
    public void Next_OfASeed_IsSplitMix64()
    {
        // Published test vector of SplitMix64 (prng.di.unimi.it/splitmix64.c) for the seed 1234567.
        var random = new SeededRandom(1234567);
        Assert.Equal([6457827717110365317, 3203168211198807973, 9817491932198370423],
            new[] { random.Next(), random.Next(), random.Next() });
    }

    [Fact]
    public void Next_OfASeedIndexAndPurpose_MixesEach()
    {
        const ulong golden = SeededRandom.Golden;
        var state = SeededRandom.Mix(unchecked(SeededRandom.Mix(SeededRandom.Mix(7 + golden) ^ 3) + (golden * 6)));
        Assert.Equal(SeededRandom.Mix(unchecked(state + golden)), new SeededRandom(7, 3, 5).Next());
        Assert.NotEqual(new SeededRandom(7, 3, 5).Next(), new SeededRandom(7, 3, 6).Next());
    }

    [Fact]
    public void Classic_IsNetsGeneratorOfTheTrainersKey() =>
        Assert.Equal(
            new Random(unchecked((int)(((7UL * 0x9E3779B97F4A7C15) ^ (3UL * 0xBF58476D1CE4E5B9) ^ 0x64726F70) >> 33))).Next(),
            SeededRandom.Classic(7, 3, 0x64726F70).Next());

    [Fact]
    public void Draws_StayInTheirRanges_AndAPermutationHasEveryIndex()
    {
        var random = new SeededRandom(1);
        Assert.All(Enumerable.Range(0, 1000).Select(_ => 0).ToArray(), _ =>
        {
            Assert.InRange(random.Below(7), 0, 6);
            Assert.InRange(random.Between(-2, 3), -2, 3);
        });
        Assert.Equal(Enumerable.Range(0, 20), random.Permutation(20).Order());
        Assert.All(random.Sample(20), index => Assert.InRange(index, 0, 19));
    }
}
