using Alebrije.Catalog;
using Alebrije.Preprocessing;
using Alebrije.Tensors;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Cli;

namespace Alebrije.Tests;

/// <summary>Messages that quote a file, a name or a recipe of any length.</summary>
public sealed class ErrorSentenceTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-sentence-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Sentence_HasItsStartAndItsEnd()
    {
        Assert.Equal("Wrong.", ErrorSentence.Of(new InvalidOperationException(" Wrong.\nat a")));
        Assert.Equal("Wrong.", ErrorSentence.Of(new ArgumentException("Wrong.", "name")));
        Assert.Equal(new string('a', 2000), ErrorSentence.Cut(new string('a', 2000)));
        var cut = ErrorSentence.Cut("The line '" + new string('a', 5_000_000) + "' is no merge.");
        Assert.Equal(ErrorSentence.Longest, cut.Length);
        Assert.StartsWith("The line 'aaa", cut, StringComparison.Ordinal);
        Assert.Contains("aaa ... aaa", cut, StringComparison.Ordinal);
        Assert.EndsWith("aaa' is no merge.", cut, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("en", "a merge is two symbols with a space between.")]
    [InlineData("es", "a merge is two symbols with a space between.")]
    public async Task LongLineOfAFile_IsCutInTheError(string language, string end)
    {
        var model = TestModels.Copy(TestModels.StableUnClip, Path.Combine(folder, "tiny"));
        foreach (var merges in Directory.GetFiles(model, "merges.txt", SearchOption.AllDirectories))
            await File.AppendAllTextAsync(merges, string.Concat(Enumerable.Repeat("a ", 1_000_000)), TestContext.Current.CancellationToken);
        var outcome = await CommandLine.Run("tokenize", "a lion", "--model", model, "--lang", language);
        Assert.Equal(1, outcome.Status);
        Assert.InRange(outcome.Error.Length, 1000, 2100);
        Assert.Contains(end, outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Distance_OfANameOfMillions_IsItsLength()
    {
        Assert.Equal(3_000_000, Spelling.Distance(new string('a', 3_000_000), "mini"));
        Assert.Null(Spelling.Nearest(new string('a', 3_000_000), ["mini", "mini-cascade"]));
        Assert.Equal(200, Spelling.Distance(new string('a', 200), new string('b', 200)));
        Assert.Equal("mini", Spelling.Nearest("mni", ["karlo", "mini"]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1025)]
    [InlineData(1_000_000_000)]
    public void Threads_ThatTheLibraryAbortsOn_AreRefused(int threads)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => TorchRuntime.Initialize(threads));
        Assert.Equal($"The number of threads is {threads}, but must be between 1 and 1024.", ErrorSentence.Of(error));
    }
}
