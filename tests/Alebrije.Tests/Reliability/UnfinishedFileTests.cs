using Alebrije.Preprocessing;
using Alebrije.Weights;

namespace Alebrije.Tests.Reliability;

/// <summary>Files are there as a whole or not at all, and one writer at a time has each.</summary>
public sealed class UnfinishedFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-unfinished-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string[] Names => [.. Directory.GetFiles(folder).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    [Fact]
    public void Writing_ReplacesTheFileOnlyWhenItIsWhole()
    {
        var path = Path.Combine(folder, "a.txt");
        WrittenFile.Write(path, "before");
        WrittenFile.Write(path, 0, (stream, _) =>
        {
            stream.Write("half"u8);
            stream.Flush();
            Assert.Equal("before", File.ReadAllText(path));
            Assert.Equal([".a.txt.alebrije", "a.txt"], Names);
        });
        Assert.Equal("half", File.ReadAllText(path));

        // A disk that is full in the middle leaves the earlier file and nothing else.
        foreach (var write in (Action<Action<Stream>>[])[w => WrittenFile.Write(path, w, (stream, all) => all(stream)),
            w => AtomicFile.Write(path, w)])
        {
            var error = Record.Exception(() => write(stream =>
            {
                stream.Write("torn"u8);
                throw new IOException($"No space left on device : '{Path.Combine(folder, ".a.txt.alebrije")}'");
            }));
            Assert.Equal($"{path} cannot be written: No space left on device : '{path}'.", error!.Message);
            Assert.Equal(("half", "a.txt"), (File.ReadAllText(path), Assert.Single(Names)));
        }
    }

    [Fact]
    public void SecondWriter_IsRefused_AndTheFirstIsWhole()
    {
        var path = Path.Combine(folder, "a.txt");
        WrittenFile.Write(path, 0, (stream, _) =>
        {
            stream.Write("first"u8);
            var error = Assert.Throws<UnwritableFileException>(() => WrittenFile.Write(path, "second"));
            Assert.Contains($"{path} cannot be written: ", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(".alebrije", error.Message, StringComparison.Ordinal);
        });
        Assert.Equal(("first", "a.txt"), (File.ReadAllText(path), Assert.Single(Names)));
    }

    [Fact]
    public void WhatAKilledProcessLeft_IsTakenOver_OrSweptAway()
    {
        var path = Path.Combine(folder, "a.txt");
        File.WriteAllText(Path.Combine(folder, ".a.txt.alebrije"), "a long unfinished text");
        WrittenFile.Write(path, "whole");
        Assert.Equal(("whole", "a.txt"), (File.ReadAllText(path), Assert.Single(Names)));

        File.WriteAllText(Path.Combine(folder, ".b.txt.alebrije"), "left");
        using (var active = new UnfinishedFile(Path.Combine(folder, "c.txt")))
        {
            UnfinishedFile.Sweep(folder);
            Assert.Equal([".c.txt.alebrije", "a.txt"], Names);
        }

        Assert.Equal(["a.txt"], Names);
    }

    [Fact]
    public void LinksAndLongNames_AreWrittenAsBefore()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need rights there.");
        var (link, target) = (Path.Combine(folder, "link"), Path.Combine(folder, "target"));
        File.WriteAllText(target, "");
        File.CreateSymbolicLink(link, "target");
        WrittenFile.Write(link, "x");
        Assert.Equal(("x", "target"), (File.ReadAllText(target), new FileInfo(link).LinkTarget));
        WrittenFile.Write("/dev/null", "x");
        Assert.True(File.Exists("/dev/null"));
        var longest = Path.Combine(folder, new string('n', 255));
        WrittenFile.Write(longest, "x");
        Assert.Equal("x", File.ReadAllText(longest));
    }
}
