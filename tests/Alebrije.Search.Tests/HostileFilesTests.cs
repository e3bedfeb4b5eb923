using System.Diagnostics;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Cli;
using Alebrije.Tests.Catalog;

namespace Alebrije.Search.Tests;

/// <summary>Files that could stop an index: each is named in one sentence, and the rest is indexed.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class HostileFilesTests : Folders
{
    [Fact]
    public async Task HostileFiles_AreNamedInOneSentenceEach_AndTheRestIsIndexed()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "names and links of Linux");
        Write(0, 3);
        Drawn(10).SavePng(Path.Combine(Photos, "a\nb\"<i>.png"));
        File.WriteAllBytes(Path.Combine(Photos, "cut\n\u001b[31m.png"), Drawn(11).ToPng()[..50]);
        File.WriteAllText(Path.Combine(Photos, "empty.jpg"), "");
        File.WriteAllText(Path.Combine(Photos, "text.png"), "<html>");
        File.WriteAllBytes(Path.Combine(Photos, "bomb.png"), Bomb());
        Directory.CreateSymbolicLink(Path.Combine(Photos, "loop"), Photos);
        File.CreateSymbolicLink(Path.Combine(Photos, "nowhere.png"), Path.Combine(Photos, "missing.png"));
        File.CreateSymbolicLink(Path.Combine(Photos, "self.png"), Path.Combine(Photos, "self.png"));
        File.CreateSymbolicLink(Path.Combine(Photos, "zero.png"), "/dev/zero");
        using (var pipe = Process.Start("mkfifo", [Path.Combine(Photos, "pipe.png")]))
            await pipe.WaitForExitAsync(TestContext.Current.CancellationToken);
        Directory.CreateDirectory(Path.Combine(Photos, "folder.png"));
        File.WriteAllText(Path.Combine(Photos, "raw.dng"), "raw");
        var closed = Path.Combine(Photos, "closed");
        Write(20, 1, closed);
        File.SetUnixFileMode(closed, UnixFileMode.None);
        try
        {
            var isRoot = Environment.UserName == "root";
            var outcome = await CommandLine.Run("index", "add", Photos, "--index", IndexFolder,
                "--model", TestModels.StableUnClip, "--json");
            Assert.Equal(0, outcome.Status);
            Assert.Equal(isRoot ? 5 : 4, outcome.Json.GetProperty("items").GetInt32());
            var skipped = outcome.Json.GetProperty("skipped").EnumerateArray().ToDictionary(
                one => Path.GetRelativePath(Photos, one.GetProperty("file").GetString()!), one => one.GetProperty("reason").GetString()!);
            string[] named = ["bomb.png", "cut\n\u001b[31m.png", "empty.jpg", "nowhere.png", "pipe.png", "raw.dng",
                "self.png", "text.png", "zero.png",
                .. isRoot ? [] : (string[])["closed"]];
            Assert.Equal(named.Order(StringComparer.Ordinal), skipped.Keys.Order(StringComparer.Ordinal));
            Assert.All(skipped.Values, reason => Assert.DoesNotContain('\n', reason));
            Assert.StartsWith("too large", skipped["bomb.png"], StringComparison.Ordinal);
            Assert.All(outcome.Error.TrimEnd().Split('\n'), line => Assert.Matches("^(Skipped|[0-9]+ images|Left out)", line));
            Assert.DoesNotContain('\u001b', outcome.Error);

            var again = await CommandLine.Run("index", "update", "--index", IndexFolder, "--strict");
            Assert.Equal(1, again.Status);
            Assert.Contains("0 new, 0 changed, 0 moved, 0 removed", again.Output, StringComparison.Ordinal);
        }
        finally
        {
            File.SetUnixFileMode(closed, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Fact]
    public void FolderThatMayNotBeRead_KeepsItsImages()
    {
        Assert.SkipWhen(!OperatingSystem.IsLinux() || Environment.UserName == "root", "root may read every folder");
        Write(0, 2);
        var closed = Path.Combine(Photos, "closed");
        Write(20, 1, closed);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        Assert.Equal(3, index.Add([Photos], Model).Items);
        File.SetUnixFileMode(closed, UnixFileMode.None);
        try
        {
            var report = index.Update(Model);
            Assert.Equal((3, 0), (report.Items, report.Removed.Count));
            Assert.Equal([closed], report.Skipped.Select(one => one.File));
        }
        finally
        {
            File.SetUnixFileMode(closed, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Fact]
    public void DamagedMetadata_LeavesTheImage()
    {
        var bytes = TestExifPng.With(Drawn(1), taken: "2023:05:17 10:20:30", maker: "Canon", place: (1, 1));
        for (var seed = 0; seed < 30; seed++)
        {
            var (random, broken) = (new Random(seed), bytes.ToArray());
            for (var n = 0; n < 6; n++) broken[41 + random.Next(150)] = (byte)random.Next(256);
            _ = PictureMetadata.Read(broken);
        }

        Assert.Equal(new PictureMetadata(), PictureMetadata.Read([1, 2, 3]));
    }

    /// <summary>A PNG whose header names 60,000 x 60,000 pixels.</summary>
    private static byte[] Bomb()
    {
        var bytes = new RgbImage(1, 1).ToPng();
        (bytes[18], bytes[19], bytes[22], bytes[23]) = (0xea, 0x60, 0xea, 0x60);
        var check = System.IO.Hashing.Crc32.HashToUInt32(bytes.AsSpan(12, 17));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(29), check);
        return bytes;
    }
}
