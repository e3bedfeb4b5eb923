using System.Text.Json.Nodes;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Training;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>An upsampler of a few thousand parameters with random weights, beside a pipeline that has none.</summary>
internal static class TinyUpsampler
{
    public static UNet2DConfig Config { get; } = UNet2DConfig.Upsampler(8, 12) with { NormNumGroups = 4, SampleSize = [64] };

    /// <summary>Writes the network's folder.</summary>
    public static void Write(string folder, ulong seed = 5)
    {
        using var scope = NewDisposeScope();
        using var network = new UNet2DModel(Config);
        SeededInit.Apply(network, seed);
        Directory.CreateDirectory(folder);
        SafeTensorsWriter.Write(Path.Combine(folder, "diffusion_pytorch_model.safetensors"), network.state_dict());
        ConfigFile.Write(Path.Combine(folder, "config.json"), Config, "UNet2DModel");
    }

    /// <summary>Adds it to a pipeline's folder, for all steps or with a separate network for the last.</summary>
    public static void AddTo(string model, bool last = false)
    {
        Write(Path.Combine(model, Upsampler.First));
        if (last) Write(Path.Combine(model, Upsampler.Last), 6);
        Directory.CreateDirectory(Path.Combine(model, Upsampler.Scheduler));
        File.WriteAllText(Path.Combine(model, Upsampler.Scheduler, "scheduler_config.json"), MiniSchedulers.UpsamplerText);
        var index = Path.Combine(model, "model_index.json");
        var json = JsonNode.Parse(File.ReadAllText(index))!.AsObject();
        foreach (var name in last ? new[] { Upsampler.First, Upsampler.Last } : [Upsampler.First])
            json[name] = new JsonArray("diffusers", "UNet2DModel");
        json[Upsampler.Scheduler] = new JsonArray("diffusers", "UnCLIPScheduler");
        File.WriteAllText(index, json.ToJsonString());
    }
}
