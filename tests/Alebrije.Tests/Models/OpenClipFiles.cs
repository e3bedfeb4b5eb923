using Alebrije.Models.Clip;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>
/// Random tensors under the names and in the forms of open_clip's files, written down from its constructors (open_clip, transformer.py and
/// model.py) and independently of the key map under test.
/// </summary>
internal static class OpenClipFiles
{
    /// <summary>Published file name of open_clip's weights.</summary>
    public const string FileName = "open_clip_model.safetensors";

    /// <summary>The tensors of a whole CLIP whose image tower is a vision transformer.</summary>
    public static Dictionary<string, Tensor> Tensors(OpenClipConfig config, int seed = 1)
    {
        using var noise = new Noise(seed);
        var (file, features, custom) = (new Dictionary<string, Tensor>(), config.EmbedDim, config.CustomText ? "text." : "");
        var (text, vision) = (config.TextCfg, config.VisionCfg);
        var grid = vision.ImageSize / vision.PatchSize;

        Add(custom + "token_embedding.weight", 0, text.VocabSize, text.Width);
        Add(custom + "positional_embedding", 0, text.ContextLength, text.Width);
        Blocks(custom + "transformer.resblocks.", text.Layers, text.Width, (int)(text.Width * text.MlpRatio), text.LsInitValue is not null);
        Norm(custom + "ln_final", text.Width);
        if (text.ProjType != "none" && text.ProjBias) Linear(custom + "text_projection", features, text.Width);
        else if (text.ProjType != "none") Add(custom + "text_projection", 0, text.Width, features);

        Add("visual.class_embedding", 0, vision.Width);
        Add("visual.positional_embedding", 0, (grid * grid) + 1, vision.Width);
        Add("visual.conv1.weight", 0, vision.Width, 3, vision.PatchSize, vision.PatchSize);
        if (!vision.NoLnPre) Norm("visual.ln_pre", vision.Width);
        var inner = (int)(vision.Width * vision.MlpRatio);
        Blocks("visual.transformer.resblocks.", vision.Layers[0], vision.Width, inner, vision.LsInitValue is not null);
        if (vision.AttentionalPool)
        {
            Add("visual.attn_pool.query", 0, vision.AttnPoolerQueries, features);
            Norm("visual.attn_pool.ln_q", features);
            Norm("visual.attn_pool.ln_k", vision.Width);
            if (features == vision.Width) Add("visual.attn_pool.attn.in_proj_weight", 0, 3 * features, features);
            else
            {
                Add("visual.attn_pool.attn.q_proj_weight", 0, features, features);
                Add("visual.attn_pool.attn.k_proj_weight", 0, features, vision.Width);
                Add("visual.attn_pool.attn.v_proj_weight", 0, features, vision.Width);
            }

            Add("visual.attn_pool.attn.in_proj_bias", 0, 3 * features);
            Linear("visual.attn_pool.attn.out_proj", features, features);
        }

        var pooled = vision.AttentionalPool ? features : vision.Width;
        Norm("visual.ln_post", pooled);
        Add("visual.proj", 0, pooled, features);
        long[] scalar = config.NonscalarLogitScale ? [1] : [];
        file["logit_scale"] = full(scalar, Math.Log(1 / 0.07));
        if (config.InitLogitBias is { } bias) file["logit_bias"] = full(scalar, bias);
        return file;

        void Blocks(string prefix, int count, int width, int inner, bool scaled)
        {
            for (var i = 0; i < count; i++)
            {
                Norm($"{prefix}{i}.ln_1", width);
                Add($"{prefix}{i}.attn.in_proj_weight", 0, 3 * width, width);
                Add($"{prefix}{i}.attn.in_proj_bias", 0, 3 * width);
                Linear($"{prefix}{i}.attn.out_proj", width, width);
                Norm($"{prefix}{i}.ln_2", width);
                Linear($"{prefix}{i}.mlp.c_fc", inner, width);
                Linear($"{prefix}{i}.mlp.c_proj", width, inner);
                if (!scaled) continue;
                Add($"{prefix}{i}.ls_1.gamma", 0.5, width);
                Add($"{prefix}{i}.ls_2.gamma", 0.5, width);
            }
        }

        void Norm(string name, int width)
        {
            Add(name + ".weight", 1, width);
            Add(name + ".bias", 0, width);
        }

        void Linear(string name, int output, int input)
        {
            Add(name + ".weight", 0, output, input);
            Add(name + ".bias", 0, output);
        }

        void Add(string name, double mean, params long[] shape) => file.Add(name, (noise.Randn(shape) * 0.3) + mean);
    }

    /// <summary>The tensors of the image tower alone, under their names in it.</summary>
    public static Dictionary<string, Tensor> Visual(Dictionary<string, Tensor> file) =>
        file.Where(pair => pair.Key.StartsWith("visual.", StringComparison.Ordinal))
            .ToDictionary(pair => pair.Key["visual.".Length..], pair => pair.Value);

    /// <summary>Writes a folder in open_clip's published layout and loads it.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="json">Its config.</param>
    public static ClipNetwork Write(string folder, string json)
    {
        File.WriteAllText(Path.Combine(folder, OpenClipConfig.FileName), json);
        using (NewDisposeScope()) SafeTensorsWriter.Write(Path.Combine(folder, FileName), Tensors(OpenClipConfig.Read(folder)));
        return OpenClipFolder.Load(folder);
    }

    /// <summary>A network with the weights of such a file.</summary>
    public static ClipNetwork Load(OpenClipConfig config, Dictionary<string, Tensor> tensors)
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("alebrije-openclip-file-").FullName, FileName);
        try
        {
            SafeTensorsWriter.Write(path, tensors);
            using var file = new SafeTensorsFile(path);
            return OpenClipFolder.Load(config, file);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }
}
