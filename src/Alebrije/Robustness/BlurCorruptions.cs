using Alebrije.Preprocessing;

namespace Alebrije.Robustness;

/// <summary>Defocus, glass and motion blur (ImageNet-C).</summary>
internal static class BlurCorruptions
{
    private static readonly (float Radius, float Edge)[] Disks = [(3, 0.1f), (4, 0.5f), (6, 0.5f), (8, 0.5f), (10, 0.5f)];

    // ImageNet-C's rounds are 2, 1, 3, 2, 2, under which its second severity corrupts less than its first.
    private static readonly (float Deviation, int Reach, int Rounds)[] Panes = [(0.7f, 1, 1),
        (0.9f, 2, 1), (1, 2, 2), (1.1f, 3, 2), (1.5f, 4, 2)];

    private static readonly (int Length, float Deviation)[] Movements = [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)];
    private static readonly (float Step, float End)[] Zooms = [(0.01f, 1.11f),
        (0.01f, 1.16f), (0.02f, 1.21f), (0.02f, 1.26f), (0.03f, 1.31f)];

    public static FloatPicture Defocus(FloatPicture picture, int level)
    {
        // A disk of half a pixel's width still covers the points around its middle; of a smaller one nothing would be left.
        var (radius, edge) = (Math.Max(0.25f, Disks[level].Radius * picture.Unit), Disks[level].Edge * picture.Unit);
        var reach = (int)MathF.Ceiling(radius);
        var taps = new List<(float, float, float)>();
        for (var y = -reach; y <= reach; y++)
            for (var x = -reach; x <= reach; x++)
                if (Covered(x, y, radius) is > 0 and var share) taps.Add((x, y, share));
        return picture.Filter(taps).Smooth(edge);
    }

    /// <summary>Glass blur: neighbours are swapped, and the image is smoothed before and after.</summary>
    public static FloatPicture Glass(FloatPicture picture, int level, ref SeededRandom random)
    {
        var (deviation, reach, rounds) = (Panes[level].Deviation * picture.Unit, Panes[level].Reach * picture.Unit, Panes[level].Rounds);
        picture = picture.Smooth(deviation);
        for (var round = 0; round < rounds; round++)
            for (var y = 0; y < picture.Height; y++)
                for (var x = 0; x < picture.Width; x++)
                {
                    var (dx, dy) = (Offset(reach, ref random), Offset(reach, ref random));
                    var (otherX, otherY) = (Math.Clamp(x + dx, 0, picture.Width - 1), Math.Clamp(y + dy, 0, picture.Height - 1));
                    var (a, b) = (3 * ((y * picture.Width) + x), 3 * ((otherY * picture.Width) + otherX));
                    for (var c = 0; c < 3; c++) (picture.Values[a + c], picture.Values[b + c])
                        = (picture.Values[b + c], picture.Values[a + c]);
                }
        return picture.Smooth(deviation);
    }

    public static FloatPicture Motion(FloatPicture picture, int level, ref SeededRandom random)
    {
        var angle = random.Between(-45, 45);
        return Along(picture, Movements[level].Length * picture.Unit, Movements[level].Deviation * picture.Unit, angle);
    }

    /// <summary>The mean of the image and of enlarged ones.</summary>
    public static FloatPicture Zoom(FloatPicture picture, int level)
    {
        var (step, end) = Zooms[level];
        var sum = new FloatPicture(picture.Width, picture.Height);
        var count = 1;
        picture.Values.CopyTo(sum.Values, 0);
        var (middleX, middleY) = ((picture.Width - 1) / 2f, (picture.Height - 1) / 2f);
        for (var zoom = 1f; zoom < end - 1e-4f; zoom += step, count++)
        {
            var at = 0;
            for (var y = 0; y < picture.Height; y++)
                for (var x = 0; x < picture.Width; x++)
                    for (var c = 0; c < 3; c++)
                        sum.Values[at++] += picture.At(middleX + ((x - middleX) / zoom), middleY + ((y - middleY) / zoom), c);
        }

        for (var i = 0; i < sum.Values.Length; i++) sum.Values[i] /= count;
        return sum;
    }

    /// <summary>Smeared to one side of each point along a line.</summary>
    /// <param name="picture">Of any number of channels.</param>
    /// <param name="length">Length of the line in pixels.</param>
    /// <param name="deviation">Standard deviation of the weights along it, in pixels.</param>
    /// <param name="degrees">Direction, 0 to the right.</param>
    public static FloatPicture Along(FloatPicture picture, float length, float deviation, double degrees)
    {
        var (sin, cos) = Math.SinCos(degrees * Math.PI / 180);
        var count = Math.Max(1, (int)MathF.Ceiling(2 * length));
        var spread = Math.Max(1e-3f, deviation);
        return picture.Filter([.. Enumerable.Range(0, count + 1).Select(i =>
        {
            var distance = length * i / count;
            return ((float)(cos * distance), (float)(sin * distance), MathF.Exp(-distance * distance / (2 * spread * spread)));
        })]);
    }

    /// <summary>Share of a pixel within a circle, from 8 x 8 points of it.</summary>
    private static float Covered(int x, int y, float radius)
    {
        var inside = 0;
        for (var i = 0; i < 64; i++)
        {
            var (px, py) = (x + ((i % 8) / 8f) - 0.4375f, y + ((i / 8) / 8f) - 0.4375f);
            if ((px * px) + (py * py) <= radius * radius) inside++;
        }

        return inside / 64f;
    }

    /// <summary>A whole number from -reach to reach; for a fractional reach, the next one above in its share of cases.</summary>
    private static int Offset(float reach, ref SeededRandom random)
    {
        var whole = (int)reach + (random.Chance(reach - (int)reach) ? 1 : 0);
        return random.Below((2 * whole) + 1) - whole;
    }
}
