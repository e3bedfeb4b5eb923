using System.Globalization;
using System.Text.RegularExpressions;
using Alebrije.Cli;

namespace Alebrije.Tests.Cli;

/// <summary>Messages of the command: each is in the translations in both languages, and the code names it by its key.</summary>
public sealed partial class MessagesTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "src", "Alebrije.Cli");

    [Fact]
    public void EveryKeyOfTheSource_HasItsMessage_AndNoMessageIsLeftOver()
    {
        var calls = Sources().SelectMany(source => Calls(source.Code)).ToArray();
        Assert.InRange(calls.Length, 300, 3000);
        Assert.Equal(Translations.Messages.Keys.Order(StringComparer.Ordinal),
            calls.SelectMany(call => call.Keys).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void EveryCall_FillsEveryHole()
    {
        var wrong = from source in Sources()
            from call in Calls(source.Code)
            from key in call.Keys
            where Translations.Messages.ContainsKey(key)
            let holes = Holes(Translations.Messages[key].En).Select(hole => hole.Number).Distinct().Count()
            where holes != call.Values
            select $"{source.Name}: {key} has {holes} holes and gets {call.Values} values";
        Assert.Empty(wrong);
    }

    [Fact]
    public void BothLanguages_AreThere_WithTheSameHoles() => Assert.All(Translations.Messages, message =>
    {
        var (key, (english, spanish)) = message;
        Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*(\\.[a-z0-9]+(-[a-z0-9]+)*)+$", key);
        Assert.False(string.IsNullOrWhiteSpace(english) || string.IsNullOrWhiteSpace(spanish), key);
        var holes = Holes(english);
        Assert.Equal(holes.Order(), Holes(spanish).Order());
        Assert.Equal(Enumerable.Range(0, holes.Select(hole => hole.Number).Distinct().Count()),
            holes.Select(hole => hole.Number).Distinct().Order());
        if (english[^1] is '.' or '?' or ':') Assert.Equal(english[^1], spanish[^1]);
        Assert.Equal(english.Contains('?', StringComparison.Ordinal), spanish.Contains('¿', StringComparison.Ordinal));
    });

    [Fact]
    public void Messages_StandInTheOrderOfTheirKeys() =>
        Assert.Equal(Translations.Messages.Keys.Order(StringComparer.Ordinal), Translations.Messages.Keys);

    [Fact]
    public void Code_HoldsNoSentence()
    {
        var found = Sources().SelectMany(source => Sentence().Matches(source.Code).Select(match => $"{source.Name}: {match.Value}"));
        Assert.Empty(found);
    }

    [Fact]
    public void Code_NamesMessagesByKeysThatCanBeRead()
    {
        var found = Sources().Where(source => source.Name != "Words.cs")
            .SelectMany(source => HiddenKey().Matches(source.Code).Select(match => $"{source.Name}: {match.Value}"));
        Assert.Empty(found);
    }

    [Theory]
    [InlineData("en", "1 image", "0 images", "2 steps in 0.5 minutes, finished. loss 1", "Wrote {a}.png")]
    [InlineData("es", "1 imagen", "0 imágenes", "2 pasos en 0.5 minutos, terminado. loss 1", "Escrito en {a}.png")]
    public void Words_FillTheMessageOfTheirLanguage(string language, string one, string none, string summary, string wrote)
    {
        var words = new Words(language);
        Assert.Equal(one, words.Images(1));
        Assert.Equal(none, words.Images(0));
        Assert.Equal(summary, words.Count("train.summary", 2, 0.5, words["train.finished"], "loss 1"));
        Assert.Equal(wrote, words.Wrote("{a}.png"));
        Assert.Contains("\"imagine\": {\"steps\": 20}}", words["defaults.no-json", "f"], StringComparison.Ordinal);
        Assert.Contains("'no.such'", Assert.Throws<InvalidOperationException>(() => words["no.such"]).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--rounds toma un número entero de 3 a 1000.", "bench", "--rounds", "2")]
    [InlineData("--threads toma un número entero de 1 a 1024.", "doctor", "--threads", "0")]
    [InlineData("--seed toma un número entero a partir de 0, o -1 para uno al azar, no '-2'.", "world", "--seed", "-2")]
    [InlineData("--size toma un número entero de 16 a 512, no 7.", "world", "--size", "7")]
    [InlineData("--out a.jpg: el archivo debe terminar en .html, .png, .csv o .md.", "similarity", "--out", "a.jpg")]
    [InlineData("--mix toma un número de 0 a 1, no 2.", "train", "classifier", "--images", "a", "--out", "b", "--mix", "2")]
    [InlineData("--only no admite 'x'; elige entre clip, autoencoder, prior, decoder, upsampler, separados por comas.",
        "evaluate", "--only", "x")]
    public async Task ValuesThatAreRefused_AreRefusedInTheLanguage_WhereverItIsNamed(string refusal, params string[] args)
    {
        Assert.StartsWith(refusal, (await CommandLine.Run(["--lang", "es", .. args])).Refusal, StringComparison.Ordinal);
        Assert.StartsWith(refusal, (await CommandLine.Run([.. args, "--lang", "es"])).Refusal, StringComparison.Ordinal);
    }

    private static IEnumerable<(string Name, string Code)> Sources() =>
        Directory.EnumerateFiles(Folder, "*.cs", SearchOption.AllDirectories)
        .Select(file => (Path.GetFileName(file), Comment().Replace(File.ReadAllText(file), "")));

    /// <summary>Uses of a message: its keys (two for a plural), and its number of values.</summary>
    private static IEnumerable<(string[] Keys, int Values)> Calls(string code) => Key().Matches(code).Select(match =>
    {
        var (key, values) = (match.Groups["key"].Value, Inside(code, match.Index + match.Length).Commas);
        return match.Value[0] == '[' ? (new[] { key }, values) : ([key + ".one", key + ".other"], values);
    });

    private static List<(int Number, string Form)> Holes(string message) =>
        [.. Hole().Matches(message.Replace("{{", "", StringComparison.Ordinal).Replace("}}", "", StringComparison.Ordinal)).Select(match =>
            (int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), match.Groups[2].Value + match.Groups[3].Value))];

    /// <summary>Commas up to the closing bracket, except those in nested brackets and strings.</summary>
    private static (int Commas, int End) Inside(string code, int start)
    {
        var (commas, depth) = (0, 0);
        for (var i = start; ; i++)
        {
            switch (code[i])
            {
                case '"': i = EndOfText(code, i); break;
                case '\'': i = code.IndexOf('\'', code[i + 1] == '\\' ? i + 3 : i + 2); break;
                case ',' when depth == 0: commas++; break;
                case '(' or '[' or '{': depth++; break;
                case ')' or ']' or '}' when depth-- == 0: return (commas, i);
            }
        }
    }

    private static int EndOfText(string code, int quote)
    {
        for (var i = quote + 1; ; i++)
        {
            if (code[i] == '"') return i;
            if (code[i] == '\\' || code.AsSpan(i, 2) is "{{") i++;
            else if (code[i] == '{' && code[quote - 1] == '$') i = Inside(code, i + 1).End;
        }
    }

    [GeneratedRegex(@"(\[|\bCount\()""(?<key>[a-z0-9-]+(\.[a-z0-9-]+)+)""")]
    private static partial Regex Key();

    [GeneratedRegex(@"\{(\d+)(,-?\d+|)(:[^{}]*|)\}")]
    private static partial Regex Hole();

    [GeneratedRegex(@"\b([wW]ords|Words\.Of\(\w+\)|LanguageOf\(\w+\)\))(\[|\.Count\()(?!"")")]
    private static partial Regex HiddenKey();

    /// <summary>Matches two words in a literal that is shown or raised, or a pair of texts in two languages.</summary>
    [GeneratedRegex(@"\b(Say|SayText|SayTable|Aside|Note|Fail|Progress|WriteLine|AddError|UsageException|new \w+Exception)\(\s*\[?(string\.Create\([\w.]+,\s*)?\$?""[^""\n]*\p{L}{2,} \p{L}{2,}[^\n]*|\bIn\(\s*\$?""[^\n]*")]
    private static partial Regex Sentence();

    [GeneratedRegex(@"^\s*//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();
}
