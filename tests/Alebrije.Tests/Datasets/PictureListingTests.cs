using System.Text;
using Alebrije.Datasets;

namespace Alebrije.Tests.Datasets;

/// <summary>Images with captions in folders and tables.</summary>
public sealed class PictureListingTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-listing-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Folder_TextsBesidePictures_GiveACaptionALine()
    {
        OwnPictures.WriteFolder(folder, 2);
        File.WriteAllText(Path.Combine(folder, "000.txt"), "a red disc\r\n\r\nun disco rojo\n");
        Assert.Equal(["a red disc", "un disco rojo", "a green disc"], ImageFolder.Read(folder).Select(picture => picture.Caption));
        OwnPictures.Draw(5).SavePng(Path.Combine(folder, "alone.png"));
        Assert.Contains("alone.txt", Assert.Throws<InvalidDataException>(() => ImageFolder.Read(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Folder_TheHubsMetadata_IsRead()
    {
        OwnPictures.Draw(1).SavePng(Path.Combine(folder, "a.png"));
        File.WriteAllText(Path.Combine(folder, "metadata.jsonl"),
            "{\"file_name\": \"a.png\", \"text\": \"a green disc\"}\n{\"file_name\": \"a.png\", \"text\": [\"one\", \"two\"]}\n");
        Assert.Equal(["a green disc", "one", "two"], ImageFolder.Read(folder).Select(picture => picture.Caption));
        File.Delete(Path.Combine(folder, "metadata.jsonl"));
        File.WriteAllText(Path.Combine(folder, "metadata.csv"), "file_name,text\na.png,from a table\n");
        Assert.Equal(["from a table"], ImageFolder.Read(folder).Select(picture => picture.Caption));
    }

    [Fact]
    public void Folder_WhatWorldExports_IsReadAsItIs_OnePictureWithBothLanguages()
    {
        var world = World.Open();
        SceneRecord.Export(world, Enumerable.Range(0, 3).Select(i => world.Scene(6, i)), folder, 32);
        var pictures = CaptionedPictures.Open(new PictureDataOptions { Path = folder, HeldOut = 0 });
        Assert.Equal(3, pictures.Count);
        Assert.All(pictures.InOrder(), sample => Assert.Equal(2, sample.Captions(null).Count));
    }

    [Fact]
    public void Folder_ClassesWithTemplates_GiveASentenceEach()
    {
        OwnPictures.WriteClasses(folder, 4);
        var listing = PictureListing.OfFolder(folder, new PictureListingOptions { Templates = ["{}", "a drawing of a {}"] });
        Assert.Equal(["blue", "a drawing of a blue"], listing.Pictures.Take(2).Select(picture => picture.Caption));
        Assert.Equal(8, listing.Pictures.Count);
        Assert.Empty(listing.Problems);
        OwnPictures.Draw(1).SavePng(Path.Combine(folder, "cover.png"));
        var beside = PictureListing.OfFolder(folder, new PictureListingOptions { Templates = ["{}"] });
        Assert.Equal((4, $"{Path.Combine(folder, "cover.png")} lies next to the class folders, so no folder names its class."),
            (beside.Pictures.Count, Assert.Single(beside.Problems)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Table_QuotesMarksAndLineEnds_AreReadAsRfc4180Says(bool withMark)
    {
        OwnPictures.Draw(1).SavePng(Path.Combine(folder, "a, b.png"));
        var table = Write("t.csv",
            "id,Filename,\"Caption\"\r\n1,\"a, b.png\",\"a \"\"green\"\"\r\ndisc, round\"\r\n\r\n2,\"a, b.png\",plain", withMark);
        var pictures = ImageFolder.ReadTable(table);
        Assert.Equal(["a \"green\"\r\ndisc, round", "plain"], pictures.Select(picture => picture.Caption));
        Assert.All(pictures, picture => Assert.Equal(Path.Combine(folder, "a, b.png"), picture.Path));
    }

    [Theory]
    [InlineData("t.csv", "image;caption\na.png;un disco, verde\n", "un disco, verde")]
    [InlineData("t.tsv", "caption\timage\n5\" wide, \"quoted\"\ta.png\n", "5\" wide, \"quoted\"")]
    [InlineData("t.csv", "image,caption\ra.png,old line ends\r", "old line ends")]
    [InlineData("t.csv", "caption,image\n#1 of 5\" discs,a.png\n", "#1 of 5\" discs")]
    [InlineData("t.csv", "image,caption\na.png,\"5\"\" wide\"\n", "5\" wide")]
    public void Table_OtherSeparators_AreFound(string name, string text, string caption)
    {
        OwnPictures.Draw(1).SavePng(Path.Combine(folder, "a.png"));
        Assert.Equal([caption], ImageFolder.ReadTable(Write(name, text)).Select(picture => picture.Caption));
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("image,caption\n", "no rows")]
    [InlineData("a,b\n1,2\n", "image_column")]
    [InlineData("image,b\n1,2\n", "caption_column")]
    [InlineData("image,caption\nmissing.png,a disc\n", "line 2: there is no image")]
    [InlineData("image,caption\n\"a.png\n", "line 2: a field in quotes does not end")]
    [InlineData("image,caption\na.png,a disc\na.png,\"two\nlines\"\na.png,\"closed\" too early\n", "line 5: a field in quotes does")]
    [InlineData("image,caption\na.png\n", "line 2: 1 fields are too few")]
    [InlineData("image,caption\na.png,\" \"\n", "line 2: the caption is empty")]
    public void Table_ThatIsWrong_IsOneSentenceWithItsLine(string text, string says)
    {
        OwnPictures.Draw(1).SavePng(Path.Combine(folder, "a.png"));
        Assert.Contains(says, Assert.Throws<InvalidDataException>(() => ImageFolder.ReadTable(Write("t.csv", text))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Table_ColumnsByName_AreTaken()
    {
        OwnPictures.Draw(1).SavePng(Path.Combine(folder, "a.png"));
        var table = Write("t.csv", "image,caption,foto,pie\nx.png,no,a.png,sí\n");
        Assert.Equal(["sí"], ImageFolder.ReadTable(table, "foto", "pie").Select(picture => picture.Caption));
        Assert.Contains("there are image, caption, foto, pie",
            Assert.Throws<InvalidDataException>(() => ImageFolder.ReadTable(table, "bild")).Message, StringComparison.Ordinal);
    }

    private string Write(string name, string text, bool withMark = false)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, text, new UTF8Encoding(withMark));
        return path;
    }
}
