using Alebrije.Models.UNets;
using Alebrije.Tensors;
using Alebrije.Tests.Weights;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Writes a pipeline folder as a checkpoint of one file, as its authors' trainers did.</summary>
internal sealed class SingleFileWriter : IDisposable
{
    private readonly string folder;
    private readonly DisposeScope scope = NewDisposeScope();
    private readonly Noise noise = new(77);
    private readonly SingleFileKind kind;

    /// <param name="folder">The folder of <see cref="RandomPipelines.Published"/>.</param>
    /// <param name="kind">Kind of the checkpoint.</param>
    public SingleFileWriter(string folder, SingleFileKind kind)
    {
        (this.folder, this.kind) = (folder, kind);
        var config = ConfigFile.Read<UNet2DConditionConfig>(Path.Combine(folder, "unet"));
        bool[] attends = [.. config.DownBlockTypes.Select(type => type.StartsWith("CrossAttn", StringComparison.Ordinal))];
        Add("model.diffusion_model.", SingleFileNames.UNet(Read("unet"), config.LayersPerBlock[0], attends));
        var vae = Read("vae");
        Add("first_stage_model.", SingleFileNames.Autoencoder(vae,
            1 + vae.Keys.Count(name => name.EndsWith("downsamplers.0.conv.bias", StringComparison.Ordinal))));
        if (kind == SingleFileKind.One) AddTransformers("cond_stage_model.transformer.", "text_encoder");
        else if (kind != SingleFileKind.Xl) AddOpenClip("cond_stage_model.model.", "text_encoder", further: true);
        else
        {
            AddTransformers("conditioner.embedders.0.transformer.", "text_encoder");
            AddOpenClip("conditioner.embedders.1.model.", "text_encoder_2", further: false);
        }

        Tensors["alphas_cumprod"] = rand(1000);
        Tensors["first_stage_model.loss.logvar"] = zeros(1);
    }

    /// <summary>Names and tensors of the file.</summary>
    public Dictionary<string, Tensor> Tensors { get; } = [];

    public void Dispose()
    {
        noise.Dispose();
        scope.Dispose();
    }

    /// <summary>Adds moving averages of the UNet, of other values, under names without dots.</summary>
    public SingleFileWriter WithAverages()
    {
        foreach (var (name, tensor) in Tensors.Where(pair => pair.Key.StartsWith("model.", StringComparison.Ordinal)).ToArray())
            Tensors["model_ema." + name["model.".Length..].Replace(".", "", StringComparison.Ordinal)] = tensor + 1;
        Tensors["model_ema.decay"] = tensor(0.9999f);
        Tensors["model_ema.num_updates"] = tensor(7, ScalarType.Int32).to(ScalarType.Int64);
        return this;
    }

    /// <summary>Writes the file by its extension; a pickle contains the state of a trainer beside the weights.</summary>
    public string Save(string path)
    {
        if (path.EndsWith(".safetensors", StringComparison.Ordinal))
            SafeTensorsWriter.Write(path, Tensors, new Dictionary<string, string> { ["format"] = "pt" });
        else SavePickle(path);
        return path;
    }

    private void SavePickle(string path)
    {
        var (pickle, storages) = (new PickleWriter().Op('}'), new List<byte[]>());
        pickle.Text("epoch").Number(5).Op('s').Text("global_step").Number(875000)
            .Op('s').Text("pytorch-lightning_version").Text("1.4.2").Op('s');

        // A callback's state under its class, with a NumPy scalar: numpy.core.multiarray.scalar(numpy.dtype("f8", False, True), bytes).
        pickle.Text("callbacks").Op('}').Global("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
            .Op('}').Text("best_model_score")
            .Global("numpy.core.multiarray", "scalar").Global("numpy", "dtype").Text("f8").Op('\u0089').Op('\u0088').Op('\u0087').Op('R')
            .Op('(').Number(3).Text("<").Op('N').Op('N').Op('N').Number(-1).Number(-1).Number(0).Op('t').Op('b')
            .Global("_codecs", "encode").Text("12345678").Text("latin1").Op('\u0086').Op('R').Op('\u0086').Op('R').Op('s').Op('s').Op('s');
        pickle.Text("optimizer_states").Op(']').Op('}').Text("state").Op('}').Number(0).Op('}').Text("exp_avg");
        AddTensor(pickle, storages, ones(3));
        pickle.Op('s').Op('s').Op('s').Op('a').Op('s').Text("state_dict").Op('}');
        foreach (var (name, tensor) in Tensors)
        {
            pickle.Text(name);
            AddTensor(pickle, storages, tensor);
            pickle.Op('s');
        }

        pickle.Op('s').Op('.').Save(path, [.. storages]);
    }

    private static void AddTensor(PickleWriter pickle, List<byte[]> storages, Tensor tensor)
    {
        using var plain = tensor.detach().contiguous();
        var type = plain.dtype switch
        {
            ScalarType.Float16 => "HalfStorage",
            ScalarType.Int64 => "LongStorage",
            _ => "FloatStorage",
        };
        pickle.Tensor(type, $"{storages.Count}", (int)plain.numel(),
            0, [.. plain.shape.Select(size => (int)size)], [.. plain.stride().Select(stride => (int)stride)]);
        storages.Add(plain.bytes.ToArray());
    }

    private void AddTransformers(string prefix, string component)
    {
        Add(prefix, Read(component));
        Tensors[prefix + "text_model.embeddings.position_ids"] = arange(77, ScalarType.Int64).unsqueeze(0);
    }

    /// <param name="prefix">Start of the names.</param>
    /// <param name="component">The text encoder.</param>
    /// <param name="further">True to add the last block and the projection, which the published folder lacks.</param>
    private void AddOpenClip(string prefix, string component, bool further)
    {
        var named = OriginalNames.Tower(Read(component), isVision: false);
        var width = named["positional_embedding"].shape[1];
        if (further)
        {
            const string last = "transformer.resblocks.1.";
            foreach (var (name, tensor) in named.Where(pair => pair.Key.StartsWith(last, StringComparison.Ordinal)).ToArray())
                named["transformer.resblocks.2." + name[last.Length..]] = noise.Randn(tensor.shape);
            named["text_projection"] = noise.Randn(width, width);
        }

        named["logit_scale"] = tensor(4.6f);
        named["attn_mask"] = zeros(77, 77);
        Add(prefix, named);
    }

    private void Add(string prefix, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        foreach (var (name, tensor) in tensors) Tensors[prefix + name] = tensor;
    }

    private Dictionary<string, Tensor> Read(string component)
    {
        using var file = CheckpointFolder.OpenWeights(Path.Combine(folder, component));
        return file.Names.ToDictionary(name => name, name => file.Read(name));
    }
}
