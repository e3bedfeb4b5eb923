using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Datasets;

public sealed class VisibleFolderTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-folder-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void PicturesBelow_LeaveOutHiddenOnesAndWhatIsNoPicture()
    {
        foreach (var name in new[] { "a.png", "b/c.JPG", "b/d.jfif",
            "b/e.jpe", ".hidden.png", ".git/f.png", "b/._c.JPG", ".DS_Store", "Thumbs.db", "README.txt", "g.tiff" }) Write(name);
        Assert.Equal(["a.png", "b/c.JPG", "b/d.jfif", "b/e.jpe"], Below(folder));
        Assert.Equal(["a.png"], VisibleFolder.Open(folder).Pictures.Select(Name));
        Assert.Throws<DirectoryNotFoundException>(() => VisibleFolder.Open(In("none")));
    }

    [Fact]
    public void PicturesBelow_OfLinksInCircles_ComeOnce_AndRealOnesFirst()
    {
        foreach (var name in new[] { "p/q/z.png", "p/y.png", "r/x.png" }) Write(name);
        Link("p/up", "..");
        Link("p/q/top", "../..");
        Link("p/self", "../p");
        Link("p/a-across", "../r");
        Link("r/back", folder + "/p");
        Link("0-first.png", "r/x.png");
        Link("r/broken.png", "nowhere.png");
        Assert.Equal(["p/q/z.png", "p/y.png", "r/broken.png", "r/x.png"], Below(folder));
    }

    [Fact]
    public void PicturesBelow_LeaveOutLinksThatLeadOut_WithAReason()
    {
        var elsewhere = Directory.CreateTempSubdirectory("alebrije-elsewhere-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(elsewhere, "deep"));
            new RgbImage(2, 2).SavePng(Path.Combine(elsewhere, "deep", "w.png"));
            Link("linked", elsewhere);
            Link("again", "linked");
            Write("a.png");
            Link("b.png", Path.Combine(elsewhere, "deep", "w.png"));
            var reasons = new List<string>();
            Assert.Equal(["a.png"], VisibleFolder.Open(folder)
                .PicturesBelow((path, error) => reasons.Add($"{Name(path)}: {error.Message}"), TestContext.Current.CancellationToken)
                .Select(Name));
            Assert.Equal(["again", "b.png", "linked"], reasons.Select(reason => reason.Split(':')[0]));
            Assert.All(reasons, reason => Assert.Contains("is a link that leads out of", reason, StringComparison.Ordinal));
            Assert.Throws<IOException>(() => Below(folder));

            // A folder that is itself a link, and files named one by one, are those that were meant.
            Assert.Equal(["linked/deep/w.png"], Below(In("linked")));
            Assert.Equal(["again/deep/w.png"], VisibleFolder.EachFileOnce(
                [In("again/deep/w.png"), In("linked/deep/w.png"), Path.Combine(elsewhere, "deep", "w.png")]).Select(Name));
        }
        finally
        {
            Directory.Delete(elsewhere, recursive: true);
        }
    }

    [Fact]
    public void Tree_IsCancelled()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => VisibleFolder.Open(folder).PicturesBelow(cancellation: stop.Token));
    }

    [Fact]
    public void LabelledFolders_GoByTheSameRules()
    {
        foreach (var name in new[] { "cat/1.png", "cat/2.png", "dog/3.png", ".git/x.png", "cat/.DS_Store", "README.txt" }) Write(name);
        Link("cat/up", "..");
        Link("dog/1.png", "../cat/1.png");
        var classes = LabelledPictures.Read(folder, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(["cat", "dog"], classes.Labels);
        Assert.Equal([("cat/1.png", 0), ("cat/2.png", 0), ("dog/1.png", 1), ("dog/3.png", 1)],
            classes.Pictures.Select(picture => (Name(picture.Path), picture.Class)));

        // With several labels per image, an image in two folders has both.
        Assert.Equal(["cat/1.png: cat dog", "cat/2.png: cat", "dog/3.png: dog"], LabelledImage.Read(folder,
            cancellation: TestContext.Current.CancellationToken).Select(image => $"{Name(image.Path)}: {string.Join(' ', image.Labels)}"));
        Assert.Equal(["cat/1.png", "cat/2.png", "dog/3.png"], ImageFolder.Read(folder).Select(picture => Name(picture.Path)));
    }

    private string In(string name) => Path.Combine(folder, name);

    private string Name(string path) => Path.GetRelativePath(folder, path).Replace('\\', '/');

    private string[] Below(string path) => [.. VisibleFolder.Open(path).PicturesBelow().Select(Name)];

    private void Write(string name)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(name))!);
        File.WriteAllText(In(name), "");
    }

    private void Link(string name, string target) => File.CreateSymbolicLink(In(name), target);
}
