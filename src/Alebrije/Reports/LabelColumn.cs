namespace Alebrije.Reports;

/// <summary>
/// Places labels of a crowd in one column, in the order of their points from top to bottom, so that the lines to the points do not tangle
/// (boundary labelling; Bekos et al., 2007). The column stands where it hides the fewest marks, near the points.
/// </summary>
internal sealed class LabelColumn(Box frame, IReadOnlyList<Box> marks)
{
    private const float Gap = 1, Step = 12, Lead = 26, Hidden = 400;

    /// <summary>Places as many labels as the frame is high; null for the rest.</summary>
    public Box?[] Place(IReadOnlyList<LabelRequest> requests)
    {
        var placed = new Box?[requests.Count];
        var order = Enumerable.Range(0, requests.Count).OrderBy(i => requests[i].Y).ThenBy(i => requests[i].X).ToList();
        while (order.Sum(i => requests[i].Height + Gap) > frame.Height) order.RemoveAt(order.Count - 1);
        if (order.Count == 0) return placed;

        var tops = Spread([.. order.Select(i => requests[i])]);
        var least = float.PositiveInfinity;
        var (left, rightSide) = (frame.X, true);
        var widest = order.Max(i => requests[i].Width);
        for (var x = frame.X; x + widest <= frame.Right; x += Step)
            foreach (var side in new[] { true, false })
                if (Cost(requests, order, tops, x, widest, side) is var cost && cost < least) (least, left, rightSide) = (cost, x, side);
        Untangle(requests, order, tops, rightSide ? left : left + widest);
        for (var k = 0; k < order.Count; k++) placed[order[k]] = At(requests[order[k]], left, widest, tops[k], rightSide);
        return placed;
    }

    /// <summary>Left-aligned where the column stands right of its points, else right-aligned.</summary>
    private static Box At(LabelRequest request, float left, float widest, float top, bool rightSide) =>
        new(rightSide ? left : left + widest - request.Width, top, request.Width, request.Height);

    private float Cost(IReadOnlyList<LabelRequest> requests, List<int> order, float[] tops, float left, float widest, bool rightSide)
    {
        float cost = 0;
        for (var k = 0; k < order.Count; k++)
        {
            var request = requests[order[k]];
            var box = At(request, left, widest, tops[k], rightSide);
            var reach = rightSide ? left - request.X : request.X - (left + widest);
            cost += reach >= Lead ? reach : Lead + 6 * (Lead - reach);
            foreach (var mark in marks)
                if (box.Meets(mark)) cost += Hidden + box.Shared(mark);
        }

        return cost;
    }

    /// <summary>
    /// Tops of labels, as near to their points' heights as order and size allow: overlapping neighbours share their shift.
    /// </summary>
    private float[] Spread(LabelRequest[] labels)
    {
        var blocks = new List<(int First, int Count, double Wish, float Height)>();
        for (var i = 0; i < labels.Length; i++)
        {
            var height = labels[i].Height + Gap;
            var block = (First: i, Count: 1, Wish: (double)(labels[i].Y - height / 2), Height: height);
            while (blocks.Count > 0 && blocks[^1] is var above && Top(above) + above.Height > Top(block))
            {
                // A block's preferred top is the mean of its labels'.
                var wish = (above.Wish * above.Count + (block.Wish - above.Height) * block.Count) / (above.Count + block.Count);
                block = (above.First, above.Count + block.Count, wish, above.Height + block.Height);
                blocks.RemoveAt(blocks.Count - 1);
            }

            blocks.Add(block);
        }

        var tops = new float[labels.Length];
        foreach (var block in blocks)
        {
            var top = Top(block);
            for (var i = block.First; i < block.First + block.Count; i++)
            {
                tops[i] = (float)top;
                top += labels[i].Height + Gap;
            }
        }

        return tops;

        double Top((int First, int Count, double Wish, float Height) block) =>
            Math.Clamp(block.Wish, frame.Y, Math.Max(frame.Y, frame.Bottom - block.Height));
    }

    /// <summary>Swaps neighbours while their lines cross; both must be of one height for that.</summary>
    private static void Untangle(IReadOnlyList<LabelRequest> requests, List<int> order, float[] tops, float edge)
    {
        for (var round = 0; round < order.Count; round++)
        {
            var swapped = false;
            for (var k = 0; k + 1 < order.Count; k++)
            {
                var (a, b) = (requests[order[k]], requests[order[k + 1]]);
                if (a.Height != b.Height) continue;
                var (first, second) = (tops[k] + a.Height / 2, tops[k + 1] + b.Height / 2);
                if (!Cross((a.X, a.Y), (edge, first), (b.X, b.Y), (edge, second))) continue;
                (order[k], order[k + 1]) = (order[k + 1], order[k]);
                swapped = true;
            }

            if (!swapped) return;
        }
    }

    internal static bool Cross((float X, float Y) a, (float X, float Y) b, (float X, float Y) c, (float X, float Y) d)
    {
        return Turn(a, b, c) * Turn(a, b, d) < 0 && Turn(c, d, a) * Turn(c, d, b) < 0;

        static float Turn((float X, float Y) p, (float X, float Y) q, (float X, float Y) r) =>
            MathF.Sign((q.X - p.X) * (r.Y - p.Y) - (q.Y - p.Y) * (r.X - p.X));
    }
}
