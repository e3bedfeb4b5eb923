namespace Alebrije.Reports;

/// <summary>A rectangle in the plot's logical pixels.</summary>
internal readonly record struct Box(float X, float Y, float Width, float Height)
{
    public float Right => X + Width;
    public float Bottom => Y + Height;

    public static Box Around(float x, float y, float width, float height) => new(x - width / 2, y - height / 2, width, height);

    public Box Grow(float by) => new(X - by, Y - by, Width + 2 * by, Height + 2 * by);

    public bool Holds(Box other) => other.X >= X && other.Y >= Y && other.Right <= Right && other.Bottom <= Bottom;

    public bool Meets(Box other) => X < other.Right && other.X < Right && Y < other.Bottom && other.Y < Bottom;

    public float Shared(Box other) =>
        MathF.Max(0, MathF.Min(Right, other.Right) - MathF.Max(X, other.X)) * MathF.Max(0,
            MathF.Min(Bottom, other.Bottom) - MathF.Max(Y, other.Y));

    /// <summary>True if the straight line from a to b passes through (Liang and Barsky, 1984).</summary>
    public bool Crosses((float X, float Y) a, (float X, float Y) b)
    {
        var (enter, leave) = (0f, 1f);
        return Clip(a.X - b.X, a.X - X) && Clip(b.X - a.X, Right - a.X) && Clip(a.Y - b.Y, a.Y - Y) && Clip(b.Y - a.Y, Bottom - a.Y);

        bool Clip(float slope, float room)
        {
            if (slope == 0) return room >= 0;
            var at = room / slope;
            if (slope < 0) enter = MathF.Max(enter, at);
            else leave = MathF.Min(leave, at);
            return enter <= leave;
        }
    }
}

/// <summary>A label to be placed.</summary>
/// <param name="X">Middle of the point it belongs to.</param>
/// <param name="Y">Middle of the point it belongs to.</param>
/// <param name="Radius">Half the size of the point's mark.</param>
/// <param name="Width">Of the label.</param>
/// <param name="Height">Of the label.</param>
internal sealed record LabelRequest(float X, float Y, float Radius, float Width, float Height);

/// <summary>
/// Places labels next to their points so that none overlaps another or leaves the frame: each takes the cheapest free place of rings around
/// its point (near ones first, off the marks of others), and all are then moved in turn while that makes things better.
/// </summary>
internal sealed class LabelPlacement(Box frame, IReadOnlyList<Box> marks)
{
    private const int Directions = 16, Rounds = 3, NearRings = 3;
    private const float Gap = 3, NearEnough = 8, TooFar = 70, Crossing = 400;

    private static readonly float[] Rings = [2, 8, 16, 26, 38, 54, 74, 100, 130, 165, 205, 250, 300, 360];

    private readonly List<Box> taken = [];

    /// <summary>Places all labels; null for those that find no room.</summary>
    /// <param name="requests">Labels that should be shown if at all possible.</param>
    /// <param name="optional">Labels that had better be left out than stand far away or hide a mark.</param>
    public Box?[] Place(IReadOnlyList<LabelRequest> requests, bool optional = false)
    {
        var placed = new Box?[requests.Count];
        var before = taken.Count;
        // Points in a crowd have the least choice, so they choose first.
        var order = Enumerable.Range(0, requests.Count)
            .OrderByDescending(i =>
                requests.Count(other => MathF.Abs(other.X - requests[i].X) < 90 && MathF.Abs(other.Y - requests[i].Y) < 40))
            .ThenBy(i => requests[i].Y).ThenBy(i => requests[i].X).ToArray();
        var lines = new ((float, float) From, (float, float) To)?[requests.Count];
        for (var round = 0; round < Rounds; round++)
            foreach (var i in order)
            {
                if (placed[i] is { } old) taken.Remove(old);
                lines[i] = null;
                placed[i] = Best(requests[i], optional, lines);
                if (placed[i] is not { } box) continue;
                taken.Add(box);
                lines[i] = LeaderOf(requests[i], box);
            }

        taken.RemoveRange(before, taken.Count - before);
        taken.AddRange(placed.OfType<Box>());
        return placed;
    }

    /// <summary>Penalty of a placement: three for each missing label, one for each that is far or crossed.</summary>
    public static int Trouble(IReadOnlyList<LabelRequest> requests, IReadOnlyList<Box?> placed)
    {
        var lines = requests.Select((request, i) => placed[i] is { } box ? LeaderOf(request, box) : null).ToArray();
        var trouble = 0;
        for (var i = 0; i < lines.Length; i++)
        {
            if (placed[i] is null) trouble += 3;
            if (lines[i] is not { } line) continue;
            var far = MathF.Abs(line.To.X - line.From.X) + MathF.Abs(line.To.Y - line.From.Y) > TooFar;
            var crossed = placed.Where((other, j) => j != i && other is { } box && box.Crosses(line.From, line.To)).Any();
            if (far || crossed) trouble++;
        }

        return trouble;
    }

    /// <summary>Counts boxes as taken that another way of placing chose.</summary>
    public void Take(IEnumerable<Box> boxes) => taken.AddRange(boxes);

    /// <summary>Ends of the line from a point to its label, or null if the label is next to it.</summary>
    public static ((float X, float Y) From, (float X, float Y) To)? LeaderOf(LabelRequest request, Box box)
    {
        var (x, y) = (Math.Clamp(request.X, box.X, box.Right), Math.Clamp(request.Y, box.Y, box.Bottom));
        if (MathF.Sqrt((x - request.X) * (x - request.X) + (y - request.Y) * (y - request.Y)) - request.Radius <= NearEnough) return null;
        if (x != request.X) (x, y) = (x < request.X ? x + 2 : x - 2, box.Y + box.Height / 2);
        var (dx, dy) = (x - request.X, y - request.Y);
        var distance = MathF.Sqrt(dx * dx + dy * dy);
        return ((request.X + dx / distance * request.Radius, request.Y + dy / distance * request.Radius), (x, y));
    }

    private Box? Best(LabelRequest request, bool optional, ((float, float) From, (float, float) To)?[] lines)
    {
        Box? best = null;
        var least = float.PositiveInfinity;
        for (var ring = 0; ring < (optional ? NearRings : Rings.Length); ring++)
        {
            // A farther ring costs at least its distance: nothing there can win any more.
            if (Rings[ring] > least) break;
            for (var d = 0; d < Directions; d++)
            {
                var box = At(request, Rings[ring], d);
                if (optional && marks.Any(box.Meets)) continue;
                if (Cost(request, box, Rings[ring], d, lines) is { } cost && cost < least) (best, least) = (box, cost);
            }
        }

        return best;
    }

    /// <summary>The label in one direction: its nearest edge or corner stands <paramref name="distance"/> from the point's mark.</summary>
    private static Box At(LabelRequest request, float distance, int direction)
    {
        var angle = direction * 2 * MathF.PI / Directions;
        var (cos, sin) = (MathF.Cos(angle), MathF.Sin(angle));
        var (x, y) = (request.X + cos * (request.Radius + distance), request.Y + sin * (request.Radius + distance));
        return Box.Around(x + Side(cos) * request.Width / 2, y + Side(sin) * request.Height / 2, request.Width, request.Height);

        static float Side(float component) => MathF.Abs(component) < 0.3f ? component / 0.3f * 0.5f : Math.Clamp(component * 1.6f, -1, 1);
    }

    private float? Cost(LabelRequest request, Box box, float distance, int direction, ((float, float) From, (float, float) To)?[] lines)
    {
        if (!frame.Holds(box)) return null;
        var room = box.Grow(Gap);
        foreach (var other in taken)
            if (room.Meets(other)) return null;
        var cost = distance + (direction is 0 ? 0 : direction is 8 ? 2 : 4);
        foreach (var mark in marks)
            if (box.Meets(mark)) cost += 40 + box.Shared(mark) * 0.6f;
        foreach (var line in lines)
            if (line is { } l && room.Crosses(l.From, l.To)) cost += Crossing;
        if (LeaderOf(request, box) is { } own)
        {
            cost += 12;
            foreach (var other in taken)
                if (other.Crosses(own.From, own.To)) cost += Crossing;
        }

        return cost;
    }
}
