using System.Formats.Tar;
using System.Text;
using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Datasets;

/// <summary>WebDataset archives, valid and damaged, and the order of their samples.</summary>
public sealed class ShardedPicturesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-shards-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Take_EveryEpoch_IsAPermutation_TheSameFromAnyPlace()
    {
        var range = OwnPictures.WriteShards(folder, shards: 3, each: 7);
        using var pictures = Open(range, buffer: 4);
        Assert.Equal(21, pictures.Count);
        var names = pictures.Take(5, 0, 63).Select(sample => sample.Name).ToArray();
        var epochs = names.Chunk(21).ToArray();
        Assert.All(epochs, epoch => Assert.Equal(epochs[0].Order(StringComparer.Ordinal), epoch.Order(StringComparer.Ordinal)));
        Assert.Equal(21, epochs[0].Distinct().Count());
        Assert.NotEqual(epochs[0], epochs[1]);
        Assert.NotEqual(names[..21], pictures.Take(6, 0, 21).Select(sample => sample.Name));
        foreach (var first in new[] { 40, 3, 21, 22 })
        {
            using var other = Open(Path.Combine(folder, "*.tar"), buffer: 4);
            Assert.Equal(names[first..(first + 9)],
                other.Take(5, first, 5).Concat(other.Take(5, first + 5, 4)).Select(sample => sample.Name));
        }
    }

    [Fact]
    public void Samples_PicturesAndCaptions_AreThoseThatWereWritten()
    {
        OwnPictures.WriteShards(folder, 2, 4);
        using var pictures = Open(folder);
        Assert.All(pictures.InOrder().Index(), one =>
        {
            Assert.Equal(OwnPictures.Caption(one.Index), one.Item.Captions(null).Single());
            Assert.Equal(OwnPictures.Draw(one.Index).Pixels, RgbImage.FromBytes(one.Item.Picture.Read(1 << 20)).Pixels);
        });
    }

    [Fact]
    public void HeldOut_FollowsFromNames_AndNeverTrains()
    {
        OwnPictures.WriteShards(folder, 2, 20);
        using var pictures = new ShardedPictures(TarShards.Find(folder), new PictureDataOptions { Path = folder, HeldOut = 0.3 });
        Assert.InRange(pictures.HeldOut.Count, 4, 20);
        Assert.Equal(40, pictures.Count + pictures.HeldOut.Count);
        Assert.Empty(pictures.HeldOut.Select(sample => sample.Name).Intersect(pictures.Take(1, 0, 80).Select(sample => sample.Name)));
    }

    [Fact]
    public void Archive_LinksFoldersAndTraversingNames_TouchNothing()
    {
        var path = Path.Combine(folder, "evil.tar");
        using (var tar = new TarWriter(File.Create(path), TarEntryFormat.Pax))
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "dir/"));
            tar.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, "link.png") { LinkName = "/etc/passwd" });
            tar.WriteEntry(new PaxTarEntry(TarEntryType.CharacterDevice, "device.png"));
            foreach (var name in new[] { "../../evil", "/absolute/" + new string('x', 150) })
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile,
                    name + ".png") { DataStream = new MemoryStream(OwnPictures.Draw(1).ToPng()) });
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile,
                    name + ".txt") { DataStream = new MemoryStream("a green disc"u8.ToArray()) });
            }
        }

        var before = Directory.GetFileSystemEntries(folder);
        using var pictures = Open(path);
        Assert.Equal(["../../evil", "/absolute/" + new string('x', 150)], pictures.InOrder().Select(sample => sample.Name));
        Assert.All(pictures.InOrder(), sample => Assert.Equal("a green disc", sample.Captions(null).Single()));
        Assert.Equal(before, Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public void Archive_GnuLongNames_AreRead()
    {
        var (path, name) = (Path.Combine(folder, "gnu.tar"), new string('n', 180));
        using (var tar = new TarWriter(File.Create(path), TarEntryFormat.Gnu))
            foreach (var (ending, bytes) in new[] { (".png", OwnPictures.Draw(2).ToPng()), (".txt", "a blue disc"u8.ToArray()) })
                tar.WriteEntry(new GnuTarEntry(TarEntryType.RegularFile, name + ending) { DataStream = new MemoryStream(bytes) });
        using var pictures = Open(path);
        Assert.Equal(name, pictures.InOrder().Single().Name);
    }

    [Theory]
    [InlineData("cut", "was cut short")]
    [InlineData("header", "is wrong")]
    [InlineData("size", "was cut short or is damaged")]
    [InlineData("text", "is wrong")]
    public void Archive_Damaged_IsOneSentenceWithItsNameAndPlace(string damage, string says)
    {
        OwnPictures.WriteShards(folder, 1, 3);
        var path = Path.Combine(folder, "data-000.tar");
        var bytes = File.ReadAllBytes(path);
        if (damage == "cut") bytes = bytes[..700];
        if (damage == "header") bytes[3] ^= 0x40;
        if (damage == "size") WriteSize(bytes, "77777777777");
        if (damage == "text") bytes = Encoding.ASCII.GetBytes(new string('x', 2000));
        File.WriteAllBytes(path, bytes);
        var message = Assert.Throws<InvalidDataException>(() => Open(path)).Message;
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.Contains("data-000.tar, byte 0", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Archive_CutBehindAnEntry_IsFoundToo()
    {
        OwnPictures.WriteShards(folder, 1, 3);
        var path = Path.Combine(folder, "data-000.tar");
        var last = TarFiles.Of(path).Last();
        foreach (var length in new[] { last.Offset, last.Offset + last.Length, (last.Offset + last.Length + 511) / 512 * 512 })
        {
            using (var file = File.OpenWrite(path)) file.SetLength(length);
            Assert.Contains("cut short", Assert.Throws<InvalidDataException>(() => Open(path)).Message, StringComparison.Ordinal);
            using (var file = File.OpenWrite(path)) file.SetLength(last.Offset + last.Length + 2048);
        }
    }

    [Fact]
    public void Archive_RandomDamage_NeverEscapesAsAnythingElse()
    {
        OwnPictures.WriteShards(folder, 1, 3);
        var path = Path.Combine(folder, "data-000.tar");
        var whole = File.ReadAllBytes(path);
        var random = new Random(1);
        var refused = 0;
        for (var i = 0; i < 150; i++)
        {
            var bytes = whole[..(random.Next(4) == 0 ? random.Next(whole.Length) : whole.Length)];
            for (var k = random.Next(6); k >= 0 && bytes.Length > 0; k--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, bytes);
            try
            {
                using var pictures = Open(path);
                foreach (var sample in pictures.InOrder())
                {
                    sample.Captions(null);
                    RgbImage.FromBytes(sample.Picture.Read(1 << 20));
                }
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 20, 150);
    }

    [Fact]
    public void Samples_WithoutPictureOrCaption_AreCounted_AndTooManyRefused()
    {
        var path = Path.Combine(folder, "gaps.tar");
        using (var tar = new TarWriter(File.Create(path), TarEntryFormat.Ustar))
        {
            for (var i = 0; i < 8; i++)
            {
                OwnPictures.Add(tar, $"{i}.png", OwnPictures.Draw(i).ToPng());
                if (i is not (2 or 5)) OwnPictures.Add(tar, $"{i}.txt", "a disc"u8.ToArray());
            }
        }

        var message = Assert.Throws<InvalidDataException>(() => Open(path)).Message;
        Assert.Contains("2 of 8 entries cannot be used", message, StringComparison.Ordinal);
        Assert.Contains("2 has no caption", message, StringComparison.Ordinal);
        using var some = new ShardedPictures([path], new PictureDataOptions { Path = path, HeldOut = 0, MaxBadShare = 0.5 });
        Assert.Equal((6, 2), (some.Count, some.Bad.Count));
        Assert.Equal(2, some.Bad.TakeRemarks().Count);
    }

    [Theory]
    [InlineData("data-{000..004}.tar", "There is no archive")]
    [InlineData("data-{004..000}.tar", "should go from")]
    [InlineData("none-*.tar", "No archive matches")]
    public void Range_ThatNamesWhatIsNotThere_IsOneSentence(string name, string says)
    {
        OwnPictures.WriteShards(folder, 2, 1);
        Assert.Contains(says, Assert.ThrowsAny<Exception>(() => Open(Path.Combine(folder, name))).Message, StringComparison.Ordinal);
    }

    private static ShardedPictures Open(string path, int buffer = 100) =>
        new(TarShards.Find(path), new PictureDataOptions { Path = path, HeldOut = 0, ShuffleBuffer = buffer });

    private static void WriteSize(byte[] bytes, string size)
    {
        Encoding.ASCII.GetBytes(size).CopyTo(bytes, 124);
        bytes.AsSpan(148, 8).Fill((byte)' ');
        Encoding.ASCII.GetBytes(Convert.ToString(bytes[..512].Sum(b => b), 8).PadLeft(6, '0') + "\0 ").CopyTo(bytes, 148);
    }
}
