using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Imaging.Lettering;
using SkiaSharp;

namespace Alebrije.Tests.Imaging;

/// <summary>Letters on images: their order, their fonts, and the fallback for characters that the embedded typeface lacks.</summary>
public sealed class LetteringTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-fonts-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("león", "león")]
    [InlineData("leo\u0301n", "león")]
    [InlineData("a\tb", "a b")]
    [InlineData("\u05D0\u05D1\u05D2", "\u05D2\u05D1\u05D0")]
    [InlineData("say \u05D0\u05D1 12 now", "say 12 \u05D1\u05D0 now")]
    [InlineData("\u05D0 (abc) \u05D1", "\u05D1 (abc) \u05D0")]
    [InlineData("\u05D0 (\u05D1)", "(\u05D1) \u05D0")]
    [InlineData("\u05D0\u05D1.png", "png.\u05D1\u05D0")]
    [InlineData("\u05E2\u05B4\u05D1", "\u05D1\u05E2")]
    [InlineData("\u0645\u0631\u062D\u0628\u0627", "\uFE8E\uFE92\uFEA3\uFEAE\uFEE3")]
    [InlineData("\u0644\u0627 \u0628", "\uFE8F \uFEFB")]
    [InlineData("\u0628\u064E\u0628", "\uFE90\uFE91")]
    [InlineData("\u067E\u06CC", "\uFBFD\uFB58")]
    [InlineData("\U0001F468\u200D\U0001F469 \u2764\uFE0F", "\U0001F468\U0001F469 \u2764")]
    [InlineData("\U0001F44D\U0001F3FD", "\U0001F44D")]
    public void Order_IsThatOfDrawing(string text, string drawn) =>
        Assert.Equal(drawn, string.Concat(VisualOrder.Of(text).Select(grapheme => grapheme.Text)));

    [Fact]
    public void Letter_ThatTheEmbeddedTypefaceLacks_ComesFromAFontFileOfTheFolders()
    {
        Directory.CreateDirectory(Path.Combine(folder, "truetype", "own"));
        TestFont.Write(Path.Combine(folder, "truetype", "own", "Own.ttf"), 0x732B, 0x1F981);
        File.WriteAllText(Path.Combine(folder, "Broken.ttf"), "no font");
        var fonts = new SystemFonts([folder, Path.Combine(folder, "none")]);
        Assert.NotNull(fonts.Find(0x732B, emoji: false, bold: false));
        Assert.NotNull(fonts.Find(0x1F981, emoji: true, bold: true));
        Assert.Null(fonts.Find(0x72AC, emoji: false, bold: false));

        Assert.Equal(20, Drawn("\u732B", fonts).Width, 0.5f);
        Assert.InRange(Drawn("\u732B", fonts).Ink, 75, 110);
        Assert.InRange(Drawn("\U0001F981", fonts).Ink, 155, 200);
        var box = Drawn("\u72AC", fonts);
        Assert.Equal(Drawn("\u72AC", new SystemFonts([])), box);
        Assert.NotEqual(Drawn("\u732B", new SystemFonts([])), Drawn("\u732B", fonts));
    }

    [Fact]
    public void Decomposed_IsDrawnAsComposed()
    {
        var none = new SystemFonts([]);
        Assert.Equal(Pixels("león", none), Pixels("leo\u0301n", none));
    }

    [Fact]
    public void Font_WithoutFormsOfArabic_ShowsTheLetters()
    {
        TestFont.Write(Path.Combine(folder, "Plain.ttf"), 0x0628, 0x0644, 0x0627);
        var fonts = new SystemFonts([folder]);
        Assert.Equal(40, Drawn("\u0628\u0628", fonts).Width, 0.5f);
        Assert.Equal(40, Drawn("\u0644\u0627", fonts).Width, 0.5f);
    }

    [Fact]
    public void Choice_IsUprightSansSerif_AndEmojiFontsForEmoji()
    {
        foreach (var name in new[] { "A-Serif.ttf", "A-SansOblique.ttf", "B-Sans.ttf", "A-ColorEmoji.ttf", "LastResort.otf" })
            TestFont.Write(Path.Combine(folder, name), 0x732B, name[0], name.Length);
        var fonts = new SystemFonts([folder]);
        Assert.True(fonts.Find(0x732B, emoji: false, bold: false)!.ContainsGlyph("B-Sans.ttf".Length));
        Assert.True(fonts.Find(0x732B, emoji: true, bold: false)!.ContainsGlyph("A-ColorEmoji.ttf".Length));
    }

    [Fact]
    public void Emoji_IsDrawnInColour()
    {
        var pixels = Pixels("\U0001F981", SystemFonts.Default);
        Assert.Contains(Enumerable.Range(0, pixels.Length / 4), i => pixels[4 * i] > pixels[(4 * i) + 2] + 80);
    }

    [Fact]
    public void Sheet_DrawsLettersOfOtherFontsToo()
    {
        var sheet = PictureSheet.Draw([new RgbImage(64, 64)], ["\U0001F981"], new PictureSheetOptions { CellSize = 128, TextSize = 24 });
        var below = Enumerable.Range(sheet.Width * 136, sheet.Width * (sheet.Height - 136));
        Assert.Contains(below, i => sheet.Pixels[3 * i] > sheet.Pixels[(3 * i) + 2] + 80);
    }

    private static (float Width, int Ink) Drawn(string text, SystemFonts fonts)
    {
        using var face = new TextFace(20, system: fonts);
        var pixels = Pixels(text, fonts);
        return (face.Measure(text), Enumerable.Range(0, pixels.Length / 4).Count(i => pixels[4 * i] < 128));
    }

    private static byte[] Pixels(string text, SystemFonts fonts)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(120, 40, SKColorType.Rgba8888, SKAlphaType.Opaque));
        using var canvas = new SKCanvas(bitmap);
        using var face = new TextFace(20, system: fonts);
        using var ink = new SKPaint { IsAntialias = true };
        canvas.Clear(SKColors.White);
        face.Draw(canvas, text, 10, 30, ink);
        return bitmap.Bytes;
    }
}
