using Alebrije.Preprocessing.Tokenizers.Cleaning;

namespace Alebrije.Tests.Tokenizers.Cleaning;

public sealed class TextRepairTests
{
    [Fact]
    public void Fix_GoldenTexts_NoDifference()
    {
        var cases = TextFixture.Read(Path.Combine(TextFixture.Folder("clip-text"), "clean.json.gz"));
        Assert.Equal(1835, cases.Count);
        var differences = new List<string>();
        foreach (var expected in cases)
        {
            var repaired = TextRepair.Fix(expected.Text);
            if (repaired != expected.Fixed)
                differences.Add($"fixed {TextFixture.Show(expected.Text)}\n "
                    + $" {TextFixture.Show(expected.Fixed!)}\n  {TextFixture.Show(repaired)}");
            var unescaped = HtmlEntities.Unescape(HtmlEntities.Unescape(repaired));
            if (unescaped != expected.Unescaped)
                differences.Add($"unescaped {TextFixture.Show(expected.Text)}\n "
                    + $" {TextFixture.Show(expected.Unescaped!)}\n  {TextFixture.Show(unescaped)}");
        }
        TextFixture.AssertNone(differences, cases.Count);
    }
}
