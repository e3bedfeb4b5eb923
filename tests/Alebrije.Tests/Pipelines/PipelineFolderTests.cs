using System.Text.Json.Nodes;
using Alebrije.Pipelines;
using Alebrije.Weights;

namespace Alebrije.Tests.Pipelines;

public sealed class PipelineFolderTests : IDisposable
{
    private readonly TinyPipeline tiny = new();

    public void Dispose() => tiny.Dispose();

    [Fact]
    public void Folder_NamesItsComponents()
    {
        var folder = PipelineFolder.Open(tiny.Folder + Path.DirectorySeparatorChar);
        Assert.Equal(("tiny", "StableUnCLIPPipeline"), (folder.Name, folder.ClassName));
        Assert.Equal("PriorTransformer", folder.Components["prior"]);
        Assert.False(folder.Has("_class_name"));
        Assert.Equal(tiny["unet"], folder.Of("unet").Replace("//", "/", StringComparison.Ordinal));
        Assert.Contains("it has", Assert.Throws<CheckpointNotFoundException>(() => folder.Of("upsampler")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Folder_ThatIsNone_IsRefused()
    {
        Assert.Contains("no folder", Refusal<CheckpointNotFoundException>(tiny["absent"]), StringComparison.Ordinal);
        Assert.Contains("no model_index.json", Refusal<CheckpointNotFoundException>(tiny["unet"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Index_OfAnotherPipeline_IsRefusedByName()
    {
        tiny.Edit("model_index.json", json => json["_class_name"] = "AudioLDMPipeline");
        Assert.Contains("is a AudioLDMPipeline", Refusal<WeightsException>(), StringComparison.Ordinal);
    }

    [Fact]
    public void Index_ThatLies_IsRefused()
    {
        tiny.Edit("model_index.json", json => json.Remove("_class_name"));
        Assert.Contains("_class_name is missing", Refusal<WeightsException>(), StringComparison.Ordinal);
        File.WriteAllText(tiny["model_index.json"], "{ \"_class_name\": ");
        Assert.Contains("not valid JSON", Refusal<WeightsException>(), StringComparison.Ordinal);
        File.WriteAllText(tiny["model_index.json"], "[1]");
        Assert.Contains("JSON object", Refusal<WeightsException>(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../secret")]
    [InlineData("unet/../../secret")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("\\\\host\\share")]
    public void Component_OutsideOfTheFolder_IsRefused(string name)
    {
        Directory.CreateDirectory(Path.Combine(tiny.Folder, "..", "secret"));
        tiny.Edit("model_index.json", json => json[name] = new JsonArray("diffusers", "UNet2DConditionModel"));
        Assert.Contains($"names the component '{name}'; a component is a folder in ", Refusal<WeightsException>(),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vae")]
    [InlineData("unet")]
    [InlineData("prior")]
    [InlineData("scheduler")]
    [InlineData("image_normalizer")]
    [InlineData("prior_tokenizer")]
    public void Component_ThatIsListedAndNotThere_IsNamed(string component)
    {
        Directory.Delete(tiny[component], recursive: true);
        Assert.Contains(component, Refusal<CheckpointNotFoundException>(), StringComparison.Ordinal);
        tiny.Edit("model_index.json", json => json.Remove(component));
        if (component != "prior")
            Assert.Contains($"no component '{component}'", Refusal<CheckpointNotFoundException>(), StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_TruncatedOrOfAnotherSize_AreRefused()
    {
        var file = tiny["unet", "diffusion_pytorch_model.safetensors"];
        var bytes = File.ReadAllBytes(file);
        File.WriteAllBytes(file, bytes[..^100]);
        Assert.Contains("truncated", Refusal<WeightsException>(), StringComparison.Ordinal);
        File.WriteAllBytes(file, bytes);
        tiny.Edit(Path.Combine("unet", "config.json"), json => json["cross_attention_dim"] = 40);
        using (var pipeline = ImagePipeline.Load(tiny.Folder))
            Assert.Contains("attn2.to_k.weight", Assert.Throws<WeightsException>(() =>
                pipeline.Run(new GenerationRequest { Prompt = "a cat", Steps = 2, PriorSteps = 2 })).Message, StringComparison.Ordinal);
        File.Delete(file);
        Assert.Contains("unet", Refusal<CheckpointNotFoundException>(), StringComparison.Ordinal);
    }

    [Fact]
    public void Folder_WithoutAPrior_LoadsAndSaysThatItDrawsNothingFromText()
    {
        tiny.Edit("model_index.json", json =>
        {
            json["_class_name"] = "StableUnCLIPImg2ImgPipeline";
            foreach (var name in (string[])["prior", "prior_tokenizer", "prior_text_encoder", "prior_scheduler"]) json.Remove(name);
        });
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        Assert.Contains("has no prior", Assert.Throws<InvalidOperationException>(() =>
            pipeline.Run(new GenerationRequest { Prompt = "a cat" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Folder_WithoutAnImageEncoder_DrawsWithoutAScore()
    {
        tiny.Edit("model_index.json", json => json["image_encoder"] = new JsonArray(null, null));
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        Assert.Null(pipeline.Run(new GenerationRequest { Prompt = "a cat", Steps = 2, PriorSteps = 2 }).ClipScore);
    }

    [Fact]
    public void Defaults_OfTheModel_FillWhatTheRequestLeavesOpen()
    {
        new GenerationDefaults { Steps = 2, Guidance = 1.5, PriorSteps = 3, PriorGuidance = 1, NoiseLevel = 100 }.Save(tiny.Folder);
        using (var pipeline = ImagePipeline.Load(tiny.Folder))
        {
            var request = pipeline.Run(new GenerationRequest { Prompt = "a cat", PriorSteps = 5 }).Request;
            Assert.Equal((2, 1.5, 5, 1.0), (request.Steps, request.Guidance, request.PriorSteps, request.PriorGuidance));
        }

        tiny.Edit("generation_config.json", json => json["stepz"] = 3);
        Assert.Contains("stepz", Refusal<WeightsException>(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("guess_strength", 0)]
    [InlineData("guess_strength", 1.5)]
    [InlineData("strength", -0.1)]
    public void Defaults_OutsideOfTheirRange_AreRefused(string name, double value)
    {
        new GenerationDefaults().Save(tiny.Folder);
        tiny.Edit("generation_config.json", json => json[name] = value);
        var message = Refusal<WeightsException>();
        Assert.Contains($"generation_config.json has {name} ", message, StringComparison.Ordinal);
        Assert.Contains("above 0, at most 1", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("steps", 2_000_000_000, "The number of steps is 2000000000; it has to lie between 1 and 1000.")]
    [InlineData("prior_steps", -1, "The number of prior steps is -1; it has to lie between 2 and 1000.")]
    [InlineData("upsampler_steps", 1_000_000, "The number of upsampler steps is 1000000; it has to lie between 2 and 1000.")]
    [InlineData("guidance", 1e300, "The scale of guidance is 1E+300; it has to lie between 0 and 100, and 1 means none.")]
    [InlineData("prior_guidance", -2, "The scale of prior guidance is -2; it has to lie between 0 and 100, and 1 means none.")]
    [InlineData("noise_level", 1000, "The noise level is 1000; it has to lie between 0 and 999.")]
    public void Defaults_ThatNoRequestMayHave_AreRefused(string name, double value, string rule)
    {
        new GenerationDefaults().Save(tiny.Folder);
        tiny.Edit("generation_config.json", json => json[name] = value % 1 == 0 && Math.Abs(value) < 1e10 ? (long)value : value);
        var message = Refusal<WeightsException>();
        Assert.EndsWith($"generation_config.json has a value out of its range: {rule}", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Defaults_OfFidelity_AreAShare()
    {
        new GenerationDefaults { UpsamplerFidelity = 1.5 }.Save(tiny.Folder);
        Assert.EndsWith("has upsampler_fidelity 1.5, but it is a share: from 0 to 1.", Refusal<WeightsException>(),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unet", "norm_num_groups", 0)]
    [InlineData("unet", "layers_per_block", 1999)]
    public void Configuration_ThatNoNetworkHas_IsRefusedWithItsFolder_BeforeAnythingRuns(string component, string key, int value)
    {
        tiny.Edit($"{component}/config.json", json => json[key] = value);
        Assert.StartsWith($"{Path.Combine(tiny.Folder, component)} has an invalid configuration: ", Refusal<WeightsException>(),
            StringComparison.Ordinal);
    }

    private string Refusal<T>(string? folder = null) where T : Exception =>
        Assert.Throws<T>(() => ImagePipeline.Load(folder ?? tiny.Folder)).Message;
}
