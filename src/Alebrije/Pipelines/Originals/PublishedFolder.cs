using System.Text.Json.Nodes;
using Alebrije.Preprocessing;
using Alebrije.Weights;

namespace Alebrije.Pipelines.Originals;

/// <summary>Writes a pipeline folder, component by component; the index comes last.</summary>
internal sealed class PublishedFolder(string folder, CancellationToken cancellation)
{
    private readonly JsonObject index = [];

    /// <summary>A network: its config, and its weights from one file or from several.</summary>
    public void Network<T>(string component, string className, T config, params (TensorSource File, StateDictOptions Options)[] files)
    {
        cancellation.ThrowIfCancellationRequested();
        var target = Begin(component, className.StartsWith("CLIP", StringComparison.Ordinal) ? "transformers" : "diffusers", className);
        ConfigFile.Write(Path.Combine(target, "config.json"), config, className);
        var renamed = files.Select(file => new RenamedSource(file.File, file.Options)).ToArray();
        try
        {
            SafeTensorsWriter.Copy(Path.Combine(target, "model.safetensors"), renamed);
        }
        finally
        {
            foreach (var source in renamed) source.Dispose();
        }
    }

    public void Scheduler(string component, JsonObject config)
    {
        var target = Begin(component, "diffusers", config["_class_name"]!.GetValue<string>());
        WrittenFile.Write(Path.Combine(target, "scheduler_config.json"), config.ToJsonString() + "\n");
    }

    /// <summary>Preprocessing of images in openai/CLIP.</summary>
    public void Preparation(string component, int side)
    {
        var target = Begin(component, "transformers", "CLIPImageProcessor");
        WrittenFile.Write(Path.Combine(target, "preprocessor_config.json"), new JsonObject
        {
            ["image_processor_type"] = "CLIPImageProcessor", ["do_resize"] = true,
                ["size"] = new JsonObject { ["shortest_edge"] = side }, ["resample"] = 3, ["do_center_crop"] = true,
            ["crop_size"] = new JsonObject { ["height"] = side, ["width"] = side },
                ["do_convert_rgb"] = true, ["do_rescale"] = true, ["rescale_factor"] = 1 / 255.0, ["do_normalize"] = true,
            ["image_mean"] = new JsonArray(0.48145466, 0.4578275, 0.40821073),
                ["image_std"] = new JsonArray(0.26862954, 0.26130258, 0.27577711),
        }.ToJsonString() + "\n");
    }

    public void Tokenizer(string component, Action<string> save) => save(Begin(component, "transformers", "CLIPTokenizer"));

    public void Copy(string component, string className, IEnumerable<string> files)
    {
        var target = Begin(component, "transformers", className);
        foreach (var file in files) WrittenFile.Copy(file, Path.Combine(target, Path.GetFileName(file)));
    }

    /// <summary>The index, after which the folder is one.</summary>
    public void Index(string className)
    {
        index.Insert(0, "_class_name", className);
        WrittenFile.Write(Path.Combine(folder, "model_index.json"), index.ToJsonString(new() { WriteIndented = true }) + "\n");
    }

    private string Begin(string component, string library, string className)
    {
        index[component] = new JsonArray(library, className);
        return WrittenFile.MakeFolder(Path.Combine(folder, component)).FullName;
    }
}
