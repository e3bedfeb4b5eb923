namespace Alebrije.Models.Flamingo;

/// <summary>
/// <c>flamingo.json</c>: the parts of a Flamingo and the sizes of its trained networks. A missing key has the value of all published
/// OpenFlamingo checkpoints (open_flamingo, src/helpers.py and src/factory.py).
/// </summary>
internal sealed record FlamingoConfig
{
    /// <summary>Name of the file in a Flamingo's folder.</summary>
    public const string FileName = "flamingo.json";

    /// <summary>A gated block precedes every n-th layer of the language model: layers n-1, 2n-1, ...</summary>
    public int CrossAttnEveryNLayers { get; init; } = 1;

    /// <summary>Id of <c>&lt;image&gt;</c>; null: that of the tokenizer.</summary>
    public int? MediaTokenId { get; init; }

    /// <summary>Id of <c>&lt;|endofchunk|&gt;</c>; null: that of the tokenizer.</summary>
    public int? EocTokenId { get; init; }

    /// <summary>Folder or file of the image tower, relative to this file's.</summary>
    public string Vision { get; init; } = "vision";

    /// <summary>Folder of the language model, relative to this file's.</summary>
    public string Language { get; init; } = "language";

    /// <summary>Images of a prompt at most; null: as many as the context holds tokens for.</summary>
    public int? MaxImages { get; init; }

    /// <summary>
    /// True if the last norm of the image tower is applied to patches, as open_clip does from 2.24 on. The checkpoints published in 2023
    /// were trained with patches without it: false.
    /// </summary>
    public bool PatchNorm { get; init; } = true;

    /// <summary>Tokens that stand for one image.</summary>
    public int Latents { get; init; } = 64;

    /// <summary>Layers of the resampler.</summary>
    public int ResamplerLayers { get; init; } = 6;

    /// <summary>Heads of the resampler and of the gated blocks.</summary>
    public int Heads { get; init; } = 8;

    /// <summary>Width of a head.</summary>
    public int HeadWidth { get; init; } = 64;

    /// <summary>Inner width of a feed-forward network, as a multiple of the width.</summary>
    public int FfMult { get; init; } = 4;
}
