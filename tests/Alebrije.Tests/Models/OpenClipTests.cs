using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Tests.Tokenizers;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>CLIP in OpenAI's names, from files to embeddings: derived settings, and errors.</summary>
public sealed class OpenClipTests : IDisposable
{
    private const string Config = """
        {
          "model_cfg": {
            "embed_dim": 8, "quick_gelu": true,
            "vision_cfg": { "image_size": 16, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8 },
            "text_cfg": { "context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1 }
          },
          "preprocess_cfg": { "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear", "resize_mode": "squash" }
        }
        """;

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-openclip-").FullName;

    public OpenClipTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "Fixtures", name, "model");

    [Fact]
    public void Folder_OfOpenClip_EmbedsTextsAndPicturesAsItSays()
    {
        using var scope = NewDisposeScope();
        using var network = Write(Config);
        File.Copy(Path.Combine(Fixture("clip-openai-vit-jit"), "model.pt"), Path.Combine(folder, "other.pt"));
        using var model = ClipModel.Load(folder);
        Assert.Equal(8, model.Dimensions);
        Assert.Equal(1 / 0.07, model.LogitScale, 1e-4);

        var tokenizer = Assert.IsType<ClipTokenizer>(model.Tokenizer);
        Assert.Equal(ClipDialect.OpenClip, tokenizer.Dialect);
        Assert.Equal([49406, 3306, 1002, 256, 49407], tokenizer.Encode("Hello World!"));
        string[] texts = ["a lion", "a koala riding a motorcycle"];
        var rows = tokenizer.EncodeBatch(texts, 77);
        using var guard = no_grad();
        var expected = ClipNetwork.Unit(network.Text.Embed(tensor(rows.SelectMany(row => row.Select(id => (long)id)).ToArray(), [2, 77])));
        Assert.Equal(expected.data<float>().ToArray(), model.EmbedTexts(texts, cancellation: TestContext.Current.CancellationToken)
            .SelectMany(x => x), (a, b) => Math.Abs(a - b) < 1e-5);

        var options = model.ImageProcessor!.Options;
        Assert.Equal((ImageFit.Squash, ResizeFilter.Bilinear, 16), (options.Fit, options.Filter, options.CropHeight));
        Assert.Equal([0.5, 0.5, 0.5], options.Mean);
        Assert.Equal([0.25, 0.25, 0.25], options.Deviation);
    }

    [Fact]
    public void File_OfOpenAi_EmbedsPictures_AndSaysWhyNoTexts()
    {
        using var scope = NewDisposeScope();
        var file = Path.Combine(Fixture("clip-openai-vit-jit"), "model.pt");
        var picture = Path.Combine(folder, "picture.png");
        new RgbImage(40, 30, [.. Enumerable.Range(0, 3600).Select(i => (byte)(i * 7))]).SavePng(picture);
        using var model = ClipModel.Load(file);
        using var network = OpenClipFolder.Load(file);
        Assert.Null(model.Tokenizer);
        Assert.Contains("99 symbols", Assert.Throws<InvalidOperationException>(() =>
            model.EmbedTexts(["a lion"], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Equal(ImageConvention.Torchvision, model.ImageProcessor!.Options.Convention);
        using var guard = no_grad();
        var expected = ClipNetwork.Unit(network.Vision.Embed(tensor(model.ImageProcessor.Prepare(picture), [1, 3, 32, 32])));
        Assert.Equal(expected.data<float>().ToArray(), model.EmbedImages([picture], cancellation: TestContext.Current.CancellationToken)[0],
            (a, b) => Math.Abs(a - b) < 1e-5);
    }

    [Fact]
    public void Sizes_OfABareStateDictionary_AreReadOffItsTensors()
    {
        using var weights = CheckpointFolder.OpenWeights(Path.Combine(Fixture("clip-openai-vit-jit"), "model.pt"));
        var config = OpenClipConfig.Infer(weights);
        Assert.Equal((24, 64, 8, 32, true),
            (config.EmbedDim, config.VisionCfg.Width, config.VisionCfg.PatchSize, config.VisionCfg.ImageSize, config.QuickGelu));
        Assert.Equal((99, 64, 1, 2, 16),
            (config.TextCfg.VocabSize, config.TextCfg.Width, config.TextCfg.Heads, config.TextCfg.Layers, config.TextCfg.ContextLength));
        Assert.Equal([2], config.VisionCfg.Layers);
    }

    [Theory]
    [InlineData("\"quick_gelu\": true", "\"multimodal_cfg\": {}", "multimodal_cfg")]
    [InlineData("\"head_width\": 8", "\"timm_model_name\": \"convnext_base\"", "convnext_base")]
    [InlineData("\"head_width\": 8", "\"attentional_pool\": \"parallel\"", "attentional_pool")]
    [InlineData("\"head_width\": 8", "\"pool_type\": \"none\"", "none")]
    [InlineData("\"head_width\": 8", "\"pos_embed_type\": \"rope\"", "rope")]
    [InlineData("\"head_width\": 8", "\"qk_norm\": true", "qk_norm")]
    [InlineData("\"head_width\": 8", "\"block_type\": \"other\"", "block_type")]
    [InlineData("\"head_width\": 8", "\"act_kwargs\": {\"approximate\": \"tanh\"}", "act_kwargs")]
    [InlineData("\"head_width\": 8", "\"norm_kwargs\": {\"elementwise\": 1}", "norm_kwargs")]
    [InlineData("\"head_width\": 8", "\"head_witdh\": 8", "head_witdh")]
    [InlineData("\"head_width\": 8", "\"is_res_net\": true", "is_res_net")]
    [InlineData("\"head_width\": 8", "\"timm_model_name\": \"vit_base_patch16_siglip_224\"", "timm_pool")]
    [InlineData("\"heads\": 2", "\"hf_model_name\": \"xlm-roberta-base\"", "xlm-roberta-base")]
    [InlineData("\"heads\": 2", "\"embed_cls\": true", "embed_cls")]
    [InlineData("\"heads\": 2", "\"use_pad_mask\": true", "use_pad_mask")]
    [InlineData("\"heads\": 2", "\"scale_fc\": true", "scale_fc")]
    [InlineData("\"heads\": 2", "\"pool_type\": \"none\"", "none")]
    [InlineData("\"heads\": 2", "\"patch_dropout\": 0.5", "patch_dropout")]
    [InlineData("\"quick_gelu\": true", "\"sig_lip\": {}", "sig_lip")]
    [InlineData("\"heads\": 2", "\"pool_type\": \"mean\"", "mean")]
    [InlineData("\"heads\": 2", "\"heads\": 3", "3 heads")]
    public void Architecture_ThatIsNotBuiltIn_IsRefusedByName(string part, string instead, string named)
    {
        Write(Config).Dispose();
        File.WriteAllText(Path.Combine(folder, OpenClipConfig.FileName), Config.Replace(part, instead, StringComparison.Ordinal));
        var error = Assert.ThrowsAny<Exception>(() => ClipModel.Load(folder));
        Assert.True(error is WeightsException or ArgumentException, error.ToString());
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_OfAnotherTokenizer_AreRefusedByItsName_PicturesAreNot()
    {
        Write(Config.Replace("\"heads\": 2", "\"heads\": 2, \"hf_tokenizer_name\": \"bert-base-uncased\"", StringComparison.Ordinal))
            .Dispose();
        using var model = ClipModel.Load(folder);
        Assert.NotNull(model.ImageProcessor);
        Assert.Contains("bert-base-uncased", Assert.Throws<InvalidOperationException>(() =>
            model.EmbedTexts(["a lion"], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("canonicalize", "A LION, and a_b!", "a lion and a b")]
    [InlineData("whitespace", "  A&amp;  b! ", "A& b!")]
    [InlineData(null, "  A  b! ", "A b!")]
    public void Texts_OfAUnigramVocabularyInTheFolder_AreReadByIt(string? clean, string text, string read)
    {
        Write(SigLip(clean, symbols: 64)).Dispose();
        WriteUnigram();
        using var model = ClipModel.Load(folder);
        var tokenizer = Assert.IsType<UnigramTokenizer>(model.Tokenizer);
        Assert.Equal(UnigramTokenizer.Load(folder).Encode(read), tokenizer.Encode(text));
        Assert.Equal(tokenizer.Encode(read), ClipModel.LoadTokenizer(folder).Encode(text));
        var embeddings = model.EmbedTexts([text, read, read + " a"], cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(embeddings[0], embeddings[1], (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.NotEqual(embeddings[0], embeddings[2]);

        var space = model.Space;
        File.WriteAllText(Path.Combine(folder, "special_tokens_map.json"), """{"pad_token": "</s>"}""");
        using var otherwisePadded = ClipModel.Load(folder);
        Assert.False(space.IsSame(otherwisePadded.Space));
    }

    [Fact]
    public void Texts_OfAUnigramVocabularyThatIsTooLarge_AreRefused()
    {
        Write(SigLip(clean: null, symbols: 10)).Dispose();
        WriteUnigram();
        Assert.Contains("has 35 symbols, but the text tower has 10",
            Assert.Throws<WeightsException>(() => ClipModel.Load(folder)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tok", false)]
    [InlineData("avg", false)]
    [InlineData("avg", true)]
    public void ImageTower_Pools_AsItsConfigSays(string pool, bool normLast)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var config = new OpenClipConfig
        {
            EmbedDim = 4, TextCfg = new OpenClipTextConfig { ContextLength = 4, VocabSize = 9, Width = 4, Heads = 1, Layers = 1 },
            VisionCfg = new OpenClipVisionConfig
            {
                ImageSize = 16, Layers = [0], Width = 4, HeadWidth = 4, PatchSize = 8, PoolType = pool, FinalLnAfterPool = normLast,
                NoLnPre = true,
            },
        };
        var file = OpenClipFiles.Tensors(config);
        using var network = OpenClipFiles.Load(config, file);
        var pixels = rand(1, 3, 16, 16);
        var state = OpenClipFiles.Visual(file);
        var patches = nn.functional.conv2d(pixels, state["conv1.weight"], strides: [8L, 8]).flatten(2).transpose(1, 2);
        var x = cat([state["class_embedding"].reshape(1, 1, 4), patches], 1) + state["positional_embedding"];
        Tensor Norm(Tensor t) => nn.functional.layer_norm(t, [4L], state["ln_post.weight"], state["ln_post.bias"], 1e-5);
        var pooled = pool == "tok" ? Norm(x[0, 0]) : normLast ? Norm(x[0, 1..].mean([0])) : Norm(x)[0, 1..].mean([0]);
        Assert.True(pooled.unsqueeze(0).mm(state["proj"]).allclose(network.Vision.Embed(pixels), atol: 1e-5));
    }

    private static string SigLip(string? clean, int symbols)
    {
        var cleaning = clean is null ? "" : $", \"tokenizer_kwargs\": {{ \"clean\": \"{clean}\" }}";
        return Config.Replace("\"vocab_size\": 49408",
            $"\"vocab_size\": {symbols}, \"pool_type\": \"last\", \"no_causal_mask\": "
                + $"true, \"hf_tokenizer_name\": \"timm/ViT-B-16-SigLIP\"{cleaning}", StringComparison.Ordinal);
    }

    private void WriteUnigram() => File.WriteAllBytes(Path.Combine(folder, "spiece.model"), UnigramFixture.Make(
        [new("<pad>", 0, 3), new("</s>", 0, 3), new("<unk>", 0, 2), new("\u2581", -2),
            .. "abcdefghijklmnopqrstuvwxyzA!,&_".Select(letter => new TestPiece($"{letter}", -3))]));

    /// <summary>Writes a folder in open_clip's published layout, with random weights.</summary>
    private ClipNetwork Write(string config) => OpenClipFiles.Write(folder, config);
}
