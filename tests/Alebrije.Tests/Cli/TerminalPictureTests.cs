using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Alebrije.Cli.TerminalImages;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Imaging;

namespace Alebrije.Tests.Cli;

public sealed partial class TerminalPictureTests
{
    private static readonly RgbImage Picture = Gradient(60, 40);

    [Theory]
    [InlineData("KITTY_WINDOW_ID=1 TERM=xterm-kitty", nameof(TerminalProtocol.Kitty))]
    [InlineData("TERM=xterm-ghostty", nameof(TerminalProtocol.Kitty))]
    [InlineData("TERM=xterm-256color TERM_PROGRAM=iTerm.app", nameof(TerminalProtocol.ITerm))]
    [InlineData("TERM=xterm-256color TERM_PROGRAM=WezTerm", nameof(TerminalProtocol.ITerm))]
    [InlineData("TERM=foot", nameof(TerminalProtocol.Sixel))]
    [InlineData("TERM=xterm-256color WT_SESSION=x", nameof(TerminalProtocol.Sixel))]
    [InlineData("TERM=xterm-256color", nameof(TerminalProtocol.HalfBlocks))]
    [InlineData("TERM=xterm COLORTERM=truecolor", nameof(TerminalProtocol.HalfBlocks))]
    [InlineData("TERM=tmux-256color TMUX=/tmp/x KITTY_WINDOW_ID=1", nameof(TerminalProtocol.HalfBlocks))]
    [InlineData("TERM=vt100", nameof(TerminalProtocol.None))]
    [InlineData("TERM=dumb COLORTERM=truecolor", nameof(TerminalProtocol.None))]
    [InlineData("TERM=xterm-kitty NO_COLOR=1", nameof(TerminalProtocol.None))]
    [InlineData("TERM=dumb ALEBRIJE_GRAPHICS=sixel", nameof(TerminalProtocol.Sixel))]
    [InlineData("TERM=xterm-kitty ALEBRIJE_GRAPHICS=none", nameof(TerminalProtocol.None))]
    [InlineData("", nameof(TerminalProtocol.None))]
    public void Detect_OfAnEnvironment_PicksTheProtocol(string environment, string expected)
    {
        var variables = environment.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(p => p.Split('=')).ToDictionary(p => p[0], p => p[1]);
        Assert.Equal(expected, TerminalDetection.Detect(true, n => variables.GetValueOrDefault(n)).ToString());
        if (!variables.ContainsKey("ALEBRIJE_GRAPHICS"))
            Assert.Equal(TerminalProtocol.None, TerminalDetection.Detect(false, n => variables.GetValueOrDefault(n)));
    }

    [Fact]
    public void Render_ForKitty_CarriesThePngInPieces()
    {
        var noise = new RgbImage(80, 60, TestPictures.Noise(80 * 60 * 3, 1));
        var text = TerminalPicture.Render(noise, TerminalProtocol.Kitty, 30);
        var pieces = KittyPiece().Matches(text);
        Assert.Equal(text, string.Concat(pieces.Select(m => m.Value)) + "\n");
        Assert.StartsWith("a=T,f=100,q=2,c=30,m=1", pieces[0].Groups[1].Value, StringComparison.Ordinal);
        Assert.All(pieces.SkipLast(1),
            m => Assert.Equal((4096, true), (m.Groups[2].Length, m.Groups[1].Value.EndsWith("m=1", StringComparison.Ordinal))));
        Assert.Equal("m=0", pieces[^1].Groups[1].Value);
        Assert.Equal(noise.Pixels,
            RgbImage.FromBytes(Convert.FromBase64String(string.Concat(pieces.Select(m => m.Groups[2].Value)))).Pixels);
    }

    [Fact]
    public void Render_ForITerm_CarriesThePng()
    {
        var text = TerminalPicture.Render(Picture, TerminalProtocol.ITerm, 12);
        var match = ITermPicture().Match(text);
        var png = Convert.FromBase64String(match.Groups[2].Value);
        Assert.Equal(png.Length, int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
        Assert.Equal(Picture.Pixels, RgbImage.FromBytes(png).Pixels);
    }

    [Fact]
    public void Render_AsHalfBlocks_HasTwoPixelsACharacter()
    {
        var text = TerminalPicture.Render(new RgbImage(2, 3, [255, 0, 0, 255, 0, 0, 0, 255, 0, 0, 255, 0, 0, 0, 255, 1, 2, 3]),
            TerminalProtocol.HalfBlocks, 2);
        Assert.Equal("\e[38;2;255;0;0;48;2;0;255;0m▀▀\e[0m\n\e[38;2;0;0;255;49m▀\e[38;2;1;2;3;49m▀\e[0m\n", text);
    }

    [Fact]
    public void Render_AsSixel_DecodesToAPictureCloseToTheOriginal()
    {
        var sixel = TerminalPicture.Render(Picture, TerminalProtocol.Sixel, 6).TrimEnd('\n');
        var (width, height, decoded) = DecodeSixel(sixel);
        Assert.Equal((60, 40), (width, height));
        // Dithering keeps the mean: blocks of 10 x 10 differ by little.
        for (var y = 0; y < 40; y += 10)
        {
            for (var x = 0; x < 60; x += 10)
            {
                for (var c = 0; c < 3; c++)
                    Assert.Equal(Mean(Picture.Pixels, x, y, c), Mean(decoded, x, y, c), 6.0);
            }
        }
        double Mean(byte[] pixels, int x, int y, int c) =>
            Enumerable.Range(0, 100).Average(i => pixels[((y + i / 10) * 60 + x + i % 10) * 3 + c]);
    }

    [Fact]
    public void Render_OfFewColours_KeepsThemAll()
    {
        var colours = new byte[][] { [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0] };
        var image = new RgbImage(50, 7, [.. Enumerable.Range(0, 350).SelectMany(i => colours[i % 50 / 10])]);
        Assert.Equal(image.Pixels, DecodeSixel(SixelEncoder.Encode(image)).Pixels);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 300)]
    [InlineData(300, 1)]
    public void Render_OfOddSizes_GivesText(int width, int height)
    {
        foreach (var protocol in Enum.GetValues<TerminalProtocol>().Where(p => p != TerminalProtocol.None))
            Assert.NotEmpty(TerminalPicture.Render(Gradient(width, height), protocol, 3));
        Assert.Empty(TerminalPicture.Render(Picture, TerminalProtocol.None));
        Assert.Throws<ArgumentOutOfRangeException>(() => TerminalPicture.Render(Picture, TerminalProtocol.Sixel, 0));
    }

    /// <summary>A small sixel terminal.</summary>
    private static (int Width, int Height, byte[] Pixels) DecodeSixel(string sixel)
    {
        var head = SixelHead().Match(sixel);
        Assert.True(head.Success && sixel.EndsWith("\e\\", StringComparison.Ordinal));
        var (width, height) = (int.Parse(head.Groups[1].Value, CultureInfo.InvariantCulture),
            int.Parse(head.Groups[2].Value, CultureInfo.InvariantCulture));
        var (pixels, palette, x, y, colour) = (new byte[width * height * 3], new Dictionary<int, byte[]>(), 0, 0, 0);
        foreach (Match token in SixelToken().Matches(sixel[head.Length..^2]))
        {
            if (token.Groups["define"].Success)
            {
                var numbers = token.Groups["define"].Value.Split(';').Select(n => int.Parse(n, CultureInfo.InvariantCulture)).ToArray();
                palette[numbers[0]] = [.. numbers[2..].Select(p => (byte)Math.Round(p * 2.55))];
            }
            else if (token.Groups["select"].Success)
                colour = int.Parse(token.Groups["select"].Value, CultureInfo.InvariantCulture);
            else if (token.Value == "$")
                x = 0;
            else if (token.Value == "-")
                (x, y) = (0, y + 6);
            else
            {
                var count = token.Groups["count"].Success ? int.Parse(token.Groups["count"].Value, CultureInfo.InvariantCulture) : 1;
                var mask = token.Value[^1] - '?';
                for (; count > 0; count--, x++)
                {
                    for (var bit = 0; bit < 6; bit++)
                    {
                        if ((mask >> bit & 1) != 0)
                            palette[colour].CopyTo(pixels, ((y + bit) * width + x) * 3);
                    }
                }
            }
        }
        return (width, height, pixels);
    }

    private static RgbImage Gradient(int width, int height)
    {
        var image = new RgbImage(width, height);
        for (var i = 0; i < width * height; i++)
            (image.Pixels[i * 3], image.Pixels[i * 3 + 1], image.Pixels[i * 3 + 2]) = ((byte)(i % width * 255 / width),
                (byte)(i / width * 255 / height), (byte)(i % 7 * 20));
        return image;
    }

    [GeneratedRegex(@"\e_G([^;]*);([A-Za-z0-9+/=]*)\e\\")]
    private static partial Regex KittyPiece();

    [GeneratedRegex(@"^\e\]1337;File=inline=1;size=(\d+);width=12;preserveAspectRatio=1:([A-Za-z0-9+/=]+)\a\n$")]
    private static partial Regex ITermPicture();

    [GeneratedRegex(@"^\eP0;1;0q""1;1;(\d+);(\d+)")]
    private static partial Regex SixelHead();

    [GeneratedRegex(@"#(?<define>\d+;2;\d+;\d+;\d+)|#(?<select>\d+)|!(?<count>\d+)[?-~]|[?-~]|\$|-")]
    private static partial Regex SixelToken();
}
