using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Diffusion;
using Alebrije.Models.T5;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>
/// Folder of a trained cascade in the layout of DeepFloyd IF: the first stage (IFPipeline) with the text encoder, and below it, in
/// <c>stage-2</c>, the second one (IFSuperResolutionPipeline), which has no text encoder. Weights are bfloat16.
/// </summary>
internal static class CascadePackage
{
    /// <summary>Name of the model's folder in that of the runs, and of the second stage's folder in it.</summary>
    public const string Name = "mini-cascade", Later = "stage-2";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes the first stage.</summary>
    /// <param name="folder">Folder of the model.</param>
    /// <param name="unet">The denoiser.</param>
    /// <param name="encoder">The text encoder.</param>
    /// <param name="tokenizer">Folder of the tokenizer.</param>
    public static void Write(string folder, UNet2DConditionModel unet, T5Encoder encoder, string tokenizer)
    {
        Component(folder, "unet", unet, unet.Config, "UNet2DConditionModel");
        Component(folder, "text_encoder", encoder, encoder.Config, "T5EncoderModel");
        WrittenFile.MakeFolder(Path.Combine(folder, "tokenizer"));
        foreach (var file in Directory.GetFiles(tokenizer))
            WrittenFile.Copy(file, Path.Combine(folder, "tokenizer", Path.GetFileName(file)));
        Text(folder, $"scheduler/{SchedulerConfig.FileName}", MiniSchedulers.CascadeText);
        new GenerationDefaults { Steps = 30, Guidance = 3, Strength = 0.7 }.Save(folder);
        Index(folder, "IFPipeline", ("scheduler", "DDPMScheduler"), ("text_encoder", "T5EncoderModel"), ("tokenizer", "T5TokenizerFast"),
            ("unet", "UNet2DConditionModel"));
    }

    /// <summary>Writes the second stage.</summary>
    /// <param name="folder">Folder of the model.</param>
    /// <param name="unet">The denoiser.</param>
    public static void WriteLater(string folder, UNet2DConditionModel unet)
    {
        folder = Path.Combine(folder, Later);
        Component(folder, "unet", unet, unet.Config, "UNet2DConditionModel");
        Text(folder, $"scheduler/{SchedulerConfig.FileName}", MiniSchedulers.CascadeLaterText);
        Text(folder, $"image_noising_scheduler/{SchedulerConfig.FileName}", MiniSchedulers.ImageNoisingText);
        new GenerationDefaults { Steps = 10, Guidance = 1, NoiseLevel = CascadeLaterTrainer.NoiseLevel }.Save(folder);
        Index(folder, "IFSuperResolutionPipeline",
            ("image_noising_scheduler", "DDPMScheduler"), ("scheduler", "DDPMScheduler"), ("text_encoder", null), ("tokenizer", null),
            ("unet", "UNet2DConditionModel"));
    }

    /// <summary>Loads the initial weights of a denoiser from the folder of a stage.</summary>
    public static void Fill(UNet2DConditionModel unet, string folder) =>
        ComponentCatalog.Fill("UNet2DConditionModel", unet, Path.Combine(folder, "unet"));

    private static void Component<T>(string folder, string name, nn.Module network, T config, string className)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var (path, ofTransformers) = (Path.Combine(folder, name), LibraryOf(className) == "transformers");
        ComponentCatalog.Export(path, network.state_dict().Select(p => KeyValuePair.Create(p.Key, p.Value.to(ScalarType.BFloat16))),
            ofTransformers);
        var file = Path.Combine(path, "config.json");
        ConfigFile.Write(file, config, ofTransformers ? null : className);
        if (!ofTransformers) return;
        var body = ConfigFile.ReadObject(file);
        body.Insert(0, "architectures", new JsonArray(className));
        body.Insert(1, "model_type", "t5");
        WrittenFile.Write(file, body.ToJsonString(Indented) + "\n");
    }

    private static void Index(string folder, string className, params (string Name, string? Class)[] components)
    {
        string[] absent = ["feature_extractor", "safety_checker", "watermarker"];
        var entries = components.Concat(absent.Select(name => (Name: name, Class: (string?)null)))
            .OrderBy(entry => entry.Name, StringComparer.Ordinal);
        var lines = entries.Select(entry =>
            $"  \"{entry.Name}\": {(entry.Class is { } known ? $"[\"{LibraryOf(known)}\", \"{known}\"]" : "[null, null]")}");
        Text(folder, "model_index.json", string.Join(",\n",
            ["{\n  \"_class_name\": \"" + className + "\"", "  \"requires_safety_checker\": false", .. lines]) + "\n}");
    }

    private static string LibraryOf(string className) =>
        className.StartsWith("T5", StringComparison.Ordinal) ? "transformers" : "diffusers";

    private static void Text(string folder, string name, string text)
    {
        var path = Path.Combine(folder, name);
        WrittenFile.MakeFolder(Path.GetDirectoryName(path)!);
        WrittenFile.Write(path, text + "\n");
    }
}
