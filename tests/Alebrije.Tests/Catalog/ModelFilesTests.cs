using System.Text;
using Alebrije.Catalog;
using Alebrije.Weights;

namespace Alebrije.Tests.Catalog;

/// <summary>Required files of a published folder.</summary>
public sealed class ModelFilesTests
{
    private const string Pipeline =
        """{"_class_name":"P","unet":["diffusers","UNet2DConditionModel"],"scheduler":["diffusers","DDIMScheduler"],"tokenizer":["transformers","CLIPTokenizer"],"safety_checker":[null,null],"flag":[null,true]}""";
    private static readonly string[] Parts = ["model_index.json",
        "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt", "unet/config.json"];

    [Fact]
    public async Task Pipeline_TakesItsComponents_AndOneSetOfWeights()
    {
        string[] others = ["big-original.ckpt", "other/model.safetensors",
            "safety_checker/model.safetensors", "unet/diffusion_pytorch_model.bin",
            "unet/diffusion_flax_model.msgpack", "unet/diffusion_pytorch_model.fp16.safetensors", "logo.png"];
        var choice = await Choose(Pipeline, null, [.. Parts, "unet/diffusion_pytorch_model.safetensors", "README.md", .. others]);
        Assert.Equal(Sorted([.. Parts, "README.md", "unet/diffusion_pytorch_model.safetensors"]), choice.Files);
        Assert.Empty(choice.Notes);
    }

    /// <summary>The two halves of Kandinsky 2.1: its decoder has a SentencePiece vocabulary, its own text encoder class and MoVQ.</summary>
    [Fact]
    public async Task Kandinsky_TakesItsVocabularyTextEncoderAndAutoencoder()
    {
        const string index = """{"_class_name":"KandinskyPipeline","movq":["diffusers","VQModel"],"scheduler":["diffusers","DDIMScheduler"],"text_encoder":["kandinsky","MultilingualCLIP"],"tokenizer":["transformers","XLMRobertaTokenizerFast"],"unet":["diffusers","UNet2DConditionModel"]}""";
        string[] needed =
        [
            "model_index.json", "movq/config.json", "movq/diffusion_pytorch_model.safetensors",
                "scheduler/scheduler_config.json", "text_encoder/config.json", "text_encoder/model.safetensors",
            "tokenizer/sentencepiece.bpe.model", "tokenizer/special_tokens_map.json",
            "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
        ];
        string[] others = ["ddpm_scheduler/scheduler_config.json", "text_encoder/pytorch_model.bin", "movq/diffusion_pytorch_model.bin"];
        Assert.Equal(Sorted(needed), (await Choose(index, null, [.. needed, .. others])).Files);
        Assert.Contains("text_encoder, a MultilingualCLIP",
            await Refusal(index, null, [.. needed.Where(name => !name.EndsWith("model.safetensors", StringComparison.Ordinal)
                || !name.StartsWith("text", StringComparison.Ordinal))]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Variant_IsTaken_WhereItIsThere()
    {
        const string index = """{"_class_name":"P","unet":["d","UNet"],"vae":["d","Vae"]}""";
        var choice = await Choose(index, "fp16", "model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
            "unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.safetensors");
        Assert.Contains("unet/diffusion_pytorch_model.fp16.safetensors", choice.Files);
        Assert.DoesNotContain("unet/diffusion_pytorch_model.safetensors", choice.Files);
        Assert.Contains("vae/diffusion_pytorch_model.safetensors", choice.Files);
        Assert.Equal("vae: only in full precision.", Assert.Single(choice.Notes));
        Assert.False(choice.IsAsAsked);
    }

    [Fact]
    public async Task Variant_ThatIsNowhere_IsSaid() =>
        Assert.Contains("no weights in the variant fp16",
            await Refusal(Pipeline, "fp16", [.. Parts, "unet/diffusion_pytorch_model.safetensors"]), StringComparison.Ordinal);

    [Fact]
    public async Task OnlyHalfPrecision_IsTaken_AndSaid()
    {
        var choice = await Choose(Pipeline, null, [.. Parts, "unet/diffusion_pytorch_model.fp16.safetensors"]);
        Assert.Equal("unet: its safetensors are only in fp16.", Assert.Single(choice.Notes));
    }

    [Fact]
    public async Task OnlyAPickle_IsTaken_AndSaid()
    {
        var choice = await Choose(Pipeline, null, [.. Parts, "unet/diffusion_pytorch_model.bin"]);
        Assert.Contains("unet/diffusion_pytorch_model.bin", choice.Files);
        Assert.Contains("pickle", Assert.Single(choice.Notes), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unet/diffusion_pytorch_model.safetensors.index.json", null)]
    [InlineData("unet/diffusion_pytorch_model.safetensors.index.fp16.json", "fp16")]
    public async Task Shards_AreFollowed(string index, string? variant)
    {
        const string map = """{"weight_map":{"a":"s-1.safetensors","b":"s-2.safetensors","c":"s-1.safetensors"}}""";
        string[] names = [.. Parts, index, "unet/s-1.safetensors", "unet/s-2.safetensors", "unet/s-3.safetensors"];
        var choice = await ModelFiles.ChooseAsync("m", names, variant, name => Content(name == "model_index.json" ? Pipeline : map));
        Assert.Equal(Sorted([.. Parts, index, "unet/s-1.safetensors", "unet/s-2.safetensors"]), choice.Files);
        var missing = await Assert.ThrowsAsync<CheckpointNotFoundException>(() => ModelFiles.ChooseAsync("m",
            names.Where(n => n != "unet/s-2.safetensors"), variant, name => Content(name == "model_index.json" ? Pipeline : map)));
        Assert.Contains("s-2.safetensors", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Shards_OutsideTheFolder_AreRefused()
    {
        var refused = await Assert.ThrowsAsync<CheckpointNotFoundException>(() =>
            ModelFiles.ChooseAsync("m", [.. Parts, "unet/diffusion_pytorch_model.safetensors.index.json", "x.safetensors"], null,
            name => Content(name == "model_index.json" ? Pipeline : """{"weight_map":{"a":"../../x.safetensors"}}""")));
        Assert.Contains("'../../x.safetensors'", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unet/config.json")]
    [InlineData("unet/diffusion_pytorch_model.safetensors")]
    [InlineData("scheduler/scheduler_config.json")]
    public async Task PartThatIsMissing_IsNamed(string missing)
    {
        var names = Parts.Append("unet/diffusion_pytorch_model.safetensors").Where(name => name != missing).ToArray();
        var lacks = missing.Contains("scheduler", StringComparison.Ordinal) ? "the folder scheduler"
            : missing.EndsWith(".json", StringComparison.Ordinal) ? missing : "the weights of unet";
        Assert.Contains("lacks " + lacks, await Refusal(Pipeline, null, names), StringComparison.Ordinal);
    }

    /// <summary>File names of a CLIP saved by transformers 5 and later, and the class of its image processor without torchvision.</summary>
    [Fact]
    public async Task Transformers5_TakesTheProcessorsFile_AndAnImageProcessorWithoutWeights()
    {
        Assert.Contains("processor_config.json", (await Choose(Clip,
            null, "config.json", "model.safetensors", "processor_config.json", "tokenizer.json", "tokenizer_config.json")).Files);
        const string index = """{"_class_name":"P","feature_extractor":["transformers","CLIPImageProcessorPil"]}""";
        Assert.Equal(["feature_extractor/processor_config.json", "model_index.json"],
            (await Choose(index, null, "model_index.json", "feature_extractor/processor_config.json")).Files);
    }

    [Fact]
    public async Task OpenClip_WithATrainingCheckpoint_TakesIt_WhereItIsTheOnlyOne()
    {
        var choice = await Choose("{}", null, "open_clip_config.json", "epoch_5.pt");
        Assert.Equal(["epoch_5.pt", "open_clip_config.json"], choice.Files);
        Assert.Contains("pickle", Assert.Single(choice.Notes), StringComparison.Ordinal);
        Assert.Contains("epoch_4.pt", await Refusal("{}", null, "open_clip_config.json", "epoch_4.pt", "epoch_5.pt"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClipInBothLayouts_IsTakenInTransformers()
    {
        var choice = await Choose(Clip, null, "config.json", "model.safetensors", "open_clip_config.json", "open_clip_model.safetensors",
            "open_clip_pytorch_model.bin", "pytorch_model.bin", "vocab.json", "merges.txt", "preprocessor_config.json");
        Assert.Equal(Sorted(["config.json", "model.safetensors", "vocab.json", "merges.txt", "preprocessor_config.json"]), choice.Files);
    }

    [Fact]
    public async Task ClipInBothLayouts_IsTakenInOpenClips_WhereOnlyThatHasSafetensors()
    {
        var choice = await Choose(Clip, null, "config.json", "open_clip_config.json",
            "open_clip_model.safetensors", "pytorch_model.bin", "vocab.json", "merges.txt");
        Assert.Equal(Sorted(["open_clip_config.json", "open_clip_model.safetensors", "vocab.json", "merges.txt"]), choice.Files);
    }

    [Fact]
    public async Task OpenClip_BesideTimmsTower_TakesTheWholeClip()
    {
        var choice = await Choose("""{"architecture":"vit_base_patch16_siglip_224"}""",
            null, "config.json", "model.safetensors", "open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json");
        Assert.Equal(Sorted(["open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"]), choice.Files);
    }

    [Fact]
    public async Task SingleFile_IsTaken_AndSeveralCannotBeTold()
    {
        Assert.Equal(["ViT-B-32.pt"], (await Choose("", null, "ViT-B-32.pt", "logo.png")).Files);
        Assert.Contains("2 files of weights (a.pt, b.safetensors): it is unclear which of them is the model",
            await Refusal("", null, "a.pt", "b.safetensors"), StringComparison.Ordinal);
        Assert.Contains("holds no model that is read here", await Refusal("", null, "a.txt"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WeightsInOtherForms_AreSaid() =>
        Assert.Contains("only in forms that are not read here (flax_model.msgpack, tf_model.h5)",
            await Refusal(Clip, null, "config.json", "flax_model.msgpack", "tf_model.h5"), StringComparison.Ordinal);

    [Fact]
    public void Folders_ThatTheLoadersTake_AreWhole_AndLackNothingOfIt()
    {
        Assert.Null(ModelFiles.Missing(TestModels.StableUnClip));
        Assert.Null(ModelFiles.Missing(TestModels.Clip));
        Assert.Null(ModelFiles.Missing(TestModels.TextTower));
        Assert.Null(ModelFiles.Missing(Path.Combine(Repository.Root, "models", "mini")));
    }

    private const string Clip = """{"architectures":["CLIPModel"]}""";

    private static Task<byte[]> Content(string text) => Task.FromResult(Encoding.UTF8.GetBytes(text));

    private static IEnumerable<string> Sorted(IEnumerable<string> names) => names.Order(StringComparer.Ordinal);

    private static Task<ModelFileChoice> Choose(string settings, string? variant, params string[] names) =>
        ModelFiles.ChooseAsync("m", names, variant, _ => Content(settings));

    private static async Task<string> Refusal(string settings, string? variant, params string[] names) =>
        (await Assert.ThrowsAsync<CheckpointNotFoundException>(() => Choose(settings, variant, names))).Message;
}
