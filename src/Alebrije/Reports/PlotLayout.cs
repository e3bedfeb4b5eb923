using System.Globalization;
using Alebrije.Embeddings;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Imaging.Lettering;

namespace Alebrije.Reports;

/// <summary>One thing to draw, in logical pixels; <c>Point</c> is the index of the point it shows, or -1.</summary>
internal abstract record PlotShape;

internal sealed record PlotLine(float X1, float Y1, float X2, float Y2, Rgb Colour, float Width = 1) : PlotShape;

/// <summary>
/// A line of text; Align is -1, 0 or 1 for left, middle or right at X. A Label names a point: it gets a white rim and a known Width, and
/// may be hidden. Upward is turned by 90° around (X, Baseline).
/// </summary>
internal sealed record PlotText(
    string Text, float X, float Baseline, float Size, Rgb Colour,
    int Align = -1, bool Bold = false, bool Label = false, bool Upward = false,
    float Width = 0) : PlotShape;

internal sealed record PlotDot(float X, float Y, float Radius, Rgb Colour, int Point = -1) : PlotShape;

internal sealed record PlotDiamond(float X, float Y, float Radius, Rgb Colour, int Point = -1) : PlotShape;

internal sealed record PlotPicture(Box Place, RgbImage Image, Rgb Rim, int Point) : PlotShape;

/// <summary>Layout of an <see cref="EmbeddingPlot"/>; PNG and SVG draw the same shapes.</summary>
internal sealed class PlotLayout
{
    public const float Width = 1000;
    private const float Edge = 22, Left = 74, Right = 22, Bottom = 60, LowestPlot = 560, CrowdedPlot = 800, PerText = 18;
    private const float LabelSize = 13, SmallSize = 10.5f, DotRadius = 5.5f, DiamondRadius = 7, PinRadius = 3.5f, PinFrom = 4;
    private const int MaxNamedImages = 60, MaxColumn = 75;
    private const double MaxTrouble = 0.15; // share of labels that stand far away before a column is tried

    public static readonly Rgb Blue = new(0x1f, 0x6f, 0xb4), Orange = new(0xf0, 0x7d, 0x0a), DarkOrange = new(0x9c, 0x45, 0x00);
    private static readonly Rgb White = new(0xff, 0xff, 0xff), Ink = new(0x1b, 0x1f, 0x24),
        Soft = new(0x5c, 0x66, 0x70), Grid = new(0xe9, 0xed, 0xf1), Rim = new(0xc4, 0xcc, 0xd4);
    private static readonly Rgb PaleOrange = new(0xc7, 0x9a, 0x6b), PaleBlue = new(0x86, 0xab, 0xcf), DarkBlue = new(0x2a, 0x5c, 0x8f);

    private readonly EmbeddingPlot plot;
    private readonly ReportWords words;
    private readonly List<PlotShape> shapes = [];
    private readonly (float X, float Y)[] places;
    private readonly Box[] marks;
    private readonly Box frame;
    private readonly float picture;

    private PlotLayout(EmbeddingPlot plot, ReportOptions options)
    {
        (this.plot, words) = (plot, options.Words);
        var title = options.Title ?? words.PlotTitle;
        var top = AddHeading(title, options.Model);
        var texts = plot.Points.Count(point => point.Kind == EmbeddingKind.Text);
        frame = new Box(Left, top, Width - Left - Right, texts > MaxColumn ? CrowdedPlot : Math.Max(LowestPlot, PerText * texts));
        Height = frame.Bottom + Bottom;
        var images = plot.Thumbnails.Count(image => image is not null);
        picture = images <= 12 ? 64 : images <= 30 ? 50 : images <= 60 ? 38 : 28;
        var margin = images > 0 ? picture / 2 + 10 : 26;
        var (x, y) = (Axis.Of(plot.Points.Select(p => p.X)), Axis.Of(plot.Points.Select(p => p.Y)));
        AddAxes(x, y, margin);
        places = [.. plot.Points.Select(p => (Across(x, p.X, margin), Up(y, p.Y, margin)))];
        marks = PlaceMarks();
        AddPoints();
        AddLabels();
    }

    public float Height { get; }

    public IReadOnlyList<PlotShape> Shapes => shapes;

    public static PlotLayout Of(EmbeddingPlot plot, ReportOptions options) => new(plot, options);

    /// <summary>Title, legend and model; returns where the frame begins.</summary>
    private float AddHeading(string title, string? model)
    {
        using var small = new TextFace(LabelSize);
        var y = Edge;
        if (title.Length > 0)
        {
            using var large = new TextFace(20, bold: true);
            foreach (var line in large.Wrap(title, Width - 2 * Edge, 2))
            {
                shapes.Add(new PlotText(line, Edge, y + large.Baseline, large.Size, Ink, Bold: true));
                y += large.LineHeight;
            }

            y += 8;
        }

        var (images, texts) = (plot.Points.Count(p => p.Kind == EmbeddingKind.Image), plot.Points.Count(p => p.Kind == EmbeddingKind.Text));
        var (x, middle) = (Edge + 8, y + small.LineHeight / 2);
        if (images > 0) x = AddKey(new PlotDot(x, middle, DotRadius, Blue), $"{words.Images} ({images})", x, y, small);
        if (texts > 0) AddKey(new PlotDiamond(x, middle, DiamondRadius, Orange), $"{words.Texts} ({texts})", x, y, small);
        if (model is { Length: > 0 })
            shapes.Add(new PlotText(
                small.Shorten($"{words.Model}: {model}", Width / 2), Width - Right, y + small.Baseline, small.Size, Soft, Align: 1));
        return y + small.LineHeight + 12;
    }

    private float AddKey(PlotShape mark, string text, float x, float y, TextFace face)
    {
        shapes.Add(mark);
        shapes.Add(new PlotText(text, x + 12, y + face.Baseline, face.Size, Ink));
        return x + 12 + face.Measure(text) + 28;
    }

    private float Across(Axis axis, double value, float margin) => frame.X + margin + (float)axis.Share(value) * (frame.Width - 2 * margin);

    private float Up(Axis axis, double value, float margin) =>
        frame.Bottom - margin - (float)axis.Share(value) * (frame.Height - 2 * margin);

    private void AddAxes(Axis x, Axis y, float margin)
    {
        using var face = new TextFace(12);
        foreach (var (value, text) in x.Ticks(8))
        {
            var at = Across(x, value, margin);
            if (at < frame.X || at > frame.Right) continue;
            shapes.Add(new PlotLine(at, frame.Y, at, frame.Bottom, Grid));
            shapes.Add(new PlotText(text, at, frame.Bottom + 6 + face.Baseline, face.Size, Soft, Align: 0));
        }

        foreach (var (value, text) in y.Ticks(6))
        {
            var at = Up(y, value, margin);
            if (at < frame.Y || at > frame.Bottom) continue;
            shapes.Add(new PlotLine(frame.X, at, frame.Right, at, Grid));
            shapes.Add(new PlotText(text, frame.X - 8, at + face.Size * 0.36f, face.Size, Soft, Align: 1));
        }

        shapes.Add(new PlotLine(frame.X, frame.Y, frame.Right, frame.Y, Rim));
        shapes.Add(new PlotLine(frame.X, frame.Bottom, frame.Right, frame.Bottom, Rim));
        shapes.Add(new PlotLine(frame.X, frame.Y, frame.X, frame.Bottom, Rim));
        shapes.Add(new PlotLine(frame.Right, frame.Y, frame.Right, frame.Bottom, Rim));
        shapes.Add(new PlotText(AxisTitle(0), frame.X + frame.Width / 2, frame.Bottom + 44, LabelSize, Ink, Align: 0));
        shapes.Add(new PlotText(AxisTitle(1), Edge, frame.Y + frame.Height / 2, LabelSize, Ink, Align: 0, Upward: true));
    }

    private string AxisTitle(int axis) => string.Create(
        CultureInfo.InvariantCulture, $"{words.Component} {axis + 1} ({plot.ExplainedVarianceRatio[axis] * 100:0.0} % {words.OfVariance})");

    /// <summary>Boxes of all marks; images are moved apart where they would hide each other.</summary>
    private Box[] PlaceMarks()
    {
        var boxes = Enumerable.Range(0, places.Length).Select(MarkOf).ToArray();
        var pictures = Enumerable.Range(0, places.Length).Where(HasPicture).ToArray();
        var apart = PictureSpread.Apart([.. pictures.Select(i => boxes[i])], frame.Grow(-4));
        for (var k = 0; k < pictures.Length; k++) boxes[pictures[k]] = apart[k];
        return boxes;
    }

    private bool HasPicture(int point) => plot.Thumbnails[point] is not null && plot.Points[point].Kind == EmbeddingKind.Image;

    private void AddPoints()
    {
        var pins = Enumerable.Range(0, places.Length).Where(i => HasPicture(i) && Moved(i) > PinFrom).ToArray();
        for (var i = 0; i < places.Length; i++)
        {
            if (plot.Points[i].Kind != EmbeddingKind.Image) continue;
            if (HasPicture(i)) shapes.Add(new PlotPicture(marks[i], plot.Thumbnails[i]!, Blue, i));
            else shapes.Add(new PlotDot(places[i].X, places[i].Y, DotRadius, Blue, i));
        }

        // Above the images: a neighbour's image may lie over the way, and over the point.
        var leaders = pins.Select(i => LeaderOf(places[i], marks[i])).OfType<((float X, float Y) From, (float X, float Y) To)>().ToArray();
        foreach (var (colour, width) in new[] { (White, 3f), (Blue, 1.3f) })
            shapes.AddRange(leaders.Select(line => new PlotLine(line.From.X, line.From.Y, line.To.X, line.To.Y, colour, width)));
        foreach (var i in pins) shapes.Add(new PlotDot(places[i].X, places[i].Y, PinRadius, Blue, i));
        for (var i = 0; i < places.Length; i++)
            if (plot.Points[i].Kind == EmbeddingKind.Text) shapes.Add(new PlotDiamond(places[i].X, places[i].Y, DiamondRadius, Orange, i));
    }

    /// <summary>The line from a point to the edge of its image, towards the middle; null if the point lies on the image.</summary>
    private static ((float X, float Y) From, (float X, float Y) To)? LeaderOf((float X, float Y) point, Box picture)
    {
        if (point.X >= picture.X && point.X <= picture.Right && point.Y >= picture.Y && point.Y <= picture.Bottom) return null;
        var (dx, dy) = (picture.X + picture.Width / 2 - point.X, picture.Y + picture.Height / 2 - point.Y);
        var inside = MathF.Min(dx == 0 ? float.PositiveInfinity : picture.Width / 2 / MathF.Abs(dx),
            dy == 0 ? float.PositiveInfinity : picture.Height / 2 / MathF.Abs(dy));
        return (point, (point.X + dx * (1 - inside), point.Y + dy * (1 - inside)));
    }

    /// <summary>Distance of an image from its point.</summary>
    private float Moved(int point) => MathF.Abs(marks[point].X + marks[point].Width / 2 - places[point].X)
        + MathF.Abs(marks[point].Y + marks[point].Height / 2 - places[point].Y);

    private void AddLabels()
    {
        var inside = frame.Grow(-3);
        var placement = new LabelPlacement(inside, marks);
        var texts = Enumerable.Range(0, places.Length).Where(i => plot.Points[i].Kind == EmbeddingKind.Text).ToArray();
        using var face = new TextFace(LabelSize);
        var labels = Wrap(texts, face, 190, 2);
        var boxes = placement.Place(labels.Requests, optional: texts.Length > MaxColumn);
        var trouble = LabelPlacement.Trouble(labels.Requests, boxes);
        if (texts.Length <= MaxColumn && trouble > MaxTrouble * texts.Length)
        {
            var lines = Wrap(texts, face, 330, 1);
            var column = new LabelColumn(inside, marks).Place(lines.Requests);
            if (column.Count(box => box is null) <= boxes.Count(box => box is null))
            {
                placement = new LabelPlacement(inside, marks);
                placement.Take(column.OfType<Box>());
                (labels, boxes) = (lines, column);
            }
        }

        AddLabels(labels, boxes, face, DarkOrange, PaleOrange);
        AddImageNames(placement);
        if (boxes.Count(box => box is null) is > 0 and var missing)
            shapes.Add(new PlotText($"{words.LabelsLeftOut}: {missing}", frame.Right, frame.Bottom + 44, 12, Soft, Align: 1));
    }

    private void AddImageNames(LabelPlacement placement)
    {
        var images = Enumerable.Range(0, places.Length).Where(i => plot.Points[i].Kind == EmbeddingKind.Image && !HasPicture(i)).ToArray();
        if (images.Length > MaxNamedImages) return;
        using var face = new TextFace(SmallSize);
        var labels = Wrap(images, face, 150, 1);
        AddLabels(labels, placement.Place(labels.Requests, optional: true), face, DarkBlue, PaleBlue);
    }

    private (IReadOnlyList<string>[] Lines, LabelRequest[] Requests) Wrap(int[] points, TextFace face, float widest, int most)
    {
        var lines = points.Select(i => face.Wrap(plot.Points[i].Label, widest, most)).ToArray();
        return (lines, [.. points.Select((point, i) => new LabelRequest(
            places[point].X, places[point].Y, RadiusOf(point), lines[i].Max(face.Measure), lines[i].Count * face.LineHeight))]);
    }

    private void AddLabels((IReadOnlyList<string>[] Lines, LabelRequest[] Requests) labels,
        Box?[] boxes, TextFace face, Rgb colour, Rgb line)
    {
        for (var i = 0; i < boxes.Length; i++)
            if (boxes[i] is { } box && LabelPlacement.LeaderOf(labels.Requests[i], box) is { } leader)
                shapes.Add(new PlotLine(leader.From.X, leader.From.Y, leader.To.X, leader.To.Y, line, 0.8f));
        for (var i = 0; i < boxes.Length; i++)
            if (boxes[i] is { } box)
                for (var k = 0; k < labels.Lines[i].Count; k++)
                    shapes.Add(new PlotText(labels.Lines[i][k], box.X + box.Width / 2,
                        box.Y + k * face.LineHeight + face.Baseline, face.Size,
                        colour, Align: 0, Label: true, Width: face.Measure(labels.Lines[i][k])));
    }

    private float RadiusOf(int point) => plot.Points[point].Kind == EmbeddingKind.Text ? DiamondRadius : DotRadius;

    private Box MarkOf(int point)
    {
        var (x, y) = places[point];
        if (!HasPicture(point)) return Box.Around(x, y, 2 * RadiusOf(point), 2 * RadiusOf(point));
        var (w, h) = Thumbnail.Size(plot.Thumbnails[point]!, picture);
        return Box.Around(x, y, w, h);
    }
}

/// <summary>One axis: the range of the values and round marks on it.</summary>
internal sealed record Axis(double Low, double High)
{
    public static Axis Of(IEnumerable<double> values)
    {
        var (low, high) = (double.PositiveInfinity, double.NegativeInfinity);
        foreach (var value in values) (low, high) = (Math.Min(low, value), Math.Max(high, value));
        // Equal values (one point, or rounding of equal ones) get a range of their own around them.
        var least = 1e-9 * Math.Max(1, Math.Max(Math.Abs(low), Math.Abs(high)));
        return high - low > least ? new Axis(low, high) : new Axis(low - 1, high + 1);
    }

    public double Share(double value) => (value - Low) / (High - Low);

    /// <summary>About <paramref name="count"/> multiples of 1, 2 or 5 times a power of ten, reaching a little beyond the range.</summary>
    public IEnumerable<(double Value, string Text)> Ticks(int count)
    {
        var rough = (High - Low) / count;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = power * (rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
        var decimals = Math.Clamp((int)Math.Ceiling(-Math.Log10(step) - 1e-9), 0, 12);
        for (var k = Math.Ceiling(Low / step) - 1; k <= Math.Floor(High / step) + 1; k++)
            yield return (k * step, SimilarityTable.Number(k * step, decimals));
    }
}
