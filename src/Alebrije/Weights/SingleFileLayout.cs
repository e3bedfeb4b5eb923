namespace Alebrije.Weights;

/// <summary>Generation of Stable Diffusion of a single-file checkpoint.</summary>
internal enum SingleFileKind
{
    /// <summary>Stable Diffusion 1: CLIP ViT-L/14.</summary>
    One,

    /// <summary>Stable Diffusion 2: open_clip ViT-H/14.</summary>
    Two,

    /// <summary>SDXL base: CLIP ViT-L/14 and open_clip ViT-bigG/14.</summary>
    Xl,

    /// <summary>The x4 upscaler of Stable Diffusion 2.</summary>
    Upscaler,
}

/// <summary>A network within a single-file checkpoint.</summary>
/// <param name="Component">Name in a pipeline folder.</param>
/// <param name="ClassName">Class in a pipeline folder.</param>
/// <param name="Prefix">Prefix of its tensors' names in the file.</param>
internal sealed record SingleFilePart(string Component, string ClassName, string Prefix);

/// <summary>
/// A single-file checkpoint of Stable Diffusion, in its authors' layout (CompVis/stable-diffusion, Stability-AI/stablediffusion and
/// Stability-AI/generative-models). The kind is inferred from names and shapes of tensors (diffusers, loaders/single_file_utils.py,
/// infer_diffusers_model_type). Tensors outside of the parts, such as moving averages (<c>model_ema.*</c>), noise schedules and optimizer
/// states, are not read.
/// </summary>
/// <param name="Kind">Generation.</param>
/// <param name="Inpaints">True for a UNet with the masked image and the mask as additional input channels.</param>
/// <param name="Root">Prefix of all names: empty, or <c>state_dict.</c> in files of the trainer.</param>
/// <param name="Parts">UNet, autoencoder, text encoders.</param>
internal sealed record SingleFileLayout(SingleFileKind Kind, bool Inpaints, string Root, IReadOnlyList<SingleFilePart> Parts)
{
    private const string UNet = "model.diffusion_model.", Autoencoder = "first_stage_model.",
    FirstConvolution = UNet + "input_blocks.0.0.weight";
    private const string Texts = "cond_stage_model.transformer.",
        OpenClipTexts = "cond_stage_model.model.", XlTexts = "conditioner.embedders.0.transformer.";
    private const string XlOpenClipTexts = "conditioner.embedders.1.model.", Trainer = "state_dict.", TextModel = "CLIPTextModel";

    private static readonly string[] Endings = [".safetensors", ".ckpt"];
    private static readonly string[] FolderIndices = ["model_index.json", "config.json", "open_clip_config.json"];

    /// <summary>Substrings of names, in addition to a UNet, that identify related, unsupported models.</summary>
    private static readonly (string Sign, string Name)[] Relatives =
    [
        ("conditioner.embedders.0.model.", "the refiner of SDXL, which works on the latents of another model"),
        ("control_model.", "a ControlNet with its Stable Diffusion"),
        ("noise_augmentor.", "Stable unCLIP, which is read as a pipeline folder"),
        ("depth_model.", "Stable Diffusion 2 with depth maps"),
        ("edm_mean", "Playground 2.5, which samples by another schedule"),
        ("motion_modules.", "AnimateDiff, which generates videos"),
    ];

    /// <summary>Substrings of names that identify other kinds of files, the most specific first.</summary>
    private static readonly (string Sign, string Name)[] Others =
    [
        ("lora_", "a LoRA, which changes a model and is not one itself"),
        (".lora.", "a LoRA, which changes a model and is not one itself"),
        ("joint_blocks.", "Stable Diffusion 3"),
        ("double_blocks.", "FLUX"),
        ("control_model.", "a ControlNet"),
        ("controlnet_cond_embedding.", "a ControlNet"),
        ("motion_modules.", "a motion module of AnimateDiff"),
        ("string_to_param.", "a textual inversion, which adds words to a model"),
        ("emb_params", "a textual inversion, which adds words to a model"),
        ("ip_adapter.", "an IP-Adapter"),
        ("down_blocks.0.resnets.", "one network of a pipeline folder: name that folder instead"),
        ("decoder.conv_in.weight", "an autoencoder alone (VAE)"),
        ("input_blocks.0.0.weight", "a UNet alone"),
        ("visual.conv1.weight", "a CLIP"),
        ("text_model.embeddings.", "a text encoder alone"),
    ];

    /// <summary>Class of the corresponding pipeline.</summary>
    public string ClassName => (Kind, Inpaints) switch
    {
        (SingleFileKind.Upscaler, _) => "StableDiffusionUpscalePipeline",
        (SingleFileKind.Xl, false) => "StableDiffusionXLPipeline",
        (SingleFileKind.Xl, true) => "StableDiffusionXLInpaintPipeline",
        (_, false) => "StableDiffusionPipeline",
        (_, true) => "StableDiffusionInpaintPipeline",
    };

    /// <summary>True for a name with the ending of a single-file checkpoint.</summary>
    public static bool HasEnding(string name) => Endings.Contains(Path.GetExtension(name), StringComparer.Ordinal);

    /// <summary>Resolves a path to its checkpoint: the file itself, or the only one in a folder of no other layout; null: none.</summary>
    public static string? FileOf(string path)
    {
        if (File.Exists(path)) return HasEnding(path) ? path : null;
        if (!Directory.Exists(path) || FolderIndices.Any(index => File.Exists(Path.Combine(path, index)))) return null;
        var files = Directory.EnumerateFiles(path).Where(HasEnding).Take(2).ToArray();
        return files.Length == 1 ? files[0] : null;
    }

    /// <summary>Determines the layout of an open file.</summary>
    /// <exception cref="WeightsException">The file is of none of the kinds; the message names its actual kind, if recognised.</exception>
    public static SingleFileLayout Of(TensorSource file)
    {
        var root = Starts(file, Trainer + UNet) ? Trainer : "";
        if (!file.Contains(root + FirstConvolution)) throw Refusal(file, Others);
        if (Relatives.Any(relative => Occurs(file, relative.Sign))) throw Refusal(file, Relatives);
        var kind = Starts(file, root + XlOpenClipTexts) ? SingleFileKind.Xl
            : file.Contains(root + UNet + "label_emb.weight") ? SingleFileKind.Upscaler
            : Starts(file, root + OpenClipTexts) ? SingleFileKind.Two : SingleFileKind.One;
        var inputs = file.Describe(root + FirstConvolution).Shape is [_, var channels, _, _] ? channels : 0;
        var expected = kind == SingleFileKind.Upscaler ? inputs == 7 : inputs is 4 or 9;
        if (!expected)
        {
            throw new WeightsException(
                $"{file.Location} is a Stable Diffusion whose UNet takes {inputs} "
                    + $"channels; only 4 (text to image), 9 (inpainting) and 7 (upscaling) are supported.");
        }

        SingleFilePart[] texts = kind switch
        {
            SingleFileKind.One => [new("text_encoder", TextModel, root + Texts)],
            SingleFileKind.Xl =>
                [new("text_encoder", TextModel, root + XlTexts),
                    new("text_encoder_2", "CLIPTextModelWithProjection", root + XlOpenClipTexts)],
            _ => [new("text_encoder", TextModel, root + OpenClipTexts)],
        };
        var layout = new SingleFileLayout(kind, inputs == 9, root,
            [new("unet", "UNet2DConditionModel", root + UNet), new("vae", "AutoencoderKL", root + Autoencoder), .. texts]);
        if (layout.Parts.Where(part => !Starts(file, part.Prefix)).ToArray() is not { Length: > 0 } missing) return layout;
        throw new WeightsException(
            $"{file.Location} lacks "
                + $"{string.Join(" and ", missing.Select(part => $"the {part.Component} ({part.Prefix[root.Length..]}*)"))}; "
            + "a checkpoint with UNet, autoencoder and text encoder is needed.");
    }

    /// <summary>Determines the layout of an open file; null if it is not a Stable Diffusion checkpoint.</summary>
    public static SingleFileLayout? TryOf(TensorSource file)
    {
        try
        {
            return Of(file);
        }
        catch (WeightsException)
        {
            return null;
        }
    }

    private static WeightsException Refusal(TensorSource file, (string Sign, string Name)[] signs)
    {
        var name = signs.FirstOrDefault(known => Occurs(file, known.Sign)).Name;
        return new WeightsException(
            $"{file.Location} {(name is null ? "holds no UNet of Stable Diffusion (model.diffusion_model.*)" : $"is {name}")}; "
            + "a checkpoint of Stable Diffusion 1, 2 or XL with UNet, autoencoder and text encoder is needed.");
    }

    private static bool Starts(TensorSource file, string prefix) =>
        file.Names.Any(name => name.StartsWith(prefix, StringComparison.Ordinal));

    private static bool Occurs(TensorSource file, string part) => file.Names.Any(name => name.Contains(part, StringComparison.Ordinal));
}
