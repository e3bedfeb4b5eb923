using System.Text.RegularExpressions;

namespace Alebrije.Tests;

/// <summary>House style that no analyzer checks: width of lines, form and words of comments.</summary>
public sealed partial class StyleTests
{
    /// <summary>Columns of the longest line; lines inside raw string literals keep the form of what they hold.</summary>
    private const int Columns = 140;

    /// <summary>Code and comments of the repository.</summary>
    private static IEnumerable<string> Files => new[] { "src", "tests", "bench", "samples" }
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.cs", SearchOption.AllDirectories))
        .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));

    [Fact]
    public void Lines_HaveAtMost140Columns()
    {
        var found = Files.SelectMany(Lines).Where(line => !line.IsRaw && line.Text.Length > Columns);
        Assert.Empty(found.Select(line => line.Place));
    }

    [Fact]
    public void Summaries_AreNounPhrases()
    {
        var found = new List<string>();
        foreach (var lines in Files.Select(file => Lines(file).ToArray()))
        {
            for (var i = 0; i < lines.Length; i++)
            {
                var begins = i > 0 && lines[i - 1].Text.Trim() is "/// <summary>";
                if ((begins && Question().IsMatch(lines[i].Text.Trim(' ', '/'))) || QuestionSummary().IsMatch(lines[i].Text))
                    found.Add(lines[i].Place);
            }
        }

        Assert.Empty(found);
    }

    [Fact]
    public void Comments_HaveTheTermsOfTheField()
    {
        var found = Files.SelectMany(Lines).Where(line => Comment().IsMatch(line.Text) && HouseWord().IsMatch(line.Text));
        Assert.Empty(found.Select(line => line.Place));
    }

    [Theory]
    [InlineData("/// <summary>Whether it runs.</summary>", true)]
    [InlineData("/// <summary>True if it runs.</summary>", false)]
    public void Question_IsFound(string line, bool isOne) => Assert.Equal(isOne, QuestionSummary().IsMatch(line));

    [Theory]
    [InlineData("// The decoder is told of the text.", true)]
    [InlineData("/// <summary>Takes the deviation.</summary>", true)]
    [InlineData("/// <summary>Takes the standard deviation of all numbers.</summary>", false)]
    public void HouseWord_IsFound(string line, bool isOne) => Assert.Equal(isOne, HouseWord().IsMatch(line));

    private static IEnumerable<(string Text, bool IsRaw, string Place)> Lines(string file)
    {
        var (isRaw, number) = (false, 0);
        foreach (var text in File.ReadLines(file))
        {
            var marks = RawMark().Count(text);
            yield return (text, isRaw || marks > 0, $"{Path.GetRelativePath(Repository.Root, file)}:{++number}: {text.Trim()}");
            if (marks % 2 == 1) isRaw = !isRaw;
        }
    }

    [GeneratedRegex("\"{3,}")]
    private static partial Regex RawMark();

    [GeneratedRegex("^(What|Whether|How|Where|Which)\\b")]
    private static partial Regex Question();

    [GeneratedRegex("^\\s*///.*<(summary|returns)>(What|Whether|How|Where|Which)\\b")]
    private static partial Regex QuestionSummary();

    [GeneratedRegex("^\\s*//")]
    private static partial Regex Comment();

    [GeneratedRegex("\\b(told|tells|hears|says|spoil|spoils|nought|numbers of)\\b|(?<![Ss]tandard )(?<![\\w=\"])deviations?\\b(?!\")")]
    private static partial Regex HouseWord();
}
