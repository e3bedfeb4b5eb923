using System.CommandLine;
using Alebrije.Cli;
using Alebrije.Cli.Commands;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Cli;

namespace Alebrije.Tests.Embeddings;

/// <summary>A long run of <c>embed</c> continues after a stop, and never with outdated results.</summary>
public sealed class EmbeddingJournalTests : IDisposable
{
    private static readonly EmbeddingSpace Space = new("mini", 3, "0123456789abcdef");
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-journal-").FullName;

    private string Journal => Path.Combine(folder, "out.json.journal");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Journal_GivesBackWhatStillFits()
    {
        var (same, changed) = (Touch("same"), Touch("changed"));
        using (var journal = EmbeddingJournal.Open(Journal, Space)) journal.Add([(same, [1, 2, 3]), (changed, [4, 5, 6])]);
        File.AppendAllText(Journal, "{\"Path\":\"cut sho");
        File.WriteAllText(changed, "longer than before");

        using (var journal = EmbeddingJournal.Open(Journal, Space))
        {
            Assert.Equal(2, journal.Known);
            Assert.Equal([1, 2, 3], journal.Find(same)!);
            Assert.Null(journal.Find(changed));
            Assert.Null(journal.Find(Path.Combine(folder, "never seen")));
            journal.Add([(changed, [7, 8, 9])]);
        }

        using (var journal = EmbeddingJournal.Open(Journal, Space)) Assert.Equal([7, 8, 9], journal.Find(changed)!);
        using (var journal = EmbeddingJournal.Open(Journal, Space with { Preprocessing = "fedcba9876543210" }))
            Assert.Equal(0, journal.Known);
    }

    [Fact]
    public async Task Embed_GoesOnWhereItWasStopped_AndEndsWithTheSameFile()
    {
        var pictures = Directory.CreateDirectory(Path.Combine(folder, "pictures")).FullName;
        for (var i = 0; i < 70; i++) Save(Path.Combine(pictures, $"{i:00}.png"), 8 + i);
        string[] command = ["embed", "--model", TestModels.StableUnClip, "--images", pictures, "--lang", "en", "--out"];
        var (whole, resumed) = (Path.Combine(folder, "whole.json"), Path.Combine(folder, "resumed.json"));
        Assert.Equal(0, (await CommandLine.Run([.. command, whole])).Status);

        // The run ends at the last image, for another reason than the image itself.
        var inputs = new EmbeddingInputs(upright: false);
        var root = new RootCommand();
        foreach (var option in CommonOptions.All) root.Add(option);
        inputs.AddTo(root);
        using var error = new StringWriter();
        var (terminal, words) = (new Terminal(TextWriter.Null, error, TextReader.Null), new Alebrije.Cli.Words("en"));
        var asked = new AskedInputs(new StoppingList([.. Directory.GetFiles(pictures).Order(StringComparer.Ordinal)]),
            [], new SkippedPictures(words, upright: false, strict: false));
        Assert.Throws<TimeoutException>(() => EmbeddingInputs.Embed(root.Parse(command[1..3]),
            terminal, words, asked, thumbnails: false, CancellationToken.None, resumed + ".journal"));
        Assert.Contains("64 images of 70 are saved in", error.ToString(), StringComparison.Ordinal);

        var again = await CommandLine.Run([.. command, resumed]);
        Assert.Equal(0, again.Status);
        Assert.Contains("64 images of 70 are already embedded", again.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(resumed + ".journal"));
        var (a, b) = (await EmbeddingFile.ReadAsync(whole, TestContext.Current.CancellationToken),
            await EmbeddingFile.ReadAsync(resumed, TestContext.Current.CancellationToken));
        Assert.Equal(a.Items.Select(item => item.Label), b.Items.Select(item => item.Label));
        foreach (var (x, y) in a.Items.Zip(b.Items)) Assert.Equal(x.Embedding, y.Embedding, (p, q) => Math.Abs(p - q) < 1e-5);
    }

    /// <summary>A list whose last item throws.</summary>
    private sealed class StoppingList(string[] items) : IReadOnlyList<string>
    {
        public int Count => items.Length;

        public string this[int index] => index < items.Length - 1 ? items[index] : throw new TimeoutException();

        public IEnumerator<string> GetEnumerator() => ((IEnumerable<string>)items).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => items.GetEnumerator();
    }

    private string Touch(string name)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, name);
        return path;
    }

    private static void Save(string path, int side)
    {
        var pixels = Enumerable.Range(0, side * side * 3).Select(i => (byte)(i * 37 % 251)).ToArray();
        File.WriteAllBytes(path, PngEncoder.Encode(new RgbImage(side, side, pixels).ToPillow()));
    }
}
