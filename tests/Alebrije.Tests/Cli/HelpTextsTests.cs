using System.CommandLine;
using Alebrije.Cli;
using Alebrije.Cli.Commands;

namespace Alebrije.Tests.Cli;

/// <summary>The help in both languages, and its examples.</summary>
public sealed class HelpTextsTests
{
    [Fact]
    public void EveryVerbAndOption_HasItsTextInBothLanguages_AndNoTextIsLeftOver()
    {
        var used = new HashSet<string>();
        Translations.Describe(Root(), "", new Words("es"), used);
        Assert.Equal(Translations.Texts.Keys.Order(StringComparer.Ordinal), used.Order(StringComparer.Ordinal));
        Assert.All(Translations.Texts, text =>
        {
            Assert.EndsWith(".", text.Value.En, StringComparison.Ordinal);
            Assert.EndsWith(".", text.Value.Es, StringComparison.Ordinal);
            Assert.NotEqual(text.Value.En, text.Value.Es);
        });
    }

    [Fact]
    public void EveryVerb_HasThreeExamplesInBothLanguages_ThatTheParserTakes()
    {
        var root = Root();
        var verbs = Leaves(root, "").Where(verb => verb.Length > 0).Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(verbs, Translations.Examples.Keys.Order(StringComparer.Ordinal));
        foreach (var (verb, lines) in Translations.Examples)
        {
            Assert.Equal((3, 3), (lines.En.Count, lines.Es.Count));
            foreach (var line in lines.En.Concat(lines.Es))
            {
                Assert.StartsWith($"alebrije {verb}", line, StringComparison.Ordinal);
                var args = System.CommandLine.Parsing.CommandLineParser.SplitCommandLine(line.Split(" | ")[^1].Split(" > ")[0])
                    .Skip(1).ToArray();
                var parsed = root.Parse(args);
                Assert.True(parsed.Errors.Count == 0, $"{line}: {string.Join(' ', parsed.Errors.Select(e => e.Message))}");
                Assert.True(UnknownOptions.Find(args, parsed, new Words("en")) is null, line);
            }
        }
    }

    [Theory]
    [InlineData("imagine")]
    [InlineData("train", "clip")]
    [InlineData]
    public async Task SpanishHelp_IsSpanish(params string[] verb)
    {
        var help = (await CommandLine.Run([.. verb, "--help", "--lang", "es"])).Output;
        Assert.Contains("Uso:\n  alebrije", help, StringComparison.Ordinal);
        Assert.Contains("Opciones:", help, StringComparison.Ordinal);
        Assert.Contains("Muestra esta ayuda.", help, StringComparison.Ordinal);
        foreach (var english in new[] { "Usage:", "Options:", "Description:", "[default",
            "[options]", "(REQUIRED)", "Shows", "Examples:", " the " }) Assert.DoesNotContain(english, help, StringComparison.Ordinal);
        Assert.All(help.Split('\n').Where(line => !line.StartsWith("  alebrije", StringComparison.Ordinal)),
            line => Assert.InRange(line.TrimEnd().Length, 0, 100));
    }

    private static RootCommand Root()
    {
        var terminal = new Terminal(TextWriter.Null, TextWriter.Null, TextReader.Null);
        var root = new RootCommand();
        foreach (var option in CommonOptions.All) root.Add(option);
        foreach (var command in Verbs.Create(terminal, "none.json")) root.Add(command);
        return root;
    }

    /// <summary>Verbs that run by themselves: those without verbs below them, and <c>cluster</c>.</summary>
    private static IEnumerable<string> Leaves(Command command, string name) =>
        (command.Subcommands.Count > 0 && name != "cluster" ? Array.Empty<string>() : [name])
        .Concat(command.Subcommands.SelectMany(below => Leaves(below, $"{name} {below.Name}".Trim())));
}
