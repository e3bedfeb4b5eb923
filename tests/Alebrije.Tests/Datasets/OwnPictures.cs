using System.Formats.Tar;
using System.Text;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Datasets;

/// <summary>Small images of one coloured shape each, with captions, in the file layouts of users' data sets.</summary>
internal static class OwnPictures
{
    private static readonly (string Name, byte Red, byte Green, byte Blue)[] Colours = [("red", 220, 30, 30),
        ("green", 30, 180, 60), ("blue", 40, 60, 220), ("yellow", 230, 210, 40)];
    private static readonly string[] Shapes = ["disc", "square", "bar", "stripe"];

    /// <summary>Caption of image i, one of 16 in turn.</summary>
    public static string Caption(int i) => $"a {Colours[i % 4].Name} {Shapes[i / 4 % 4]}";

    /// <summary>Name of the colour of image i.</summary>
    public static string Colour(int i) => Colours[i % 4].Name;

    /// <summary>Image i: its shape at a position of its own.</summary>
    public static RgbImage Draw(int i, int side = 40)
    {
        var picture = new RgbImage(side, side);
        Array.Fill(picture.Pixels, (byte)(200 + (i * 7 % 50)));
        var (colour, shape, cx, cy) = (Colours[i % 4], i / 4 % 4, 16 + (i * 5 % 9), 16 + (i * 3 % 9));
        for (var y = 0; y < side; y++)
            for (var x = 0; x < side; x++)
            {
                var (dx, dy) = (Math.Abs(x - cx), Math.Abs(y - cy));
                var isInside = shape switch { 0 => (dx * dx) + (dy * dy) < 100, 1 => dx < 9 && dy < 9, 2 => dx < 4, _ => dy < 4 };
                if (isInside) (picture.Pixels[((y * side) + x) * 3], picture.Pixels[(((y * side) + x) * 3) + 1],
                    picture.Pixels[(((y * side) + x) * 3) + 2]) = (colour.Red, colour.Green, colour.Blue);
            }

        return picture;
    }

    /// <summary>Writes images 000.png, 001.png, ... with a .txt beside each.</summary>
    public static string WriteFolder(string folder, int count)
    {
        Directory.CreateDirectory(folder);
        for (var i = 0; i < count; i++)
        {
            Draw(i).SavePng(Path.Combine(folder, $"{i:D3}.png"));
            File.WriteAllText(Path.Combine(folder, $"{i:D3}.txt"), Caption(i) + "\n");
        }

        return folder;
    }

    /// <summary>Writes the folders red, green, blue, yellow.</summary>
    public static string WriteClasses(string folder, int count)
    {
        for (var i = 0; i < count; i++)
            Draw(i).SavePng(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, Colour(i))).FullName, $"{i:D3}.png"));
        return folder;
    }

    /// <summary>Writes shards data-000.tar, data-001.tar, ... of several samples each, captions alternately in .txt and .json.</summary>
    /// <returns>The range that names them.</returns>
    public static string WriteShards(string folder, int shards, int each)
    {
        Directory.CreateDirectory(folder);
        for (var s = 0; s < shards; s++)
        {
            using var tar = new TarWriter(File.Create(Path.Combine(folder, $"data-{s:D3}.tar")), TarEntryFormat.Ustar);
            for (var i = s * each; i < (s + 1) * each; i++)
            {
                Add(tar, $"{i:D4}.png", Draw(i).ToPng());
                if (i % 2 == 0) Add(tar, $"{i:D4}.txt", Encoding.UTF8.GetBytes(Caption(i)));
                else Add(tar, $"{i:D4}.json", Encoding.UTF8.GetBytes($$"""{"caption": "{{Caption(i)}}", "width": 40}"""));
            }
        }

        return Path.Combine(folder, $"data-{{000..{shards - 1:D3}}}.tar");
    }

    /// <summary>Adds a file to an archive.</summary>
    public static void Add(TarWriter tar, string name, byte[] bytes) =>
        tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });
}
