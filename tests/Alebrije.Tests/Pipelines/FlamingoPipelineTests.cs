using System.Text.Json.Nodes;
using Alebrije.Catalog;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Tests.Models;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Flamingo from folders of tiny random models: loading, decoding, scores, attention, errors.</summary>
public sealed class FlamingoPipelineTests : IDisposable
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-flamingo-").FullName;

    public FlamingoPipelineTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Languages => new(FlamingoFiles.NeoX, FlamingoFiles.Mpt);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static FlamingoPrompt Prompt(int images) => FlamingoPrompt.Caption(
        FlamingoFiles.Picture(0),
        [.. Enumerable.Range(1, images - 1).Select(i => new FlamingoShot(FlamingoFiles.Picture(i), $"shot {i}"))]);

    /// <summary>Checkpoints of 2023 were trained with patches before the tower's last norm.</summary>
    [Fact]
    public void Patches_AreNormalised_UnlessTheConfigurationTurnsItOff()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.Mpt);
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        Tensor Patches()
        {
            using var model = FlamingoPipeline.Load(folder);
            var side = model.Seen(FlamingoFiles.Picture(0)).Width;
            return model.Patches(new Noise(1).Randn(1, 3, side, side));
        }

        var normalised = Patches();
        var file = Path.Combine(folder, "flamingo.json");
        File.WriteAllText(file, File.ReadAllText(file).Replace("{", "{ \"patch_norm\": false, ", StringComparison.Ordinal));
        var plain = Patches();
        using var weights = CheckpointFolder.OpenWeights(Path.Combine(folder, "vision", OpenClipFiles.FileName));
        var (scale, shift) = (weights.Read("visual.ln_post.weight"), weights.Read("visual.ln_post.bias"));
        var expected = nn.functional.layer_norm(plain, [plain.shape[^1]], scale, shift, 1e-5);
        Assert.InRange((normalised - expected).abs().max().item<float>(), 0, 1e-4f);
        Assert.True((normalised - plain).abs().max().item<float>() > 0.1);
    }

    /// <summary>A step of a row is 1/127 of its largest weight: the scores move, by little.</summary>
    [Theory, MemberData(nameof(Languages))]
    public void LanguageModelOfInt8_ScoresNearlyTheSame(string language)
    {
        Assert.SkipUnless(OneDnn.HasInt8, "This libtorch has no int8 products.");
        FlamingoFiles.Write(folder, language);
        string[] answers = ["a cat", "two dogs", "red"];
        using var exact = FlamingoPipeline.Load(folder, Precision.Fp32);
        using var coarse = FlamingoPipeline.Load(folder, Precision.Int8);
        var (expected, scores) = (exact.Score(Prompt(2), answers, Cancellation), coarse.Score(Prompt(2), answers, Cancellation));
        Assert.NotEqual(expected, scores);
        Assert.All(expected.Zip(scores), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, 0.02 * Math.Abs(pair.First)));
    }

    [Fact]
    public void Catalogue_ListsAFlamingoByItsFolder_WithItsParts()
    {
        FlamingoFiles.Write(Path.Combine(folder, "tiny"), FlamingoFiles.NeoX);
        var catalog = new ModelCatalog([folder]);
        Assert.Equal(("tiny", "captions of images"), Assert.Single(catalog.List()) is var model ? (model.Name, model.Kind) : default);
        var parts = catalog.Describe("tiny").Components;
        Assert.Equal(["checkpoint.safetensors", "language", "vision"], parts.Select(part => part.Name));
        Assert.All(parts, part => Assert.True(part.Parameters > 0, part.Name));
    }

    /// <summary>As fetched from the hub: the checkpoint alone, its parts in folders of their own.</summary>
    [Theory]
    [InlineData(FlamingoFiles.NeoX, 2)]
    [InlineData(FlamingoFiles.Mpt, 2)]
    public void Folder_OfACheckpointAlone_HasThePublishedSizes_OverGivenParts(string language, int spacing)
    {
        FlamingoFiles.Write(folder, language);
        File.Delete(Path.Combine(folder, "flamingo.json"));
        var parts = (Path.Combine(folder, "language"), Path.Combine(folder, "vision"));
        var opened = FlamingoFolder.Open(folder, parts);
        Assert.Equal((spacing, false, 64, 6), (opened.Config.CrossAttnEveryNLayers, opened.Config.PatchNorm, opened.Config.Latents,
            opened.Config.ResamplerLayers));
        Assert.Equal(parts, (opened.Language, opened.Vision));
        Assert.Contains("perceiver", Assert.Throws<WeightsException>(() =>
            FlamingoPipeline.Load(folder, parts.Item1, parts.Item2)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Languages))]
    public void Generate_WithAndWithoutCache_GivesTheSameTokens(string language)
    {
        FlamingoFiles.Write(folder, language);
        using var model = FlamingoPipeline.Load(folder);
        foreach (var beams in new[] { 1, 3 })
        {
            var options = new FlamingoOptions { Beams = beams, MaxTokens = 24, StopsAtEnd = false };
            var cached = model.Generate(Prompt(2), options, cancellation: Cancellation);
            var plain = model.Generate(Prompt(2), options with { UsesCache = false }, cancellation: Cancellation);
            Assert.Equal(24, cached.Tokens.Count);
            Assert.Equal(plain.Tokens.Select(t => t.Id), cached.Tokens.Select(t => t.Id));
            Assert.Equal(plain.LogProbability, cached.LogProbability, 1e-3);
        }
    }

    [Theory]
    [MemberData(nameof(Languages))]
    public void Generate_SideBySide_EqualsOneByOne(string language)
    {
        FlamingoFiles.Write(folder, language);
        using var model = FlamingoPipeline.Load(folder);
        var options = new FlamingoOptions { Beams = 1, MaxTokens = 10, StopsAtEnd = false };
        FlamingoPrompt[] prompts = [Prompt(1), Prompt(3), new("a text without an image", [])];
        var together = model.Generate(prompts, options, cancellation: Cancellation);
        foreach (var (prompt, answer) in prompts.Zip(together))
            Assert.Equal(model.Generate(prompt, options, cancellation: Cancellation).Tokens.Select(t => t.Id),
                answer.Tokens.Select(t => t.Id));
    }

    [Fact]
    public void Image_OfThePrompt_ChangesTheText()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.Mpt);
        using var model = FlamingoPipeline.Load(folder);
        double Likelihood(int image) => model.Score(FlamingoPrompt.Caption(FlamingoFiles.Picture(image)), ["a cat"])[0];
        Assert.NotEqual(Likelihood(0), Likelihood(5), 1e-4);
    }

    [Theory]
    [MemberData(nameof(Languages))]
    public void Token_AttendsToTheLastImageBeforeItAlone(string language)
    {
        FlamingoFiles.Write(folder, language);
        using var model = FlamingoPipeline.Load(folder);
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var ids = tensor(new long[] { 5, FlamingoFiles.Image, 6, FlamingoFiles.Image, 7 }, [1, 5]);
        var media = randn(1, 2, 4, 16);
        var before = model.Network.Predict(ids, media);
        var other = media.clone();
        other[0, 1] = randn(4, 16);
        var after = model.Network.Predict(ids, other);
        var change = (after - before).abs().amax([0, 2]).data<float>().ToArray();

        // The first three tokens precede the second image, and text before any image attends to none.
        Assert.All(change[..3], x => Assert.Equal(0, x));
        Assert.All(change[3..], x => Assert.True(x > 1e-4));
        var none = model.Network.Predict(ids, media * 3);
        Assert.Equal(0, (none - before).abs()[0, 0].max().item<float>());
    }

    [Fact]
    public void Beams_FindATextAtLeastAsProbableAsGreedy()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.NeoX);
        using var model = FlamingoPipeline.Load(folder);
        var options = new FlamingoOptions { MaxTokens = 6, StopsAtEnd = false, LengthPenalty = 0 };
        var greedy = model.Generate(Prompt(1), options with { Beams = 1 }, cancellation: Cancellation);
        var beams = model.Generate(Prompt(1), options with { Beams = 40 }, cancellation: Cancellation);
        Assert.True(beams.LogProbability >= greedy.LogProbability - 1e-4);
        Assert.NotEqual(greedy.Tokens.Select(t => t.Id), beams.Tokens.Select(t => t.Id));
    }

    [Fact]
    public void Score_IsTheSumOfTheTokensLogProbabilities()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.Mpt);
        using var model = FlamingoPipeline.Load(folder);
        var answer = model.Generate(
            Prompt(2), new FlamingoOptions { Beams = 1, MaxTokens = 5, StopsAtEnd = false }, cancellation: Cancellation);
        var text = string.Concat(answer.Tokens.Select(t => (char)('a' + (t.Id % 26))));
        var scores = model.Score(Prompt(2), [text, "x", text + "y"], cancellation: Cancellation);
        Assert.True(scores[2] < scores[0]);
        Assert.Equal(scores[0], model.Score(Prompt(2), [text], cancellation: Cancellation)[0], 1e-4);
    }

    [Fact]
    public void Sampling_OfASeed_IsRepeatable_AndOfAShareOfOneTokenGreedy()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.Mpt);
        using var model = FlamingoPipeline.Load(folder);
        var options = new FlamingoOptions { Beams = 1, MaxTokens = 12, Temperature = 1, Seed = 4, StopsAtEnd = false };
        IEnumerable<int> Ids(FlamingoOptions o) => model.Generate(Prompt(1), o).Tokens.Select(t => t.Id);
        Assert.Equal(Ids(options), Ids(options));
        Assert.NotEqual(Ids(options), Ids(options with { Seed = 5 }));
        Assert.Equal(Ids(options with { Temperature = null }), Ids(options with { TopP = 1e-9 }));
    }

    /// <summary>Published tables of tokens are padded: 50,432 rows for 50,280 tokens.</summary>
    [Fact]
    public void Text_LeavesOutIdsWithoutAToken()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.NeoX);
        var tokenizer = ByteLevelTokenizer.Load(Path.Combine(folder, "language"));
        var row = new GeneratedRow();
        row.Tokens.AddRange([(72, -1), (5000, -1), (73, -1)]);
        Assert.Equal(tokenizer.Decode([72, 73]), TextStream.TextOf(tokenizer, row));
        Assert.Equal((true, false, false), (tokenizer.Contains(72), tokenizer.Contains(5000), tokenizer.Contains(-1)));
    }

    [Fact]
    public void Stream_OfPieces_IsTheText()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.NeoX);
        using var model = FlamingoPipeline.Load(folder);
        var pieces = new List<string>();
        var answer = model.Generate(Prompt(1), new FlamingoOptions { Beams = 3, MaxTokens = 8 }, pieces.Add, cancellation: Cancellation);
        Assert.Equal(answer.Text, string.Concat(pieces));
    }

    [Fact]
    public void Trace_OfAnAnswer_HasGatesAndSharesOfPatches()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.NeoX);
        using var model = FlamingoPipeline.Load(folder);
        var answer = model.Generate(
            Prompt(2), new FlamingoOptions { Beams = 1, MaxTokens = 3, StopsAtEnd = false }, cancellation: Cancellation);
        var trace = model.Trace(Prompt(2), answer);
        Assert.Equal([1, 3], trace.Gates.Select(g => g.Layer));
        Assert.All(trace.Gates, g => Assert.Equal(Math.Tanh(0.8), g.Attention, 1e-6));
        Assert.Equal(2, trace.Grid);
        Assert.Equal(3, trace.Glances.Count);
        Assert.All(trace.Glances.Take(1), g => Assert.Equal((1, 4), (g.Image, g.Patches.Count)));
        Assert.Equal(1, trace.Glances[0].Patches.Sum(), 1e-4);
    }

    [Fact]
    public void Checkpoint_WithMissingAndForeignTensors_NamesEachOfThem()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.Mpt);
        var path = Path.Combine(folder, "checkpoint.safetensors");
        var tensors = new Dictionary<string, Tensor>();
        using (var file = new SafeTensorsFile(path))
            foreach (var name in file.Names) tensors[name] = file.Read(name);
        tensors.Remove("perceiver.norm.bias");
        tensors["perceiver.frame_embs"] = ones(1, 16);
        SafeTensorsWriter.Write(path, tensors);
        var message = Assert.Throws<WeightsException>(() => FlamingoPipeline.Load(folder)).Message;
        Assert.Contains("1 missing: perceiver.norm.bias", message, StringComparison.Ordinal);
        Assert.Contains("1 unexpected: perceiver.frame_embs", message, StringComparison.Ordinal);
        foreach (var tensor in tensors.Values) tensor.Dispose();
    }

    [Theory]
    [InlineData(FlamingoFiles.NeoX, "num_hidden_layers", -1, "\"num_hidden_layers\" is -1; it must be at least 0.")]
    [InlineData(FlamingoFiles.NeoX, "rotary_pct", 2e9, "share of a head (rotary_pct) is 2000000000, but must be between 0 and 1.")]
    [InlineData(FlamingoFiles.NeoX, "num_attention_heads", 0, "has an invalid configuration: ")]
    [InlineData(FlamingoFiles.NeoX, "intermediate_size", 1e9, "describes a network of far more weights than the ")]
    [InlineData(FlamingoFiles.Mpt, "n_layers", 2e9, "\"n_layers\" is 2000000000; at most 2000 is read")]
    [InlineData(FlamingoFiles.Mpt, "n_layers", 1900, "describes a network of far more weights than the ")]
    public void LanguageModel_OfImpossibleSizes_IsRefusedWithItsFolder(string kind, string key, double value, string rule)
    {
        FlamingoFiles.Write(folder, kind);
        var config = Path.Combine(folder, "language", "config.json");
        var json = JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        json[key] = (long)value;
        File.WriteAllText(config, json.ToJsonString());
        var message = Assert.Throws<WeightsException>(() => FlamingoPipeline.Load(folder)).Message;
        Assert.StartsWith(Path.Combine(folder, "language"), message, StringComparison.Ordinal);
        Assert.Contains(rule, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("language", "the language model is missing")]
    [InlineData("vision", "the image tower is missing")]
    public void Part_ThatIsMissing_IsNamed(string part, string sentence)
    {
        FlamingoFiles.Write(folder, FlamingoFiles.Mpt);
        Directory.Delete(Path.Combine(folder, part), recursive: true);
        var e = Assert.Throws<CheckpointNotFoundException>(() => FlamingoPipeline.Load(folder));
        Assert.Contains(sentence, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Prompt_ThatDoesNotFit_IsRefusedInOneSentence()
    {
        FlamingoFiles.Write(folder, FlamingoFiles.Mpt, maxImages: 3);
        using var model = FlamingoPipeline.Load(folder);
        string Refused(FlamingoPrompt prompt) => Assert.Throws<ArgumentException>(() => model.Generate(prompt)).Message;
        Assert.Contains("has 4 images and", Refused(Prompt(4)), StringComparison.Ordinal);
        Assert.Contains("has 1 marks <image> and the prompt 0 images", Refused(new("<image>x", [])), StringComparison.Ordinal);
        Assert.Contains("holds 256", Refused(new(new string('x', 250), [])), StringComparison.Ordinal);
        Assert.Contains("question is empty", Assert.Throws<ArgumentException>(
            () => FlamingoPrompt.Ask(FlamingoFiles.Picture(0), " ")).Message, StringComparison.Ordinal);
    }
}
