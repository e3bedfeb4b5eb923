using System.Diagnostics;
using Alebrije.Embeddings;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Cli;
using Alebrije.Training;
using Alebrije.Weights;

namespace Alebrije.Tests.Reliability;

/// <summary>Full disks and read-only places: refused before the work where that can be, otherwise in one sentence, nothing torn.</summary>
public sealed class FullDiskTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-full-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Device_ThatIsAlwaysFull_IsRefusedWithItsReason()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "there is no /dev/full");
        UnwritableFileException.ThrowIfUnwritable("/dev/full", leastBytes: 1L << 50);
        foreach (var write in (Action[])[() => WrittenFile.Write("/dev/full", "text"),
            () => new RgbImage(9, 9).SavePng("/dev/full"), () => Npy.Write("/dev/full", [1f, 2], 2)])
        {
            var refusal = Assert.Throws<UnwritableFileException>(write);
            Assert.Equal((UnwritableReason.Full, "/dev/full cannot be written: there is too little space on the disk."),
                (refusal.Reason, refusal.Message));
        }
    }

    [Fact]
    public void Space_IsCountedBeforeAnythingIsWritten()
    {
        var path = Path.Combine(folder, "none", "a.bin");
        var refusal = Assert.Throws<UnwritableFileException>(() => DiskSpace.Require(path, 1L << 60));
        Assert.Equal((UnwritableReason.Full, 1L << 60), (refusal.Reason, refusal.NeededBytes));
        Assert.InRange(refusal.FreeBytes!.Value, 0, (1L << 60) - 1);
        Assert.Contains("are needed, and the disk has", refusal.Message, StringComparison.Ordinal);
        DiskSpace.Require(path, 1);
        UnwritableFileException.ThrowIfUnwritable(Path.Combine(folder, "a.bin"), leastBytes: 1);
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public async Task Verbs_OnAFullDisk_AreRefusedBeforeAModelIsLoaded_AndLeaveNothing()
    {
        using var disk = SmallDisk.Mount(folder, "size=64k");
        disk.Fill();
        await RefusesEach(disk, "are needed, and the disk has 0 kB free");
    }

    [Fact]
    public async Task Verbs_OnAReadOnlyDisk_AreRefusedBeforeAModelIsLoaded()
    {
        using var disk = SmallDisk.Mount(folder, "size=1m,ro");
        await RefusesEach(disk, "the disk is read-only");
        Assert.Equal("No se puede escribir " + disk.Of("a.png") + ": el disco es de solo lectura.",
            (await CommandLine.Run("imagine", "a lion", "--out", disk.Of("a.png"), "--lang", "es")).Refusal);
    }

    [Fact]
    public void DiskThatFills_LeavesTheEarlierFile_AndNoTornOne()
    {
        using var disk = SmallDisk.Mount(folder, "size=64k");
        var (path, large) = (disk.Of("a.bin"), new byte[100_000]);
        WrittenFile.Write(path, "before");
        var refusal = Assert.Throws<UnwritableFileException>(() => WrittenFile.Write(path, large));
        Assert.Equal($"{path} cannot be written: there is too little space on the disk.", refusal.Message);
        Assert.Throws<UnwritableFileException>(() => WrittenFile.Append(path, new string('x', 100_000)));
        Assert.Equal(("before", path), (File.ReadAllText(path), Assert.Single(disk.Files)));
        var error = Assert.Throws<WeightsException>(() => AtomicFile.Write(path, stream => stream.Write(large)));
        Assert.Equal(UnwritableReason.Full, Assert.IsType<UnwritableFileException>(error.InnerException).Reason);
        Assert.Equal(path, Assert.Single(disk.Files));
    }

    [Fact]
    public void Cache_ThatIsMapped_HasItsSpaceBeforeItIsUsed()
    {
        using var disk = SmallDisk.Mount(folder, "size=64k");
        var refusal = Assert.Throws<UnwritableFileException>(() => new SceneCache(disk.Of("scenes.cache"),
            new SceneWindow(1, 4, 4, 1000), "test", [[100]], _ => throw new InvalidOperationException("encoded"), 0));
        Assert.True(refusal.NeededBytes > 100_000);
        Assert.Empty(disk.Files);
    }

    [Fact]
    public void Journal_OfAFullDisk_IsRefusedOnce_AndKeepsWhatItHas()
    {
        using var disk = SmallDisk.Mount(folder, "size=64k");
        var (path, image) = (disk.Of("e.npy.journal"), Path.Combine(folder, "a.png"));
        new RgbImage(4, 4).SavePng(image);
        var space = new Alebrije.Pipelines.EmbeddingSpace("test", 4000);
        var other = disk.Of("other");
        File.WriteAllBytes(other, new byte[24_000]);
        using (var journal = EmbeddingJournal.Open(path, space))
        {
            journal.Add([(image, new float[4000])]);
            var refusal = Assert.Throws<UnwritableFileException>(() => journal.Add(Enumerable.Repeat((image, new float[4000]), 5)));
            Assert.Equal((path, UnwritableReason.Full), (refusal.File, refusal.Reason));
        }

        File.Delete(other);
        using var again = EmbeddingJournal.Open(path, space);
        Assert.Equal(1, again.Known);
    }

    [Fact]
    public void Run_InAFullFolder_IsRefusedBeforeTheFolderIsMade()
    {
        using var disk = SmallDisk.Mount(folder, "size=64k");
        disk.Fill();
        Assert.Equal(UnwritableReason.Full, Assert.Throws<UnwritableFileException>(() =>
            new TrainingRun(new TrainingOptions(disk.Of("run")), new { }, new LossWatch(1, 1, ""))).Reason);
        Assert.False(Directory.Exists(disk.Of("run")));
    }

    private async Task RefusesEach(SmallDisk disk, string reason)
    {
        var image = Path.Combine(folder, "a.png");
        new RgbImage(32, 32).SavePng(image);
        string[][] commands =
        [
            ["imagine", "a lion", "--out", disk.Of("a.png")], ["imagine", "a lion", "a dog", "--out", disk.Of("f")],
            ["imagine", "a lion", "--out", Path.Combine(folder, "b.png"), "--trace", disk.Of("t")],
            ["vary", image, "--out", disk.Of("v.png")], ["sweep", "a lion", "--out", disk.Of("s")],
            ["embed", "--images", image, "--out", disk.Of("e.npy")], ["embed", "--texts", "a", "--out", disk.Of("e.parquet")],
            ["similarity", "--images", image, "--texts", "a", "--out", disk.Of("s.html")],
            ["index", "add", folder, "--index", disk.Of("i")],
        ];
        if (new Alebrije.Datasets.WorldFiles().Missing().Count == 0)
            commands = [.. commands, ["world", "--export", disk.Of("w")], ["world", "--out", disk.Of("w.png")]];
        foreach (var command in commands)
        {
            // A model that is not there shows that none is loaded; experiments look for theirs before their files.
            var model = command[0] is "vary" or "sweep" ? TestModels.StableUnClip : "none";
            var outcome = await CommandLine.Run([.. command, "--model", model]);
            Assert.Equal(1, outcome.Status);
            Assert.True(outcome.Refusal.Contains(reason, StringComparison.Ordinal), $"{command[0]}: {outcome.Refusal}");
            Assert.Empty(disk.Files);
        }
    }

    /// <summary>A small file system in memory, mounted where the system lets the user mount one.</summary>
    private sealed class SmallDisk : IDisposable
    {
        private const string Filler = "filler";

        private readonly string path;

        private SmallDisk(string path) => this.path = path;

        /// <summary>Files and folders on it, besides its filler.</summary>
        public string[] Files => [.. Directory.GetFileSystemEntries(path).Where(one => Path.GetFileName(one) != Filler)];

        public static SmallDisk Mount(string folder, string options)
        {
            var path = Directory.CreateDirectory(Path.Combine(folder, "disk")).FullName;
            Assert.SkipUnless(OperatingSystem.IsLinux() && Run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path),
                "this user cannot mount a file system");
            return new SmallDisk(path);
        }

        public string Of(string name) => Path.Combine(path, name);

        public void Fill()
        {
            using var stream = new FileStream(Of(Filler), FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
            Assert.Throws<IOException>(() => stream.Write(new byte[1 << 20]));
        }

        public void Dispose() => Run("umount", path);

        private static bool Run(string command, params string[] arguments)
        {
            try
            {
                using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
                process.WaitForExit();
                return process.ExitCode == 0;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                return false;
            }
        }
    }
}
