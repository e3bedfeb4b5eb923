using System.Formats.Tar;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cluster.Tests;

/// <summary>Small images of noise, different from each other.</summary>
internal static class TestImages
{
    public static void Write(string path, int seed, int side = 24)
    {
        var (pixels, random) = (new byte[side * side * 3], new Random(seed));
        random.NextBytes(pixels);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        new RgbImage(side, side, pixels).SavePng(path);
    }

    /// <summary>A folder of images named 0000.png, 0001.png, ...</summary>
    public static string Folder(string folder, int count, int side = 24)
    {
        for (var i = 0; i < count; i++) Write(Path.Combine(folder, $"{i:D4}.png"), i, side);
        return folder;
    }

    /// <summary>Archives of the images of a folder, in equal parts.</summary>
    public static string Archives(string folder, string images, int count)
    {
        Directory.CreateDirectory(folder);
        var files = Directory.GetFiles(images).Order(StringComparer.Ordinal).ToArray();
        for (var i = 0; i < count; i++)
        {
            using var tar = new TarWriter(File.Create(Path.Combine(folder, $"{i:D6}.tar")));
            foreach (var file in files.Where((_, j) => j % count == i)) tar.WriteEntry(file, Path.GetFileName(file));
        }

        return folder;
    }
}

/// <summary>A folder for a test, deleted after it.</summary>
internal sealed class TestFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("alebrije-cluster-").FullName;

    public string this[params string[] path] => Path.Combine([Root, .. path]);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
