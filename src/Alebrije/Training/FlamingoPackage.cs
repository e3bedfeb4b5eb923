using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Models.Flamingo;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>
/// Folder of a trained Flamingo in the layout that <see cref="FlamingoPipeline"/> reads: the trained tensors by OpenFlamingo's names, the
/// language model as GPT-NeoX is published, the image tower as a CLIP of transformers. The trained weights are float16; the image
/// tower's are bfloat16, as the packed model's are.
/// </summary>
internal static class FlamingoPackage
{
    /// <summary>Name of the model's folder in that of the runs.</summary>
    public const string Name = "mini-flamingo";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes the language model.</summary>
    /// <param name="folder">Folder of the model.</param>
    /// <param name="network">The language model.</param>
    /// <param name="config">Its sizes.</param>
    /// <param name="tokenizer">Folder of the tokenizer.</param>
    public static void WriteLanguage(string folder, GptNeoX network, GptNeoXConfig config, string tokenizer)
    {
        var path = Path.Combine(folder, new FlamingoConfig().Language);
        ComponentCatalog.Export(path, Halves(network.state_dict()), ofTransformers: true);
        WriteConfig(path, config, "GPTNeoXForCausalLM", "gpt_neox");
        WrittenFile.Copy(Path.Combine(tokenizer, ByteLevelTokenizer.FileName), Path.Combine(path, ByteLevelTokenizer.FileName));
    }

    /// <summary>Writes resampler and gated blocks, and the sizes of both.</summary>
    public static void WriteTrained(string folder, FlamingoNetwork network, FlamingoConfig config)
    {
        WrittenFile.MakeFolder(folder);
        ConfigFile.Write(Path.Combine(folder, FlamingoConfig.FileName), config);
        ComponentCatalog.Write(Path.Combine(folder, FlamingoFolder.CheckpointName),
            Halves(network.state_dict().Where(pair => FlamingoNetwork.IsTrained(pair.Key))));
    }

    /// <summary>Writes the image tower.</summary>
    /// <param name="folder">Folder of the model.</param>
    /// <param name="config">Name of the image tower's folder.</param>
    /// <param name="clip">The CLIP.</param>
    /// <param name="source">Folder of the CLIP, for its preparation of images.</param>
    public static void WriteVision(string folder, FlamingoConfig config, TrainedClip clip, string source)
    {
        var path = Path.Combine(folder, config.Vision);
        var tower = clip.Network.Vision;
        ComponentCatalog.Export(path, tower.state_dict().Select(pair => KeyValuePair.Create(pair.Key, pair.Value.to(ScalarType.BFloat16))),
            ofTransformers: true);
        WriteConfig(path, tower.Config, "CLIPVisionModelWithProjection", "clip_vision_model");
        TrainedClip.CopyPreprocessor(source, path);
        var file = Path.Combine(path, TrainedClip.PreprocessorFile);
        if (!File.Exists(file))
            AtomicFile.Write(file, stream => stream.Write(Preprocessing.Imaging.PreprocessorConfig.Write(clip.Processor.Options)));
    }

    /// <summary>Copies the language model of a folder into that of a network of the same sizes.</summary>
    /// <param name="network">A language model, or a Flamingo with one.</param>
    /// <param name="folder">Folder of the language model.</param>
    /// <exception cref="WeightsException">A tensor is missing, or of another shape.</exception>
    public static void FillLanguage(nn.Module network, string folder)
    {
        using var source = CheckpointFolder.OpenWeights(folder);
        Fill(network, source, name => network is FlamingoNetwork
            ? FlamingoNetwork.IsTrained(name) ? null : name[FlamingoNetwork.LanguagePrefix.Length..] : name);
    }

    /// <summary>Copies resampler and gated blocks of a Flamingo's folder into a network of the same sizes.</summary>
    /// <exception cref="WeightsException">A tensor is missing, or of another shape.</exception>
    public static void FillTrained(FlamingoNetwork network, string folder)
    {
        using var source = CheckpointFolder.OpenWeights(Path.Combine(folder, FlamingoFolder.CheckpointName));
        Fill(network, source, name => FlamingoNetwork.IsTrained(name) ? name : null);
    }

    private static void Fill(nn.Module network, TensorSource source, Func<string, string?> nameOf)
    {
        using var guard = no_grad();
        foreach (var (own, tensor) in network.state_dict())
        {
            if (nameOf(own) is not { } name) continue;
            if (!source.Contains(name)) throw new WeightsException($"{source.Location} has no tensor {name}, which the network needs.");
            using var scope = NewDisposeScope();
            var read = source.Read(name);
            if (!read.shape.SequenceEqual(tensor.shape))
                throw new WeightsException($"{source.Location}: {name} is [{string.Join(", ", read.shape)}], but the network's is "
                    + $"[{string.Join(", ", tensor.shape)}]; give the same sizes.");
            tensor.copy_(read);
        }
    }

    private static IEnumerable<KeyValuePair<string, Tensor>> Halves(IEnumerable<KeyValuePair<string, Tensor>> weights) =>
        weights.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.to(ScalarType.Float16)));

    private static void WriteConfig<T>(string folder, T config, string className, string modelType)
    {
        var path = Path.Combine(folder, "config.json");
        ConfigFile.Write(path, config);
        var body = ConfigFile.ReadObject(path);
        body.Remove("architectures");
        body.Remove("model_type");
        body.Insert(0, "architectures", new JsonArray(className));
        body.Insert(1, "model_type", modelType);
        WrittenFile.Write(path, body.ToJsonString(Indented) + "\n");
    }
}
