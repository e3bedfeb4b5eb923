using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Tests.Catalog;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

public sealed class ClipModelTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-clip-").FullName;

    public ClipModelTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Texts_OfDifferentLengths_AreWhatWholeRowsGive()
    {
        string[] texts = ["", "a lion", "a koala riding a motorcycle on a blue background, and much more than fits", "un gato amarillo"];
        using var model = ClipModel.Load(TestModels.StableUnClip);

        var embeddings = model.EmbedTexts(texts, cancellation: TestContext.Current.CancellationToken);

        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var (encoder, tokenizer) = (Part("prior_text_encoder"),
            ClipTokenizer.Load(Path.Combine(TestModels.StableUnClip, "prior_tokenizer")));
        using var network = new ClipTextModel(ConfigFile.Read<ClipTextConfig>(encoder), projects: true);
        Load(network, encoder);
        var ids = tensor(tokenizer.EncodeBatch(texts, 24).SelectMany(row => row.Select(id => (long)id)).ToArray(), [4, 24]);
        AssertClose(ClipNetwork.Unit(network.Project(network.Encode(ids).Pooled)), embeddings);
    }

    [Fact]
    public void Texts_PooledAtTheLargestId_SeeTheFirstPadding()
    {
        // An old config (id 2) pools at the largest id; with padding above the end token that is the first padding.
        TestModels.Copy(TestModels.StableUnClip, folder);
        Rewrite("prior_text_encoder/config.json", "\"eos_token_id\": 633", "\"eos_token_id\": 2");
        Rewrite("prior_tokenizer/tokenizer_config.json", "\"content\": \"<|endoftext|>\"", "\"content\": \"a</w>\"");
        Rewrite("prior_tokenizer/special_tokens_map.json", "\"content\": \"<|endoftext|>\"", "\"content\": \"a</w>\"");
        using var model = ClipModel.Load(folder);
        var (end, pad) = (model.Tokenizer!.EndId, model.Tokenizer.PadId);
        Assert.True(pad > end, $"the fixture should pad with {pad} above {end}");

        var both = model.EmbedTexts(["a lion", "a dog and a cat and a car"], cancellation: TestContext.Current.CancellationToken);

        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var encoder = Path.Combine(folder, "prior_text_encoder");
        using var network = new ClipTextModel(ConfigFile.Read<ClipTextConfig>(encoder), projects: true);
        Load(network, encoder);
        var ids = tensor(model.Tokenizer.EncodeBatch(["a lion", "a dog and a cat and a car"], 24)
            .SelectMany(row => row.Select(id => (long)id)).ToArray(), [2, 24]);
        AssertClose(ClipNetwork.Unit(network.Project(network.Encode(ids).Pooled)), both);
    }

    [Fact]
    public void Images_AreWhatTheTowerGives_InTheirOrder()
    {
        var pictures = Enumerable.Range(0, 37).Select(Picture).ToArray();
        using var model = ClipModel.Load(TestModels.StableUnClip);
        var reports = new List<int>();

        var embeddings = model.EmbedImages(pictures, reports.Add, TestContext.Current.CancellationToken);

        Assert.Equal([32, 37], reports);
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new ClipVisionModel(ConfigFile.Read<ClipVisionConfig>(Part("image_encoder")), projects: true);
        Load(network, Part("image_encoder"));
        var processor = ClipImageProcessor.Load(Part("feature_extractor"));
        var pixels = tensor(pictures.SelectMany(p => processor.Prepare(p)).ToArray(), [37, 3, 32, 32]);
        AssertClose(ClipNetwork.Unit(network.Project(network.Encode(pixels).Pooled)), embeddings);
    }

    [Fact]
    public void Embeddings_HaveUnitLengthAndTheModelsSize()
    {
        using var model = ClipModel.Load(TestModels.StableUnClip);
        Assert.Equal(("model", 24, 100.0), (model.Name, model.Dimensions, model.LogitScale));
        var token = TestContext.Current.CancellationToken;
        foreach (var row in model.EmbedTexts(["a cat"], cancellation: token).Concat(model.EmbedImages([Picture(3)], cancellation: token)))
        {
            Assert.Equal(24, row.Length);
            Assert.Equal(1, row.Sum(x => x * x), 1e-5);
        }
    }

    [Fact]
    public void ManyThreads_GiveTheSameNumbers()
    {
        using var model = ClipModel.Load(TestModels.StableUnClip);
        var token = TestContext.Current.CancellationToken;
        var alone = model.EmbedTexts(["a cat"], cancellation: token)[0];
        Parallel.For(0, 16, i => Assert.Equal(alone, model.EmbedTexts(["a cat"], cancellation: token)[0]));
    }

    [Fact]
    public void WholeClip_WithoutTokenizer_EmbedsPicturesOnly()
    {
        TestModels.Copy(TestModels.Clip, folder);
        File.Copy(Path.Combine(Part("feature_extractor"), "preprocessor_config.json"), Path.Combine(folder, "preprocessor_config.json"));
        using var model = ClipModel.Load(folder);
        Assert.Null(model.Tokenizer);
        Assert.Equal(24, Assert.Single(model.EmbedImages([Picture(1)], cancellation: TestContext.Current.CancellationToken)).Length);
        Assert.NotEqual(ClipModel.UsualLogitScale, model.LogitScale);
        var error = Assert.Throws<InvalidOperationException>(() =>
            model.EmbedTexts(["a cat"], cancellation: TestContext.Current.CancellationToken));
        Assert.Contains("tokenizer is missing", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A processor in one file, as of transformers 5.</summary>
    [Fact]
    public void PreparationInAProcessorsFile_GivesTheSameEmbeddings()
    {
        TestModels.Copy(TestModels.Clip, folder);
        var settings = File.ReadAllText(Path.Combine(Part("feature_extractor"), "preprocessor_config.json"));
        var alone = Path.Combine(folder, "preprocessor_config.json");
        File.WriteAllText(alone, settings);
        var token = TestContext.Current.CancellationToken;
        float[][] expected;
        using (var model = ClipModel.Load(folder)) expected = model.EmbedImages([Picture(1)], cancellation: token);
        File.Delete(alone);
        File.WriteAllText(Path.Combine(folder, "processor_config.json"),
            $$"""{"image_processor": {{settings}}, "processor_class": "CLIPProcessor"}""");
        using var other = ClipModel.Load(folder);
        Assert.Equal(expected, other.EmbedImages([Picture(1)], cancellation: token));
    }

    [Fact]
    public void TextsThatAreCut_AreNotedWithThePartThatWas()
    {
        var notes = new List<string>();
        using var model = ClipModel.Load(TestModels.StableUnClip, note: note => notes.Add(note.Sentence));
        var token = TestContext.Current.CancellationToken;
        model.EmbedTexts(["a lion", string.Join(' ', Enumerable.Repeat("a", 22))], cancellation: token);
        Assert.Empty(notes);
        model.EmbedTexts(["a lion", string.Join(' ', Enumerable.Repeat("a", 22)) + " b c",
            string.Join(' ', Enumerable.Repeat("a", 22)) + " b c"], cancellation: token);
        Assert.Contains("has 26 tokens and the text encoder reads 24, start and end included; this part was cut: \"b c\".",
            Assert.Single(notes), StringComparison.Ordinal);
        notes.Clear();
        model.EmbedTexts([.. Enumerable.Range(0, 9).Select(i => string.Join(' ', Enumerable.Repeat("a", 30 + i)))], cancellation: token);
        Assert.Equal(4, notes.Count);
        Assert.StartsWith("6 more texts", notes[3], StringComparison.Ordinal);
    }

    [Fact]
    public void TextTower_Alone_SaysThatPicturesAreNotItsKind()
    {
        TestModels.Copy(Part("prior_text_encoder"), folder);
        TestModels.Copy(Part("prior_tokenizer"), folder);
        using var model = ClipModel.Load(folder);
        Assert.Single(model.EmbedTexts(["a cat"], cancellation: TestContext.Current.CancellationToken));
        Assert.Contains("no image tower", Assert.Throws<InvalidOperationException>(() =>
            model.EmbedImages([Picture(1)], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FolderWithoutTokenizerOrPreparation_IsRefusedWithBothReasons()
    {
        var error = Assert.Throws<WeightsException>(() => ClipModel.Load(TestModels.Clip));
        Assert.Contains("tokenizer is missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("preprocessor_config.json is missing", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ComponentThatIsNoClip_IsNamed() =>
        Assert.Contains("UNet2DConditionModel", Assert.Throws<WeightsException>(() => WithClass("UNet2DConditionModel")).Message,
            StringComparison.Ordinal);

    [Fact]
    public void TokenizerOfAnotherVocabulary_IsRefused()
    {
        TestModels.Copy(TestModels.StableUnClip, folder);
        TestModels.Copy(TestModels.TextTower, Path.Combine(folder, "prior_text_encoder"));
        File.Delete(Path.Combine(folder, "prior_text_encoder", "model.safetensors"));
        var error = Assert.Throws<WeightsException>(() => ClipModel.Load(folder));
        Assert.Contains("do not belong together", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedPicture_IsNamed_WhicheverThreadSawItFirst()
    {
        var good = Path.Combine(folder, "good.png");
        Picture(5).SavePng(good);
        var bad = Path.Combine(folder, "bad.png");
        File.WriteAllBytes(bad, File.ReadAllBytes(good)[..60]);
        using var model = ClipModel.Load(TestModels.StableUnClip);
        var error = Assert.Throws<ImageFormatException>(() =>
            model.EmbedImages([good, bad, Path.Combine(folder, "none.png")], cancellation: TestContext.Current.CancellationToken));
        Assert.Contains("bad.png", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NoTexts_GiveNoEmbeddings()
    {
        using var model = ClipModel.Load(TestModels.StableUnClip);
        Assert.Empty(model.EmbedTexts([], cancellation: TestContext.Current.CancellationToken));
    }

    private ClipModel WithClass(string name)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""{"_class_name":"{{name}}"}""");
        return ClipModel.Load(folder);
    }

    private void Rewrite(string file, string from, string to)
    {
        var path = Path.Combine(folder, file);
        var text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
    }

    private static string Part(string name) => Path.Combine(TestModels.StableUnClip, name);

    private static void Load(nn.Module network, string component)
    {
        using var weights = CheckpointFolder.OpenWeights(component);
        StateDict.Load(network, weights, new StateDictOptions { Ignored = ["*.position_ids"] });
        network.eval();
    }

    private static RgbImage Picture(int seed)
    {
        var image = new RgbImage(20 + seed, 45);
        for (var i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)((i * (seed + 7)) ^ (i >> 5));
        return image;
    }

    private static void AssertClose(Tensor expected, float[][] actual)
    {
        var rows = expected.data<float>().ToArray();
        Assert.Equal(rows.Length, actual.Sum(row => row.Length));
        foreach (var (value, reference) in actual.SelectMany(row => row).Zip(rows)) Assert.Equal(reference, value, 2e-6f);
    }
}
