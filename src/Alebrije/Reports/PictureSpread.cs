namespace Alebrije.Reports;

/// <summary>Moves overlapping images apart, no farther than needed, within the frame; their points stay.</summary>
internal static class PictureSpread
{
    private const int Rounds = 400;
    private const float Gap = 3, Pull = 0.02f;

    /// <param name="pictures">Boxes centred on their points.</param>
    /// <param name="frame">Bounds of the result.</param>
    public static Box[] Apart(IReadOnlyList<Box> pictures, Box frame)
    {
        var moved = pictures.ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            var still = true;
            for (var i = 0; i < moved.Length; i++)
                for (var j = i + 1; j < moved.Length; j++)
                    still &= !Push(moved, i, j);
            if (still) break;
            // The pull keeps groups together; the second half only pushes, so that what can come apart does.
            var pull = round < Rounds / 2 ? Pull : 0;
            for (var i = 0; i < moved.Length; i++)
            {
                var (box, home) = (moved[i], pictures[i]);
                moved[i] = box with
                {
                    X = Math.Clamp(box.X + pull * (home.X - box.X), frame.X, Math.Max(frame.X, frame.Right - box.Width)),
                    Y = Math.Clamp(box.Y + pull * (home.Y - box.Y), frame.Y, Math.Max(frame.Y, frame.Bottom - box.Height)),
                };
            }
        }

        return moved;
    }

    /// <summary>Pushes two overlapping boxes apart along the axis that takes the shorter way.</summary>
    private static bool Push(Box[] boxes, int i, int j)
    {
        var (a, b) = (boxes[i], boxes[j]);
        var (dx, dy) = (b.X + b.Width / 2 - a.X - a.Width / 2, b.Y + b.Height / 2 - a.Y - a.Height / 2);
        var (overX, overY) = ((a.Width + b.Width) / 2 + Gap - MathF.Abs(dx), (a.Height + b.Height) / 2 + Gap - MathF.Abs(dy));
        if (overX <= 0.01f || overY <= 0.01f) return false;
        // Equal positions have no direction: their order gives one.
        if (overX < overY)
        {
            var shift = overX / 2 * (dx < 0 ? -1 : 1);
            (boxes[i], boxes[j]) = (a with { X = a.X - shift }, b with { X = b.X + shift });
        }
        else
        {
            var shift = overY / 2 * (dy < 0 ? -1 : 1);
            (boxes[i], boxes[j]) = (a with { Y = a.Y - shift }, b with { Y = b.Y + shift });
        }

        return true;
    }
}
