using System.Xml.Linq;
using Alebrije.Embeddings;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;
using Alebrije.Tests.Embeddings;
using SkiaSharp;

namespace Alebrije.Tests.Reports;

public sealed class EmbeddingPlotTests
{
    [Fact]
    public void Of_PicturesAndTexts_SeparatesThemAlongTheFirstComponent()
    {
        var plot = Clusters(5, 4);
        var images = plot.Points.Where(point => point.Kind == EmbeddingKind.Image).Select(point => point.X).ToArray();
        var texts = plot.Points.Where(point => point.Kind == EmbeddingKind.Text).Select(point => point.X).ToArray();
        Assert.True(images.Min() > texts.Max() || images.Max() < texts.Min());
        Assert.InRange(plot.ExplainedVarianceRatio[0], plot.ExplainedVarianceRatio[1], 1);

        var pca = PrincipalComponents.Fit([[1, 0], [-1, 0], [0, 0.5f]], 2);
        var small = EmbeddingPlot.Of([
            new(EmbeddingKind.Image, "a", [1, 0]), new(EmbeddingKind.Image, "b", [-1, 0]), new(EmbeddingKind.Text, "c", [0, 0.5f])]);
        Assert.Equal(pca.Transform([0, 0.5f]), new[] { small.Points[2].X, small.Points[2].Y });
    }

    [Theory]
    [InlineData(3, 2)]
    [InlineData(8, 5)]
    [InlineData(15, 5)]
    [InlineData(40, 3)]
    public void Layout_ManyLabels_NeverOverlapAndNeverLeaveTheFrame(int clusters, int each)
    {
        var layout = PlotLayout.Of(Clusters(clusters, each), new ReportOptions { Language = "es" });
        var frame = FrameOf(layout);
        var boxes = layout.Shapes.OfType<PlotText>().Where(text => text.Label)
            .Select(text => new Box(text.X - text.Width / 2, text.Baseline - text.Size * 0.8f, text.Width, text.Size)).ToArray();
        Assert.NotEmpty(boxes);
        Assert.All(boxes, box => Assert.True(frame.Holds(box), box.ToString()));
        for (var i = 0; i < boxes.Length; i++)
            for (var j = 0; j < i; j++)
                Assert.False(boxes[i].Meets(boxes[j]), $"{boxes[i]} {boxes[j]}");
    }

    [Fact]
    public void Layout_FortyTextsInAFewCrowds_ShowsEveryLabel()
    {
        var plot = Clusters(8, 5);
        var shown = PlotLayout.Of(plot, new ReportOptions()).Shapes.OfType<PlotText>()
            .Where(text => text.Label && text.Size == 13).ToArray();
        foreach (var point in plot.Points.Where(point => point.Kind == EmbeddingKind.Text))
            Assert.Contains(shown, text => point.Label.StartsWith(text.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Layout_LongAndEqualLabelsInOnePlace_StayApart()
    {
        var points = Enumerable.Range(0, 20).Select(_ => new EmbeddingPoint(EmbeddingKind.Text, new string('x', 400), 1, 1)).ToArray();
        var layout = PlotLayout.Of(new EmbeddingPlot(points, [0, 0]), new ReportOptions());
        var baselines = layout.Shapes.OfType<PlotText>().Where(text => text.Label).Select(text => text.Baseline).ToArray();
        Assert.True(baselines.Length >= 20);
        Assert.All(layout.Shapes.OfType<PlotText>(), text => Assert.True(text.Width <= 330));
    }

    [Fact]
    public void Layout_PictureBesideItsPoint_HasALeaderAboveAllPictures()
    {
        var points = Enumerable.Range(0, 12)
            .Select(i => new EmbeddingPoint(EmbeddingKind.Image, $"{i}.png", i == 11 ? 1 : i / 1000.0, i == 11 ? 1 : 0)).ToArray();
        var layout = PlotLayout.Of(new EmbeddingPlot(points, [0.6, 0.4], [.. points.Select(_ => new RgbImage(8, 8))]), new ReportOptions());
        var shapes = layout.Shapes.ToList();
        var pictures = shapes.OfType<PlotPicture>().ToDictionary(picture => picture.Point);
        var pins = shapes.OfType<PlotDot>().Where(dot => dot.Point >= 0).ToArray();
        var leaders = shapes.OfType<PlotLine>().Where(line => line.Width == 1.3f).ToArray();
        Assert.NotEmpty(leaders);
        foreach (var pin in pins)
        {
            var place = pictures[pin.Point].Place;
            var isOn = place.Holds(new Box(pin.X, pin.Y, 0, 0));
            var own = leaders.Where(line => (line.X1, line.Y1) == (pin.X, pin.Y)).ToArray();
            Assert.Equal(!isOn, own.Length > 0);
            Assert.All(own, line => Assert.True(place.Grow(0.1f).Holds(new Box(line.X2, line.Y2, 0, 0))
                && !place.Grow(-0.1f).Holds(new Box(line.X2, line.Y2, 0, 0))));
        }

        Assert.True(shapes.FindLastIndex(shape => shape is PlotPicture) < shapes.FindIndex(shape => shape is PlotLine { Width: 1.3f }));
    }

    [Fact]
    public void PictureSpread_EqualPlaces_ComeApartInsideTheFrame()
    {
        var frame = new Box(0, 0, 300, 300);
        var moved = PictureSpread.Apart([.. Enumerable.Repeat(Box.Around(280, 20, 40, 30), 9)], frame);
        for (var i = 0; i < moved.Length; i++)
        {
            Assert.True(frame.Holds(moved[i]));
            for (var j = 0; j < i; j++) Assert.InRange(moved[i].Shared(moved[j]), 0, 40 * 30 * 0.05f);
        }

        var alone = Box.Around(100, 100, 40, 30);
        Assert.Equal([alone], PictureSpread.Apart([alone], frame));
    }

    [Theory]
    [InlineData(0, 0, 10, 10, true)]
    [InlineData(0, 3, 10, 3, true)]
    [InlineData(0, 0, 3, 3, false)]
    [InlineData(0, 7, 10, 7, false)]
    [InlineData(5, 5, 5.5, 5.5, true)]
    public void Box_Crosses_FindsLinesThroughIt(float x1, float y1, float x2, float y2, bool crosses) =>
        Assert.Equal(crosses, new Box(4, 2, 4, 4).Crosses((x1, y1), (x2, y2)));

    [Theory]
    [InlineData(0, 1, new[] { 0.0, 0.2, 0.4, 0.6, 0.8, 1.0 })]
    [InlineData(-3, 47, new[] { 0.0, 10, 20, 30, 40 })]
    public void Axis_Ticks_AreRoundNumbers(double low, double high, double[] inside)
    {
        var ticks = new Axis(low, high).Ticks(6).Where(tick => tick.Value >= low - 1e-9 && tick.Value <= high + 1e-9).ToArray();
        Assert.Equal(inside, ticks.Select(tick => Math.Round(tick.Value, 9)));
        Assert.Equal(ticks.Length, ticks.Select(tick => tick.Text).Distinct().Count());
    }

    [Fact]
    public void Png_HasBothColoursAndTheSameBytesEachTime()
    {
        var plot = Clusters(3, 3);
        var png = plot.ToPng();
        Assert.Equal(png, plot.ToPng());
        using var bitmap = SKBitmap.Decode(png);
        Assert.Equal(2000, bitmap.Width);
        var (blue, orange) = (0, 0);
        for (var y = 0; y < bitmap.Height; y += 2)
            for (var x = 0; x < bitmap.Width; x += 2)
            {
                var c = bitmap.GetPixel(x, y);
                if (c.Blue > c.Red + 90) blue++;
                if (c.Red > 220 && c.Blue < 60 && c.Green is > 100 and < 150) orange++;
            }

        Assert.True(blue > 100 && orange > 100, $"{blue} blue and {orange} orange pixels");
    }

    [Fact]
    public void Svg_IsWellFormedAndEscapesLabels()
    {
        var plot = new EmbeddingPlot(
            [new(EmbeddingKind.Text, "a <b> & \"c\"\u0001", 0, 0), new(EmbeddingKind.Image, "león.png", 1, 1)], [0.7, 0.3],
            [null, new RgbImage(4, 2)]);
        var svg = XDocument.Parse(plot.ToSvg(new() { Language = "es", Title = "Título" }));
        var texts = svg.Descendants().Where(e => e.Name.LocalName == "text").Select(e => e.Value).ToArray();
        Assert.Contains("a <b> & \"c\"", texts.Select(text => text.Trim()));
        Assert.Contains("CP 1 (70.0 % de la varianza)", texts);
        Assert.Contains("Título", texts);
        Assert.StartsWith("data:image/png;base64,", svg.Descendants().Single(e => e.Name.LocalName == "image").Attribute("href")!.Value,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Html_IsSelfContained()
    {
        var page = Clusters(2, 2).ToHtml(new() { Language = "es" });
        Assert.Contains("<html lang=\"es\">", page, StringComparison.Ordinal);
        Assert.Equal(8, page.Split("class=\"point\"").Length - 1);
        Assert.DoesNotContain("http", page.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void Csv_ListsKindLabelAndPlace() => Assert.Equal(
        "kind,label,x,y\r\nimage,a.png,0.500000,-0.250000\r\ntext,\"un león, grande\",0.000000,1.000000\r\n",
        new EmbeddingPlot([new(EmbeddingKind.Image, "a.png", 0.5, -0.25), new(EmbeddingKind.Text, "un león, grande", -1e-9, 1)],
            [0.5, 0.5]).ToCsv());

    [Fact]
    public void OnePoint_OrOneNumber_IsDrawnAllTheSame()
    {
        Assert.NotEmpty(EmbeddingPlot.Of([new(EmbeddingKind.Text, "solo", [1, 2, 3])]).ToPng());
        Assert.NotEmpty(EmbeddingPlot.Of([new(EmbeddingKind.Text, "a", [1]), new(EmbeddingKind.Image, "b", [2])]).ToSvg());
        Assert.Throws<ArgumentException>(() => EmbeddingPlot.Of([]));
        Assert.Throws<ArgumentException>(() => new EmbeddingPlot([new(EmbeddingKind.Text, "a", double.NaN, 0)], [1, 0]));
        Assert.Throws<ArgumentException>(() => new EmbeddingPlot([new(EmbeddingKind.Text, "a", 0, 0)], [1]));
        Assert.Throws<ArgumentException>(() => Clusters(1, 1).Save("x.pdf"));
    }

    private static Box FrameOf(PlotLayout layout)
    {
        var lines = layout.Shapes.OfType<PlotLine>().Where(line => line.Width == 1).ToArray();
        var (x, y) = (lines.Min(line => line.X1), lines.Min(line => line.Y1));
        return new Box(x, y, lines.Max(line => line.X2) - x, lines.Max(line => line.Y2) - y);
    }

    /// <summary>Images and texts of the same things, some distance apart, as in CLIP.</summary>
    private static EmbeddingPlot Clusters(int clusters, int each)
    {
        var (centres, gap, noise) = (Samples.Rows(clusters, 48, 1), Samples.Rows(1, 48, 2)[0], Samples.Rows(2 * clusters * each, 48, 3));
        var items = new List<EmbeddingItem>();
        foreach (var sign in new[] { 1f, -1f })
            for (var c = 0; c < clusters; c++)
                for (var i = 0; i < each; i++)
                {
                    var jitter = noise[items.Count];
                    var row = centres[c].Select((x, j) => 0.5f * x + sign * gap[j] + 0.2f * jitter[j]).ToArray();
                    items.Add(sign > 0
                        ? new EmbeddingItem(EmbeddingKind.Image, $"imagen_{c}_{i}.png", Samples.Unit(row))
                        : new EmbeddingItem(EmbeddingKind.Text, $"fotografía {i} de la cosa número {c}", Samples.Unit(row)));
                }

        return EmbeddingPlot.Of(items);
    }
}
