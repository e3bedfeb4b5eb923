using System.Text.Json.Nodes;
using Alebrije.Diffusion;
using Alebrije.Published;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;

namespace Alebrije.Tests.Weights;

/// <summary>Sizes that a configuration only claims are refused before memory is taken for them.</summary>
public sealed class ClaimedSizeTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-claims-").FullName;

    public ClaimedSizeTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("T5EncoderModel", "t5-v11-encoder-sharded/model", "num_layers", 1900)]
    [InlineData("T5EncoderModel", "t5-v11-encoder-sharded/model", "d_model", 1_000_000)]
    [InlineData("T5EncoderModel", "t5-v11-encoder-sharded/model", "vocab_size", 2_000_000_000)]
    [InlineData("CLIPTextModelWithProjection", "clip-hf-text-projection/model", "num_hidden_layers", 1900)]
    [InlineData("CLIPTextModelWithProjection", "clip-hf-text-projection/model", "intermediate_size", 900_000_000)]
    [InlineData("UNet2DConditionModel", "sd1-unet/model", "layers_per_block", 1900)]
    [InlineData("UNet2DConditionModel", "sd1-unet/model", "cross_attention_dim", 1_900_000_000)]
    [InlineData("AutoencoderKL", "sd-vae/model", "layers_per_block", 1900)]
    [InlineData("PriorTransformer", "prior-eclipse/model", "num_layers", 1900)]
    public void Networks_LargerThanTheirFile_AreRefusedFirst(string className, string fixture, string key, int value)
    {
        Change(fixture, key, value);
        var before = Environment.WorkingSet;
        var error = Assert.Throws<WeightsException>(() => ComponentCatalog.Load<torch.nn.Module>(className, folder));
        Assert.Contains("far more weights than the", error.Message, StringComparison.Ordinal);
        Assert.True(Environment.WorkingSet - before < 512L << 20);
    }

    [Theory]
    [InlineData("T5EncoderModel", "t5-v11-encoder-sharded/model", "num_layers")]
    [InlineData("CLIPTextModelWithProjection", "clip-hf-text-projection/model", "num_hidden_layers")]
    [InlineData("UNet2DConditionModel", "sd1-unet/model", "layers_per_block")]
    [InlineData("UNet2DConditionModel", "sd1-unet/model", "transformer_layers_per_block")]
    [InlineData("AutoencoderKL", "sd-vae/model", "layers_per_block")]
    public void Layers_BeyondAnyNetwork_AreRefusedWithTheirLimit(string className, string fixture, string key)
    {
        Change(fixture, key, 1_000_000);
        foreach (var read in (Action[])[() => ComponentCatalog.Load<torch.nn.Module>(className, folder),
            () => ComponentCatalog.Names(className, folder)])
        {
            var error = Assert.Throws<WeightsException>(read);
            Assert.Equal($"{Path.Combine(folder, "config.json")}: \"{key}\" is 1000000; at most 2000 is read, "
                + "so the file is damaged or of another kind.", error.Message);
        }
    }

    [Fact]
    public void Networks_WithoutAFile_HaveAGeneralLimit()
    {
        Change("t5-v11-encoder-sharded/model", "d_model", 2_000_000_000);
        Change("t5-v11-encoder-sharded/model", "d_ff", 2_000_000_000, keep: true);
        var error = Assert.Throws<WeightsException>(() => ComponentCatalog.Names("T5EncoderModel", folder));
        Assert.Equal($"{folder} has an invalid configuration: The configuration describes a network larger than any that was ever trained; "
            + "it is damaged.", error.Message);
    }

    [Theory]
    [InlineData("T5EncoderModel", "t5-v11-encoder-sharded/model", "d_model", -1, "of a weight cannot be negative.")]
    [InlineData("UNet2DConditionModel", "sd1-unet/model", "norm_num_groups", 7, "the number of groups must divide the channels.")]
    [InlineData("AutoencoderKL", "sd-vae/model", "norm_num_groups", 7, "the number of groups must divide the channels.")]
    [InlineData("PriorTransformer", "prior-eclipse/model", "num_attention_heads", 0, "both sizes must be at least 1.")]
    public void Sizes_ThatFitNoNetwork_AreRefusedWithTheirFolder(string className, string fixture, string key, int value, string rule)
    {
        Change(fixture, key, value);
        foreach (var read in (Action[])[() => ComponentCatalog.Load<torch.nn.Module>(className, folder),
            () => ComponentCatalog.Names(className, folder)])
        {
            var error = Assert.Throws<WeightsException>(read);
            Assert.StartsWith($"{folder} has an invalid configuration: ", error.Message, StringComparison.Ordinal);
            Assert.Contains(rule, error.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>
    /// Each number of a configuration is set to values that divisions, roots and shapes cannot take: the network is built, or the file is
    /// refused in one sentence.
    /// </summary>
    [Theory]
    [InlineData("T5EncoderModel", "t5-v11-encoder-sharded/model")]
    [InlineData("CLIPTextModelWithProjection", "clip-hf-text-projection/model")]
    [InlineData("UNet2DConditionModel", "sd1-unet/model")]
    [InlineData("AutoencoderKL", "sd-vae/model")]
    [InlineData("PriorTransformer", "prior-eclipse/model")]
    [InlineData("FirstGuessModel", "mini/first_guess")]
    [InlineData("UNet2DConditionModel", "mini/unet")]
    [InlineData("UNet2DModel", "mini/super_res_first")]
    [InlineData("CLIPVisionModelWithProjection", "mini/image_encoder")]
    [InlineData("StableUnCLIPImageNormalizer", "mini/image_normalizer")]
    [InlineData("LinearPriorMap", "mini/prior_linear")]
    public void AnyNumber_OfAConfiguration_IsTakenOrRefused(string className, string fixture)
    {
        var source = fixture.StartsWith("mini/", StringComparison.Ordinal) ? Path.Combine(Repository.Root, "models", fixture)
            : Path.Combine(AppContext.BaseDirectory, "Fixtures", fixture);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "config.json")))!.AsObject();
        var refused = 0;
        foreach (var (key, number) in config.Where(entry => entry.Value is JsonValue value && value.TryGetValue<int>(out _)).ToArray())
            foreach (var value in (int[])[0, -1, 1, int.MaxValue])
            {
                config[key] = value;
                File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
                try
                {
                    ComponentCatalog.Names(className, folder);
                }
                catch (WeightsException error)
                {
                    Assert.StartsWith(folder, error.Message, StringComparison.Ordinal);
                    Assert.DoesNotContain("Specified argument", error.Message, StringComparison.Ordinal);
                    refused++;
                }

                config[key] = number!.DeepClone();
            }

        Assert.InRange(refused, 1, 200);
    }

    [Theory]
    [InlineData("num_train_timesteps", "10001", "at most 10000 is read")]
    [InlineData("num_train_timesteps", "1e9", "at most 10000 is read")]
    [InlineData("original_inference_steps", "2000000000", "at most 10000 is read")]
    public void Schedules_HaveALimit(string key, string value, string expected)
    {
        var error = Assert.Throws<WeightsException>(
            () => SchedulerConfig.Parse($$"""{"_class_name": "LMSDiscreteScheduler", "{{key}}": {{value}}}"""));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Schedules_OfTooManyBetas_AreRefused()
    {
        var betas = string.Join(',', Enumerable.Repeat("0.1", 10_001));
        var error = Assert.Throws<WeightsException>(
            () => SchedulerConfig.Parse($$"""{"_class_name": "DDPMScheduler", "trained_betas": [{{betas}}]}"""));
        Assert.Contains("has 10001 items; at most 10000", error.Message, StringComparison.Ordinal);
    }

    private void Change(string fixture, string key, int value, bool keep = false)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "Fixtures", fixture);
        var config = Path.Combine(folder, "config.json");
        if (!keep)
            foreach (var file in Directory.GetFiles(source)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        var root = JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        root[key] = value;
        File.WriteAllText(config, root.ToJsonString());
    }
}
