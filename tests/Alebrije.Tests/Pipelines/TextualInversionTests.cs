using System.Runtime.InteropServices;
using Alebrije.Pipelines;
using Alebrije.Pipelines.StableDiffusion;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tests.Weights;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>
/// Textual inversion: a token with the vectors of known words gives the same image as the words, in every format and both text encoders.
/// </summary>
public sealed class TextualInversionTests : IDisposable
{
    private const string Words = "red dog", Table = "text_model.embeddings.token_embedding.weight";

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-inversion-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("dog.safetensors", "emb_params", null, "dog-token")]
    [InlineData("learned_embeds.safetensors", "<my-dog>", null, "<my-dog>")]
    [InlineData("learned_embeds.safetensors", "<my-dog>", "another one", "another one")]
    [InlineData("dog-token.pt", "string_to_param", null, "dog-token")]
    public void EveryFormat_DrawsWhatItsWordsDraw(string name, string key, string? given, string token)
    {
        var (model, file) = (RandomPipelines.StableDiffusion(At("sd")), At(key == "emb_params" ? "dog-token.safetensors" : name));
        var rows = Rows(model, "");
        if (key == "string_to_param") Pickle(file, rows);
        else Save(file, (key, rows));
        using var pipeline = ImagePipeline.Load(model);
        var expected = pipeline.Drawn(Request($"a {Words} in the sea"));
        var drawn = pipeline.Drawn(Request($"a {token} in the sea") with { Embeddings = [new EmbeddingInput(file, given)] });
        Assert.Equal(expected.Image.Pixels, drawn.Image.Pixels);
        Assert.Empty(drawn.Notes);
        Assert.Equal(64, drawn.Request.Embeddings![0].Sha256!.Length);
        Assert.NotEqual(expected.Image.Pixels, pipeline.Drawn(Request($"a {token} in the sea")).Image.Pixels);
        // In the negative prompt too.
        Assert.Equal(
            pipeline.Drawn(Request("a cat") with { Negative = Words }).Image.Pixels,
            pipeline.Drawn(Request("a cat") with { Negative = token, Embeddings = [new EmbeddingInput(file, given)] }).Image.Pixels);
    }

    /// <summary>The second text encoder's old configuration (end token 2) pools at the largest id; added tokens do not count.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void BothTextEncodersOfXl(bool keeps)
    {
        var (model, file) = (RandomXl.Make(At("xl")), At("dog-token.safetensors"));
        Save(file, ("clip_l", Rows(model, "")), ("clip_g", Rows(model, "_2")));
        using var pipeline = ImagePipeline.Load(model, new ImagePipelineOptions { KeepLoaded = keeps });
        var expected = pipeline.Drawn(Request($"a {Words} in the sea")).Image.Pixels;
        var request = Request("a dog-token in the sea") with { Embeddings = [new EmbeddingInput(file)] };
        Assert.Equal(expected, pipeline.Drawn(request).Image.Pixels);
        Assert.Equal(expected, pipeline.Drawn(request).Image.Pixels);
        Assert.Equal(expected, pipeline.Drawn(Request($"a {Words} in the sea")).Image.Pixels);
    }

    [Fact]
    public void Tokens_AreFoundAsTyped_TheLongestFirst()
    {
        var plain = ClipTokenizer.OpenAi();
        var first = plain.VocabularySize;
        var tokenizer = plain.With([new AddedToken("cat", first, false), new AddedToken("cat-toy", first + 1, false) { Count = 3 }]);
        Check("a cat-toy, a Cat and a cat", [.. Ids("a"), first + 1, first + 2, first + 3, .. Ids(", a Cat and a"), first]);
        Check("concatenate", [.. Ids("con"), first, .. Ids("enate")]);
        Check("cat-toy_1 cat-toy_2", [first + 2, first + 3]);
        Assert.Equal("a cat-toy cat-toy_1 cat-toy_2 lion", tokenizer.Decode(tokenizer.Encode("a cat-toy lion")));
        Assert.Equal(tokenizer.Encode("a cat-toy, lion"), tokenizer.EncodeToTokens("a cat-toy, lion", out _).Select(token => token.Id));
        Assert.Equal((3, 1, 1), (tokenizer.CountAt(first + 1), tokenizer.CountAt(first + 2), tokenizer.CountAt(5)));

        int[] Ids(string text) => plain.Encode(text)[1..^1];

        void Check(string text, int[] expected) => Assert.Equal(expected, tokenizer.Encode(text)[1..^1]);
    }

    [Fact]
    public void UnusedToken_IsNoted()
    {
        var (model, file) = (RandomPipelines.StableDiffusion(At("sd")), At("dog-token.safetensors"));
        Save(file, ("emb_params", Rows(model, "")));
        using var pipeline = ImagePipeline.Load(model);
        var drawn = pipeline.Drawn(Request("a Dog-Token") with { Embeddings = [new EmbeddingInput(file)] });
        Assert.Equal([new UnusedEmbeddingNote(file, "dog-token")], drawn.Notes);
    }

    [Fact]
    public void WhatDoesNotFit_IsRefusedInOneSentence()
    {
        var (sd, xl) = (RandomPipelines.StableDiffusion(At("sd")), RandomXl.Make(At("xl")));
        using var scope = NewDisposeScope();
        Refuses(sd, "has vectors of 24 numbers, and the text encoder of sd 32", ("x", ones(2, 24)));
        Refuses(sd, "is for the two text encoders of Stable Diffusion XL", ("clip_l", ones(1, 32)), ("clip_g", ones(1, 24)));
        Refuses(xl, "is for one text encoder ('x'), and xl has two", ("x", ones(2, 32)));
        Refuses(xl, "has 2 and 1 vectors for the two text encoders", ("clip_l", ones(2, 32)), ("clip_g", ones(1, 24)));
        Refuses(sd, "is not a textual inversion: it holds 2 tensors", ("a", ones(1, 32)), ("b", ones(1, 32)));
        Refuses(sd, "has 76 vectors, and a text has room for 75", ("x", ones(76, 32)));
        Refuses(sd, "as Int64[32]", ("x", ones(32, ScalarType.Int64)));
        Refuses(sd, "is in the model's vocabulary already", ("a", ones(1, 32)));

        Save(At("one.safetensors"), ("<x>", ones(2, 32)));
        Save(At("two.safetensors"), ("<x>_1", ones(1, 32)));
        using var pipeline = ImagePipeline.Load(sd);
        var twice = Assert.Throws<WeightsException>(() => pipeline.Drawn(
            Request("a cat") with { Embeddings = [new EmbeddingInput(At("one.safetensors")), new EmbeddingInput(At("two.safetensors"))] }));
        Assert.Contains("both have the token", twice.Message, StringComparison.Ordinal);
    }

    private static GenerationRequest Request(string prompt) => new() { Prompt = prompt, Steps = 2, Seed = 4 };

    /// <summary>Vectors of the words in a text encoder.</summary>
    private static Tensor Rows(string model, string which)
    {
        var ids = ClipTokenizer.Load(Path.Combine(model, "tokenizer" + which)).Encode(Words)[1..^1];
        Assert.True(ids.Length > 1);
        var (shape, numbers) = LoraMaker.Weights(model, "text_encoder" + which)[Table];
        return tensor(numbers).reshape(shape).index_select(0, tensor(ids.Select(id => (long)id).ToArray()));
    }

    private static void Save(string file, params (string Name, Tensor Value)[] tensors) =>
        SafeTensorsWriter.Write(file, tensors.ToDictionary(pair => pair.Name, pair => pair.Value));

    /// <summary>Saves one as AUTOMATIC1111/stable-diffusion-webui does.</summary>
    private static void Pickle(string file, Tensor rows)
    {
        var (count, width) = ((int)rows.shape[0], (int)rows.shape[1]);
        new PickleWriter().Op('}').Op('(')
            .Text("string_to_token").Op('}').Text("*").Number(265).Op('s')
            .Text("string_to_param").Op('}').Text("*").Tensor("FloatStorage", "0", count * width, 0, [count, width], [width, 1]).Op('s')
            .Text("name").Text("some name").Text("step").Number(500).Text("sd_checkpoint").Op('N')
            .Op('u').Op('.').Save(file, MemoryMarshal.AsBytes(LoraMaker.Numbers(rows).AsSpan()).ToArray());
    }

    private void Refuses(string model, string part, params (string Name, Tensor Value)[] tensors)
    {
        Save(At("bad.safetensors"), tensors);
        using var pipeline = ImagePipeline.Load(model);
        var refusal = Assert.Throws<WeightsException>(() => pipeline.Drawn(
            Request("a cat") with { Embeddings = [new EmbeddingInput(At("bad.safetensors"))] }));
        Assert.Contains(part, refusal.Message, StringComparison.Ordinal);
        Assert.Contains("--embedding", refusal.Message, StringComparison.Ordinal);
    }

    private string At(string name) => Path.Combine(folder, name);
}
