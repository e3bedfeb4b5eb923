using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Microsoft.Data.Sqlite;

namespace Alebrije.Search.Tests;

/// <summary>Adding and updating: exactly the files that are new, changed, moved, gone or damaged.</summary>
public sealed class IndexUpdateTests : Folders
{
    [Fact]
    public void Update_AfterAddingDeletingMovingAndDamaging_GivesExactlyThese()
    {
        var files = Write(0, 40);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        var first = index.Add([Photos], Model);
        Assert.Equal((40, 40, 40), (first.Items, first.Added.Count, first.Embedded));
        Assert.Empty(first.Skipped);

        var added = Write(100, 10);
        foreach (var file in files[..10]) File.Delete(file);
        var moved = files[10..20].Select(file => (From: file, To: Path.Combine(Photos, "moved", Path.GetFileName(file)))).ToArray();
        Directory.CreateDirectory(Path.Combine(Photos, "moved"));
        foreach (var (from, to) in moved) File.Move(from, to);
        File.WriteAllBytes(files[20], File.ReadAllBytes(files[20])[..60]);
        Drawn(999).SavePng(files[21]);
        File.SetLastWriteTimeUtc(files[22], new DateTime(2020, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        var report = index.Update(Model);

        Assert.Equal(added, report.Added);
        Assert.Equal(files[..10], report.Removed);
        Assert.Equal(moved, report.Moved.Select(move => (move.From, move.To)));
        Assert.Equal([files[21]], report.Changed);
        Assert.Equal([files[20]], report.Skipped.Select(one => one.File));
        Assert.Equal((39, 11), (report.Items, report.Embedded));
        var there = Directory.GetFiles(Photos, "*.png", SearchOption.AllDirectories).Except([files[20]]).Order(StringComparer.Ordinal);
        Assert.Equal(there, index.Pictures(index.Spaces[0]).Select(picture => picture.File));

        var again = index.Update(Model);
        Assert.Equal((39, 0, 0, 0), (again.Items, again.Added.Count + again.Changed.Count + again.Moved.Count,
            again.Removed.Count, again.Embedded));
        Assert.Equal([files[20]], again.Skipped.Select(one => one.File));
    }

    [Fact]
    public void UpdatedIndex_IsTheSameAsANewOne()
    {
        var files = Write(0, 12);
        using (var index = PictureIndex.OpenOrCreate(IndexFolder))
        {
            index.Add([Photos], Model);
            foreach (var file in files[..4]) File.Delete(file);
            File.Move(files[4], Path.Combine(Photos, "other.png"));
            Drawn(50).SavePng(files[5]);
            Write(60, 3);
            index.Update(Model);
            index.Compact();
        }

        var fresh = Path.Combine(Root, "fresh");
        using (var index = PictureIndex.OpenOrCreate(fresh)) index.Add([Photos], Model);
        Assert.Equal(Items(fresh), Items(IndexFolder));
        using var compacted = PictureIndex.Open(IndexFolder);
        using var vectors = Vectors.VectorFile.Open(Path.Combine(IndexFolder, compacted.Spaces[0].File));
        Assert.Equal(11, vectors.Count);
        Assert.Single(Directory.GetFiles(IndexFolder, "vectors-*"));
    }

    [Fact]
    public void Copies_AreEmbeddedOnce_AndDamagedCopiesAreAllNamed()
    {
        var file = Write(0, 1)[0];
        string[] copies = [.. Enumerable.Range(0, 40).Select(i => Path.Combine(Photos, $"copy{i:00}.png"))];
        foreach (var copy in copies) File.Copy(file, copy);
        string[] broken = [.. Enumerable.Range(0, 40).Select(i => Path.Combine(Photos, $"z{i:00}.png"))];
        foreach (var copy in broken) File.WriteAllBytes(copy, File.ReadAllBytes(file)[..70]);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        var report = index.Add([Photos], Model);
        Assert.Equal((41, 1), (report.Items, report.Embedded));
        Assert.Equal(broken, report.Skipped.Select(one => one.File));
        Assert.Single(report.Skipped.Select(one => one.Reason).Distinct());
        Assert.Equal(1, index.Status().Contents);
        var found = Assert.Single(index.Search(Model, new SearchQuery([new QueryPart(file, 1, true)]) { FalseAlarmRate = 1 }).Results);
        Assert.Equal((file, 40), (found.File, found.Copies.Count));
    }

    [Fact]
    public void RepairedFile_IsIndexedAgain()
    {
        var file = Write(0, 2)[1];
        var bytes = File.ReadAllBytes(file);
        File.WriteAllBytes(file, bytes[..80]);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        Assert.Equal(1, index.Add([Photos], Model).Items);
        File.WriteAllBytes(file, bytes);
        var report = index.Update(Model);
        Assert.Equal((2, 1), (report.Items, report.Added.Count));
        Assert.Empty(report.Skipped);
        Assert.Empty(index.Status().Skipped);
    }

    [Theory]
    [InlineData("UPDATE contents SET taken = 'no date'")]
    [InlineData("UPDATE contents SET width = 1e30")]
    public void Tables_WithValuesOfAnotherKind_AreDamaged(string statement)
    {
        Assert.Equal(2, ChangedRows(statement));

        using var damaged = PictureIndex.Open(IndexFolder);
        var error = Assert.Throws<InvalidDataException>(() => damaged.Search(Model, new SearchQuery("a dog") { FalseAlarmRate = 1 }));
        Assert.EndsWith("index.db is damaged or not an index; move it away and build the index again.", error.Message,
            StringComparison.Ordinal);
    }

    /// <summary>The lines of the tables' statements end as those of the sources from which the index was made.</summary>
    [Fact]
    public void Tables_OfAnotherPlatform_AreRead()
    {
        Assert.InRange(ChangedRows("PRAGMA writable_schema = ON; "
            + "UPDATE sqlite_master SET sql = replace(sql, char(10), char(13) || char(10)) WHERE sql LIKE '%' || char(10) || '%'"), 1, 10);

        using var again = PictureIndex.Open(IndexFolder);
        Assert.Equal(2, again.Status().Contents);
    }

    /// <summary>Each query of a recursive view would run without end; a file of vectors elsewhere would be read and appended to.</summary>
    [Theory]
    [InlineData("DROP TABLE files; CREATE VIEW files AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) "
        + "SELECT 'p' || x AS path, 1 AS bytes, 1 AS modified, 1 AS content FROM r")]
    [InlineData("DROP TABLE labels; CREATE VIEW labels AS SELECT 1 AS content, 'a' AS label, 0.5 AS probability")]
    [InlineData("CREATE TRIGGER t AFTER INSERT ON files BEGIN DELETE FROM contents; END")]
    [InlineData("CREATE TABLE more(x)")]
    [InlineData("ALTER TABLE files ADD COLUMN z GENERATED ALWAYS AS (hex(zeroblob(100000000)))")]
    [InlineData("UPDATE spaces SET file = '../vectors-1-1.bin'")]
    [InlineData("UPDATE spaces SET file = '/dev/zero'")]
    [InlineData("UPDATE spaces SET file = ''")]
    [InlineData("UPDATE spaces SET file = 'vectors-1-99999999999.bin'")]
    public void Tables_OfAnotherMaker_AreDamaged(string statement)
    {
        ChangedRows(statement);

        foreach (var use in (Action<PictureIndex>[])
            [index => index.Search(Model, new SearchQuery("a dog")), index => index.Add([Photos], Model)])
        {
            var error = Assert.Throws<InvalidDataException>(() =>
            {
                using var damaged = PictureIndex.Open(IndexFolder);
                use(damaged);
            });
            Assert.EndsWith("index.db is damaged or not an index; move it away and build the index again.", error.Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void MissingRoot_KeepsItsImages_AndRemoveTakesThemOut()
    {
        Write(0, 3);
        var other = Path.Combine(Root, "disk");
        Write(10, 2, other);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        Assert.Equal(5, index.Add([Photos, other], Model).Items);
        Directory.Move(other, other + "-gone");
        var report = index.Update(Model);
        Assert.Equal((5, 0), (report.Items, report.Removed.Count));
        Assert.Equal([other], report.MissingRoots);
        Assert.Equal(2, index.Remove([other]).Count);
        Assert.Equal([Photos], index.Roots);
        Assert.Equal((3, 0), (index.Update(Model).Items, index.Update(Model).MissingRoots.Count));
    }

    [Fact]
    public void SecondWriter_IsRefusedInOneSentence_AndReadersAreNot()
    {
        Write(0, 2);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        using (IndexLock.Take(IndexFolder))
        {
            using var second = PictureIndex.OpenOrCreate(IndexFolder);
            Assert.Contains("is being changed by another process", Assert.Throws<IndexBusyException>(() => second.Update(Model)).Message,
                StringComparison.Ordinal);
            Assert.Equal(2, second.Search(Model, new SearchQuery("a") { FalseAlarmRate = 1 }).Results.Count);
        }

        Assert.Equal(2, index.Update(Model).Items);
    }

    [Fact]
    public void TwoSpaces_StandSideBySide_AndAThirdModelIsRefused()
    {
        Write(0, 3);
        var copy = TestModels.Copy(TestModels.StableUnClip, Path.Combine(Root, "other-model"));
        using var other = Pipelines.ClipModel.Load(copy);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var error = Assert.Throws<OtherSpaceException>(() => index.Search(other, new SearchQuery("a")));
        Assert.Equal("The index was made with model; rebuild it with 'alebrije index update --model other-model', "
            + "or search with --model model.", error.Message);
        var report = index.Update(other, copy);
        Assert.Equal((3, 0, 3), (report.Items, report.Added.Count, report.Embedded));
        Assert.Equal([3, 3], index.Spaces.Select(space => space.Images));
        Assert.Equal(3, index.Search(other, new SearchQuery("a") { FalseAlarmRate = 1 }).Results.Count);
        index.Remove(index.Spaces[0]);
        Assert.Throws<OtherSpaceException>(() => index.Search(Model, new SearchQuery("a")));
    }

    [Fact]
    public void OrphanRows_OfAKilledRun_AreNeitherFoundNorCounted()
    {
        Write(0, 3);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        using (var vectors = Vectors.VectorFile.Open(Path.Combine(IndexFolder, index.Spaces[0].File), writable: true))
        {
            var query = Model.EmbedTexts(["a"])[0];
            for (var i = 0; i < 5; i++) vectors.Append(query);
            vectors.Flush();
        }

        File.WriteAllText(Path.Combine(IndexFolder, "vectors-7-1.bin"), "left by a killed run");
        Write(5, 1);
        Assert.Equal(4, index.Update(Model).Items);
        var found = index.Search(Model, new SearchQuery("a") { FalseAlarmRate = 1, Top = 4 }).Results;
        Assert.Equal(4, found.Select(result => result.File).Distinct().Count());
        Assert.Single(Directory.GetFiles(IndexFolder, "vectors-*"));
    }

    [Fact]
    public void Images_StandUpright()
    {
        var upright = Drawn(3, 40, 20);
        upright.SavePng(Path.Combine(Photos, "upright.png"));
        var turned = new RgbImage(20, 40);
        for (var y = 0; y < 40; y++)
            for (var x = 0; x < 20; x++)
                for (var c = 0; c < 3; c++) turned.Pixels[(((y * 20) + x) * 3) + c] = upright.Pixels[(((x * 40) + (39 - y)) * 3) + c];
        File.WriteAllBytes(Path.Combine(Photos, "turned.png"), TestExifPng.With(turned, orientation: 6));
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var pictures = index.Pictures(index.Spaces[0]);
        Assert.All(pictures, picture => Assert.Equal((40, 20), (picture.Width, picture.Height)));
        var groups = PictureDuplicates.Find(index, Model, 2);
        Assert.Equal(2, Assert.Single(groups).Pictures.Count);
    }

    /// <summary>Makes an index of two images and changes its tables by a statement.</summary>
    /// <returns>Changed rows.</returns>
    private int ChangedRows(string statement)
    {
        Write(0, 2);
        using (var index = PictureIndex.OpenOrCreate(IndexFolder)) index.Add([Photos], Model);
        using var connection = new SqliteConnection($"Data Source={Path.Combine(IndexFolder, "index.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = statement;
        return command.ExecuteNonQuery();
    }
}
