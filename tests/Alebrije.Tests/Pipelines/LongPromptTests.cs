using Alebrije.Pipelines;
using Alebrije.Pipelines.StableDiffusion;
using Alebrije.Preprocessing.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Prompts beyond the text encoder's length, in chunks of 75 tokens with their own begin, end and padding.</summary>
public sealed class LongPromptTests : IDisposable
{
    private static readonly ClipTokenizer Clip = ClipTokenizer.OpenAi();

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-long-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>Lengths of the chunks of a text of single-token words; n stands for n words, -1 for a comma.</summary>
    [Theory]
    [InlineData(new[] { 0 }, new[] { 0 })]
    [InlineData(new[] { 75 }, new[] { 75 })]
    [InlineData(new[] { 76 }, new[] { 75, 1 })]
    [InlineData(new[] { 160 }, new[] { 75, 75, 10 })]
    // A comma among the last 20 tokens ends the chunk: 60 words and the comma.
    [InlineData(new[] { 60, -1, 30 }, new[] { 61, 30 })]
    [InlineData(new[] { 55, -1, 30 }, new[] { 56, 30 })]
    [InlineData(new[] { 54, -1, 30 }, new[] { 75, 10 })]
    // The last of several commas.
    [InlineData(new[] { 56, -1, 5, -1, 30 }, new[] { 63, 30 })]
    // A comma after a full chunk begins the next.
    [InlineData(new[] { 75, -1, 3 }, new[] { 75, 4 })]
    // Nothing is moved if the text ends with the chunk.
    [InlineData(new[] { 60, -1, 14 }, new[] { 75 })]
    public void Pieces_BreakBehindCommas(int[] text, int[] lengths)
    {
        var prompt = string.Concat(text.Select(part => part < 0 ? "," : string.Concat(Enumerable.Repeat(" cat", part))));
        Assert.Equal(lengths.Length, PromptPieces.Count(Clip, prompt));
        var rows = PromptPieces.Encode(Clip, [prompt], lengths.Length + 1);
        Assert.Equal(lengths.Append(0), rows.Select(row => Array.IndexOf(row, Clip.EndId) - 1));
        Assert.All(rows, row => Assert.Equal((77, Clip.StartId), (row.Length, row[0])));
        Assert.All(rows, row => Assert.All(row.Skip(Array.IndexOf(row, Clip.EndId) + 1), id => Assert.Equal(Clip.PadId, id)));
        Assert.Equal(Clip.Encode(prompt)[1..^1], rows.SelectMany(row => row[1..Array.IndexOf(row, Clip.EndId)]));
    }

    [Fact]
    public void VectorsOfOneToken_StayInOnePiece()
    {
        var tokenizer = Clip.With([new AddedToken("<x>", Clip.VocabularySize, false) { Count = 8 }]);
        var rows = PromptPieces.Encode(tokenizer, [string.Concat(Enumerable.Repeat("cat ", 70)) + "<x> cat"], 2);
        Assert.Equal([70, 9], rows.Select(row => Array.IndexOf(row, Clip.EndId) - 1));
    }

    [Fact]
    public void Encodings_AreThoseOfThePieces_SideBySide()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var texts = new StableDiffusionTexts(PipelineFolder.Open(RandomXl.Make(At("xl"))), keep: true);
        var tokenizer = texts.Tokenizers["text_encoder"];
        var (first, second) = (Words(tokenizer, 75), Words(tokenizer, 20));
        var whole = texts.Encode([$"{first} {second}", "a cat"], pieces: texts.Pieces([$"{first} {second}", "a cat"]));
        var (one, two, other, empty) = (texts.Encode([first]), texts.Encode([second]), texts.Encode(["a cat"]), texts.Encode([""]));
        Assert.Equal([2, 154, 56], whole.Encodings.shape);
        Near(cat([cat([one.Encodings, two.Encodings], 1), cat([other.Encodings, empty.Encodings], 1)]), whole.Encodings);
        Near(cat([one.Pooled!, other.Pooled!]), whole.Pooled!);
    }

    [Fact]
    public void Pictures_OfShortPromptsAreTheSame_AndOfLongOnesInBatchesAsAlone()
    {
        var model = RandomPipelines.StableDiffusion(At("sd"));
        using var pipeline = ImagePipeline.Load(model);
        var request = new GenerationRequest { Prompt = "a cat", Steps = 2, Seed = 4, Negative = "a dog" };
        Assert.Equal(pipeline.Drawn(request).Image.Pixels, pipeline.Drawn(request with { LongPrompt = true }).Image.Pixels);

        var longer = request with { Prompt = Words(ClipTokenizer.Load(Path.Combine(model, "tokenizer")), 90) };
        var cut = pipeline.Drawn(longer);
        Assert.Equal([typeof(TextCutNote), typeof(LongPromptNote)], cut.Notes.Select(note => note.GetType()));
        var whole = pipeline.Drawn(longer with { LongPrompt = true });
        Assert.Empty(whole.Notes);
        Assert.NotEqual(cut.Image.Pixels, whole.Image.Pixels);
        // A negative prompt that is longer than the prompt lengthens it.
        Assert.NotEqual(
            pipeline.Drawn(request with { LongPrompt = true }).Image.Pixels,
            pipeline.Drawn(request with { LongPrompt = true, Negative = longer.Prompt }).Image.Pixels);
        GenerationRequest[] both = [request with { LongPrompt = true }, longer with { LongPrompt = true }];
        Assert.Equal(both.Select(each => pipeline.Drawn(each).Image.Pixels), pipeline.DrawnMany(both).Select(drawn => drawn.Image.Pixels));
    }

    /// <summary>A text of words with the given number of tokens.</summary>
    private static string Words(ClipTokenizer tokenizer, int tokens)
    {
        var words = "";
        for (var i = 0; tokenizer.Encode(words).Length < tokens + 2; i++) words += $" {(char)('a' + (i % 26))}";
        Assert.Equal(tokens + 2, tokenizer.Encode(words).Length);
        return words.Trim();
    }

    private static void Near(Tensor expected, Tensor actual) => Assert.True((expected - actual).abs().max().item<float>() < 1e-5);

    private string At(string name) => Path.Combine(folder, name);
}
