namespace Alebrije.Tests.Fuzzing;

/// <summary>Some hundred damaged files for every reader: each is read, or rejected with a sentence, in bounded memory.</summary>
public sealed class ReaderFuzzTests
{
    private const int Rounds = 150;
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(2);
    private static readonly string Fixtures = Path.Combine(AppContext.BaseDirectory, "Fixtures");

    public static TheoryData<string> Names => [.. ReaderFuzz.Targets(Fixtures).Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Damaged_AreReadOrRefused(string name)
    {
        var result = ReaderFuzz.Run(ReaderFuzz.Targets(Fixtures).Single(target => target.Name == name), seed: 20, Rounds, Time);
        Assert.True(result is { Read: > 0, Refused: > 0 }, $"{name}: {result}");
    }
}
