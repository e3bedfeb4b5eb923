using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Preprocessing.Tokenizers.Cleaning;
using CsCheck;

namespace Alebrije.Tests.Tokenizers.Cleaning;

/// <summary>Single behaviours of Python 3.11, its regex and ftfy 6.3.1 that the golden texts cover only by chance.</summary>
public sealed class PlainTextTests
{
    [Theory]
    [InlineData("ΟΔΟΣ ΣΑΣ Σ", "οδος σας σ", "οδοσ σασ σ")]
    [InlineData("ΑΣ'Β ΑΣ. Α\u0301Σ", "ασ'β ας. α\u0301ς", "ασ'β ασ. α\u0301σ")]
    [InlineData("İI", "i\u0307i", "i\u0307i")]
    [InlineData("ẞ Ǆ Ⅷ Ⓐ 𐐀 Ꭰ", "ß ǆ ⅷ ⓐ 𐐨 ꭰ", "ß ǆ ⅷ ⓐ 𐐨 ꭰ")]
    public void Lower_PythonAndRust_DifferInTheFinalSigma(string text, string python, string rust)
    {
        Assert.Equal(python, PlainText.Lower(text, finalSigma: true));
        Assert.Equal(rust, PlainText.Lower(text, finalSigma: false));
    }

    [Theory]
    [InlineData("a\u0085\u00A0\u2028b\u3000 c", "a b c")]
    [InlineData("a\u001C\u200Bb", "a\u001C\u200Bb")]
    public void CollapseWhiteSpace_UnicodeWhiteSpaceOnly(string text, string expected) =>
        Assert.Equal(expected, PlainText.CollapseWhiteSpace(text));

    [Fact]
    public void Strip_AsPythonStrip_TakesSeparatorsToo() => Assert.Equal("a\u200B", PlainText.Strip("\u001F \u0085a\u200B\u3000\n"));

    [Theory]
    [InlineData("e\u0301\u0323", "ẹ\u0301")]
    [InlineData("\u1100\u1161\u11A8\u1100", "각\u1100")]
    [InlineData("\u212B\u2126\u0344", "ÅΩ\u0308\u0301")]
    [InlineData("\u0958\uFB1D\u2ADC", "\u0915\u093C\u05D9\u05B4\u2ADD\u0338")]
    [InlineData("a\u0315\u0300\u05AE\u0300\u0062", "à\u05AE\u0300\u0315b")]
    [InlineData("\uD834\uDD5E", "\uD834\uDD57\uD834\uDD65")]
    public void Normalize_UnicodeExamples(string text, string expected)
    {
        Assert.Equal(expected, CanonicalComposition.Normalize(text));
        Assert.Equal(expected, CanonicalComposition.Normalize(expected));
    }

    [Fact]
    public void Normalize_Twice_AsOnce()
    {
        var unit = Gen.OneOf(Gen.Char['\u00C0', '\u0450'], Gen.Char['\u0300', '\u036F'], Gen.Char['\u1100', '\u11FF'], Gen.Char);
        Gen.String[unit].Sample(text => CanonicalComposition.Normalize(text) is var once && CanonicalComposition.Normalize(once) == once);
    }

    [Theory]
    [InlineData("&lt&amp;&AMP&copy2024", "<&&©2024")]
    [InlineData("&notit; &notin; &not", "¬it; ∉ ¬")]
    [InlineData("&#65&#x42;&#X43 &#128;&#x81;&#0;&#xD800;&#x110000;", "ABC €\u0081\uFFFD\uFFFD\uFFFD")]
    [InlineData("&#1;&#11;&#127;&#xFFFE;&#13;|", "\r|")]
    [InlineData("& &; &# &#x; &bogus; &g &NotEqualTilde;", "& &; &# &#x; &bogus; &g ≂̸")]
    [InlineData("&CounterClockwiseContourIntegral;&#99999999999999999999;", "∳\uFFFD")]
    public void Unescape_AsPythonDoes(string text, string expected) => Assert.Equal(expected, HtmlEntities.Unescape(text));

    [Theory]
    [InlineData("&lt;tag&gt; &Jscr;ohn P&EACUTE;REZ &SZLIG;", "<tag> 𝒥ohn PÉREZ SS")]
    [InlineData("this&not that &ampx &#59; &#12a; &nTILDE;", "this&not that &ampx &#59; &#12a; &nTILDE;")]
    public void Repair_OnlyWhereASemicolonCloses(string text, string expected) => Assert.Equal(expected, HtmlEntities.Repair(text));

    [Theory]
    [InlineData("schÃ¶n â€œlike thisâ€\u009D", "schön \"like this\"")]
    [InlineData("voilÃ le travail, Ã\u00A0 la carte", "voilà le travail, à la carte")]
    [InlineData("LÃƒÂ©on", "Léon")]
    [InlineData("ðŸ˜€ and Ñ\u0081Ð¾Ð±Ð°ÐºÐ°", "😀 and собака")]
    [InlineData("not such a fan of Charlotte Brontë…”", "not such a fan of Charlotte Brontë…\"")]
    [InlineData("AHÅ™, the new sofa from IKEA®", "AHÅ™, the new sofa from IKEA®")]
    [InlineData("&amp;lt; stays <b> &amp;", "&amp;lt; stays <b> &amp;")]
    [InlineData("ＬＯＵＤ　ｶﾞ ﬂuﬃeﬆ ŉ \u001B[36;44mblue\u001B[0m\uFEFF", "LOUD ガ fluffiest 'n blue")]
    [InlineData("a\r\nb\rc\u2028d", "a\nb\nc\nd")]
    [InlineData("El león está en la montaña", "El león está en la montaña")]
    public void Fix_AsFtfyDoes(string text, string expected) => Assert.Equal(expected, TextRepair.Fix(text));

    [Fact]
    public void Fix_LoneSurrogates_ReplacementCharacters() =>
        Assert.Equal("a\uFFFDb 😀\uFFFD", TextRepair.Fix("a\uD83Db \uD83D\uDE00\uDE00"));

    [Theory]
    [InlineData(ClipDialect.OpenAi, "Tom &amp; Jerry’s  CAFÉ", "tom & jerry's café")]
    [InlineData(ClipDialect.Transformers, "Tom &amp; Jerry’s  CAFÉ", "tom &amp; jerry’s café")]
    [InlineData(ClipDialect.OpenClipWhitespace, "Tom &amp; Jerry’s  CAFÉ", "Tom & Jerry's CAFÉ")]
    [InlineData(ClipDialect.OpenClipCanonicalize, "Tom_&amp; Jerry’s  CAFÉ!", "tom jerrys café")]
    public void Clean_ByDialect(ClipDialect dialect, string text, string expected) =>
        Assert.Equal(expected, ClipCleaning.Clean(text, dialect));

    [Theory]
    [InlineData(ClipDialect.OpenAi, "'ſ'ſt", "'ſ|'ſ|t")]
    [InlineData(ClipDialect.OpenAi, "<|ſtartoftext|>!", "<|ſtartoftext|>|!")]
    [InlineData(ClipDialect.OpenAi, "a\u0345b", "a|b")]
    [InlineData(ClipDialect.Transformers, "a\u0345b", "a|\u0345|b")]
    [InlineData(ClipDialect.Transformers, "<|endoftext|>! #<|endoftext|>!", "<||endoftext||>|!|#<||endoftext||>!")]
    [InlineData(ClipDialect.OpenAi, "it's 12 x²!'s <|", "it|'s|1|2|x|²|!'|s|<|")]
    [InlineData(ClipDialect.OpenClipWhitespace, "WE'RE <END_OF_TEXT>", "WE|'RE|<END_OF_TEXT>")]
    public void Words_ByDialect(ClipDialect dialect, string clean, string expected)
    {
        var words = new List<string>();
        var reader = new ClipWordReader(clean, ClipWordRules.Of(dialect));
        while (reader.MoveNext())
            words.Add(reader.Current.ToString());
        Assert.Equal(expected, string.Join('|', words));
    }
}
