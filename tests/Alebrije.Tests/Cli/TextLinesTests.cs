using Alebrije.Cli;

namespace Alebrije.Tests.Cli;

public sealed class TextLinesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-lines-").FullName;

    public static TheoryData<string> Texts =>
        new("a lion\na cat", "\uFEFFa lion\r\na cat\r\n", "a lion\ra cat\r", "\uFEFF\r\n  a lion  \n\n\ta cat\r");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [MemberData(nameof(Texts))]
    public void Read_OfAFileAndOfStandardInput_GivesTheSameLines(string text)
    {
        var file = Path.Combine(folder, "texts.txt");
        File.WriteAllText(file, text);
        using var input = new StringReader(text);
        var terminal = new Terminal(TextWriter.Null, TextWriter.Null, input);
        Assert.Equal(["a lion", "a cat"], TextLines.Read(file, terminal, new Words("en"), "--texts-file"));
        Assert.Equal(["a lion", "a cat"], TextLines.Read("-", terminal, new Words("en"), "--texts-file"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Read_OfAFileInUtf16WithAMark_IsDecoded(bool bigEndian)
    {
        var file = Path.Combine(folder, "texts.txt");
        File.WriteAllText(file, "un león\r\nun gato\r\n", new System.Text.UnicodeEncoding(bigEndian, byteOrderMark: true));
        Assert.Equal(["un león", "un gato"],
            TextLines.Read(file, new Terminal(TextWriter.Null, TextWriter.Null, TextReader.Null), new Words("en"), "--texts-file"));
    }

    [Fact]
    public void Read_OfAMissingFile_NamesTheOption()
    {
        var terminal = new Terminal(TextWriter.Null, TextWriter.Null, TextReader.Null);
        var refusal = Assert.Throws<FileNotFoundException>(() =>
            TextLines.Read(Path.Combine(folder, "no.txt"), terminal, new Words("en"), "--texts-file"));
        Assert.Contains("no.txt; --texts-file takes", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokenize_OfStandardInputWithAMark_SeesTheTextAlone()
    {
        var plain = await CommandLine.RunWithInput("a lion\n", "tokenize", "-", "--json");
        var marked = await CommandLine.RunWithInput("\uFEFFa lion\r\n", "tokenize", "-", "--json");
        Assert.Equal(plain.Output, marked.Output);
    }
}
