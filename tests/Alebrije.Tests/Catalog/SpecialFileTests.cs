using System.Diagnostics;
using Alebrije.Catalog;
using Alebrije.Datasets;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Weights;

namespace Alebrije.Tests.Catalog;

/// <summary>Named pipes, devices and links: never opened, never copied, each refused with a sentence.</summary>
public sealed class SpecialFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-special-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Readers_NeverOpenANamedPipe()
    {
        var pipe = Pipe("x");
        var sentence = $"{pipe} is a named pipe, and only regular files are read.";
        foreach (var read in (Action[])[() => RegularFile.Open(pipe).Dispose(), () => RegularFile.ReadAllText(pipe),
            () => ImageFile.Bytes(pipe), () => ConfigFile.ReadObject(pipe), () => FileHash.Sha256(pipe),
            () => _ = TarFiles.Of(pipe).ToArray(),
            () => Npy.Read(pipe), () => new SafeTensorsFile(pipe).Dispose(), () => new PickleFile(pipe).Dispose(),
            () => CsvReader.Open(pipe).Dispose()])
        {
            var error = await Task.Run(() => Record.Exception(read), Cancellation).WaitAsync(TimeSpan.FromSeconds(5), Cancellation);
            Assert.Contains(sentence[..^1], error?.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Readers_NeverOpenADevice()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs /dev/zero");
        File.CreateSymbolicLink(In("zero.png"), "/dev/zero");
        Assert.Contains("zero.png is a device", Assert.ThrowsAny<IOException>(() => PillowImage.Load(In("zero.png"))).Message,
            StringComparison.Ordinal);
        var reader = new PictureReader(upright: false);
        Assert.Null(reader.Read(In("zero.png")));
        Assert.Contains("only regular files are read", Assert.Single(reader.Skipped).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Import_OfAFolderWithAPipe_IsRefused()
    {
        File.WriteAllText(In("config.json"), "{}");
        var pipe = Pipe("vocab.json");
        var error = await Task.Run(() => Record.Exception(() => ModelArchive.Open(folder, Cancellation)), Cancellation)
            .WaitAsync(TimeSpan.FromSeconds(5), Cancellation);
        Assert.Equal($"{pipe} is a named pipe, a socket or a device; the folder is refused.", error?.Message);
    }

    [Fact]
    public void Import_OfAFolderWithALinkThatLeadsOut_IsRefused_AndInsideItIsFollowed()
    {
        var outside = Directory.CreateTempSubdirectory("alebrije-outside-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(outside, "secret"), "x");
            File.WriteAllText(In("config.json"), "{}");
            Directory.CreateDirectory(In("unet"));
            File.CreateSymbolicLink(In("unet/config.json"), "../config.json");
            File.CreateSymbolicLink(In("self"), ".");
            File.CreateSymbolicLink(In("broken"), "nowhere");
            Assert.Equal(["config.json", "unet/config.json"],
                ModelArchive.Open(folder, Cancellation).Files.Keys.Order(StringComparer.Ordinal));

            foreach (var target in (string[])[Path.Combine(outside, "secret"), outside])
            {
                File.CreateSymbolicLink(In("out"), target);
                var error = Assert.Throws<HubException>(() => ModelArchive.Open(folder, Cancellation));
                Assert.Equal($"{In("out")} is a link that leads out of {folder}, to {target}; the folder is refused. "
                    + "Put the file itself there.", error.Message);
                File.Delete(In("out"));
            }
        }
        finally
        {
            Directory.Delete(outside, recursive: true);
        }
    }

    [Fact]
    public void Import_OfASnapshotOfTheHubsCache_FollowsItsLinksToBlobs()
    {
        var snapshot = In("models--owner--model/snapshots/0123456789abcdef0123456789abcdef01234567");
        Directory.CreateDirectory(snapshot);
        Directory.CreateDirectory(In("models--owner--model/blobs"));
        File.WriteAllText(In("models--owner--model/blobs/hash"), "{}");
        File.CreateSymbolicLink(Path.Combine(snapshot, "config.json"), "../../blobs/hash");
        Assert.Equal(2, ModelArchive.Open(snapshot, Cancellation).Files["config.json"]);
    }

    private string In(string name) => Path.Combine(folder, name);

    private string Pipe(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such files.");
        using var made = Process.Start("mkfifo", [In(name)]);
        made.WaitForExit();
        return In(name);
    }
}
