using System.Globalization;
using System.IO.Compression;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.Priors;
using Alebrije.Models.T5;
using Alebrije.Models.UNets;
using Alebrije.Models.XlmRoberta;
using Alebrije.Nn;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>Networks of published configs have exactly the tensors of the published names and shapes.</summary>
public sealed class ShapeTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Fixtures", "census");

    public ShapeTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData("karlo-v1-alpha.prior")]
    [InlineData("sd-unclip-l.prior")]
    [InlineData("kandinsky-2-1.prior")]
    [InlineData("kandinsky-2-2.prior")]
    [InlineData("sd-1.5.vae")]
    [InlineData("sd-2.1.vae")]
    [InlineData("sdxl-base-1.0.vae")]
    [InlineData("x4-upscaler.vae")]
    [InlineData("kandinsky-2-1.movq")]
    [InlineData("kandinsky-2-2.movq")]
    [InlineData("mclip-xlm-roberta-large-vit-l-14")]
    [InlineData("t5-v1_1-xxl-encoder")]
    [InlineData("sd-1.5.unet")]
    [InlineData("sd-2.1.unet")]
    [InlineData("sdxl-base-1.0.unet")]
    [InlineData("sd-unclip-l.unet")]
    [InlineData("sd-unclip-h.unet")]
    [InlineData("x4-upscaler.unet")]
    [InlineData("karlo-v1-alpha.super_res_first")]
    [InlineData("karlo-v1-alpha.super_res_last")]
    [InlineData("karlo-v1-alpha.decoder")]
    [InlineData("karlo-v1-alpha.text_proj")]
    [InlineData("kandinsky-2-1.unet")]
    [InlineData("kandinsky-2-2.unet")]
    [InlineData("kandinsky-2-2-controlnet-depth.unet")]
    [InlineData("if-i-xl.unet")]
    [InlineData("if-ii-l.unet")]
    public void Network_OfAPublishedConfig_HasThePublishedTensors(string model)
    {
        using var meta = WeightInit.OnMeta();
        using var network = Build(model);
        var ours = StateDict.Names(network).Select(pair => $"{pair.Key} [{string.Join(",", pair.Value)}]");
        Assert.Equal(Census(model).Order(StringComparer.Ordinal), ours.Order(StringComparer.Ordinal));
    }

    internal static nn.Module Build(string model)
    {
        var config = FileOf(model, ".json");
        if (model.StartsWith("mclip", StringComparison.Ordinal))
            return new MultilingualClip(ConfigFile.Read<MultilingualClipConfig>(config));
        if (model.StartsWith("t5", StringComparison.Ordinal)) return new T5Encoder(ConfigFile.Read<T5Config>(config));
        return model.Split('.')[^1] switch
        {
            "prior" => new PriorTransformer(PriorTransformerConfig.Read(config)),
            "super_res_first" or "super_res_last" => new UNet2DModel(ConfigFile.Read<UNet2DConfig>(config)),
            "text_proj" => new UnClipTextProjection(ConfigFile.Read<UnClipTextProjectionConfig>(config)),
            "vae" => new AutoencoderKL(ConfigFile.Read<AutoencoderKLConfig>(config)),
            "movq" => new VQModel(ConfigFile.Read<VQModelConfig>(config)),
            _ => new UNet2DConditionModel(ConfigFile.Read<UNet2DConditionConfig>(config)),
        };
    }

    private static string FileOf(string model, string ending) =>
        ((string[])["diffusion", "language"]).Select(folder => Path.Combine(Folder, folder, model + ending)).First(File.Exists);

    /// <summary>Lines of name and shape.</summary>
    internal static IEnumerable<string> Census(string model)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(FileOf(model, ".txt.gz")), CompressionMode.Decompress));
        while (reader.ReadLine() is { } line)
        {
            var parts = line.Split('\t');
            yield return $"{parts[0]} [{string.Join(",", parts[2].Split(',').Select(n => long.Parse(n, CultureInfo.InvariantCulture)))}]";
        }
    }
}
