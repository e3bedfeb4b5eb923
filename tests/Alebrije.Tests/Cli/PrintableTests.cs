using System.Text.Json;
using Alebrije.Cli;
using Alebrije.Preprocessing;

namespace Alebrije.Tests.Cli;

/// <summary>Control characters and marks of direction in what comes from outside are visible in all output.</summary>
public sealed class PrintableTests
{
    /// <summary>Sets a terminal's title, clears a line, overrides the direction, and ends a line.</summary>
    private const string Hostile = "a\u001b]0;x\u0007b\u009b2K\u202ec\u2066d\u200fe\u2028f\rg\u007f";

    private const string Visible = @"a\u001b]0;x\u0007b\u009b2K\u202ec\u2066d\u200fe\u2028f\u000dg\u007f";

    [Fact]
    public void Text_KeepsWhatIsSeen_AndShowsTheRest()
    {
        Assert.Equal(Visible, PrintableText.Of(Hostile));
        const string plain = "ñandú\tשלום مرحبا 👩\u200d🚀 \u00a0中文";
        Assert.Same(plain, PrintableText.Of(plain));
        Assert.Equal(@"a\u000ab", PrintableText.Of("a\nb"));
        Assert.Equal("a\nb", PrintableText.Of("a\nb", keepLines: true));
    }

    [Fact]
    public void Terminal_ShowsThem_InLinesTablesNotesAndJson()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var terminal = new Terminal(output, error, TextReader.Null);
        terminal.Say(Hostile);
        terminal.SayText(Hostile);
        terminal.SayTable(["head" + Hostile], [[Hostile + "\nsecond"]]);
        terminal.Note(Hostile);
        terminal.Fail(Hostile);
        Assert.All((output.ToString() + error).Where(c => c is not ('\n' or '\r')),
            c => Assert.True(!char.IsControl(c) && c is not ('\u202e' or '\u2066' or '\u200f' or '\u2028'), $"\\u{(int)c:x4}"));
        Assert.Contains(Visible + @"\u000asecond", output.ToString(), StringComparison.Ordinal);
        Assert.Equal(5, (output.ToString() + error).Split(@"0;x\u0007").Length - 2);

        output.GetStringBuilder().Clear();
        terminal.SayJson(new { Name = Hostile });
        Assert.DoesNotContain('\u202e', output.ToString());
        using var document = JsonDocument.Parse(output.ToString());
        Assert.Equal(Hostile, document.RootElement.GetProperty("name").GetString());
    }

    [Theory]
    [InlineData("models", "show", Hostile)]
    [InlineData("models", "pull", Hostile)]
    [InlineData(Hostile)]
    [InlineData("embed", "--images", Hostile)]
    [InlineData("similarity", "--" + Hostile)]
    public async Task Errors_OfCommandLines_ShowThem(params string[] args)
    {
        var outcome = await CommandLine.Run(args);
        Assert.NotEqual(0, outcome.Status);
        Assert.Contains(@"a\u001b]0;x", outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(outcome.Error.Replace("\n", "", StringComparison.Ordinal), c => char.IsControl(c) || c == '\u202e');
    }
}
