using System.Text.Json.Serialization;

namespace Alebrije.Pipelines;

/// <summary>A LoRA of a request: a file of low-rank matrices that are added to the weights (Hu et al., 2022), with its hash.</summary>
public sealed record LoraInput : FileInput
{
    /// <param name="file">Path of a .safetensors, .pt or .bin file, with the names of kohya's trainers, of diffusers or of peft.</param>
    /// <param name="scale">Factor of the added weights; 1 as it was trained, 0 nothing, below 0 the opposite.</param>
    /// <param name="sha256">SHA-256 of the file, 64 hexadecimal digits; null is computed when the file is read.</param>
    [JsonConstructor]
    public LoraInput(string file, double scale = 1, string? sha256 = null) : base(file, sha256) => Scale = scale;

    /// <summary>Factor of the added weights.</summary>
    public double Scale { get; }
}

/// <summary>A textual inversion of a request (Gal et al., 2022): a file of vectors for a token of its own, with its hash.</summary>
public sealed record EmbeddingInput : FileInput
{
    /// <param name="file">Path of a .safetensors, .pt or .bin file, in the format of web interfaces or of diffusers.</param>
    /// <param name="token">
    /// Text that stands for the vectors in prompts; null takes the token that a file of diffusers names, or else the file's name without
    /// its ending.
    /// </param>
    /// <param name="sha256">SHA-256 of the file, 64 hexadecimal digits; null is computed when the file is read.</param>
    [JsonConstructor]
    public EmbeddingInput(string file, string? token = null, string? sha256 = null) : base(file, sha256) => Token = token;

    /// <summary>Text that stands for the vectors; null: the file's own.</summary>
    public string? Token { get; }
}

/// <summary>All files of a request that change a model in memory.</summary>
/// <param name="Loras">Low-rank additions to the weights.</param>
/// <param name="Embeddings">Vectors of further tokens.</param>
internal sealed record AdapterInputs(IReadOnlyList<LoraInput> Loras, IReadOnlyList<EmbeddingInput> Embeddings)
{
    /// <summary>Those of a model as it was published.</summary>
    public static AdapterInputs None { get; } = new([], []);

    /// <summary>True if nothing is changed.</summary>
    public bool IsEmpty => Loras is [] && Embeddings is [];

    /// <summary>Those of a request.</summary>
    public static AdapterInputs Of(GenerationRequest request) =>
        request.Loras is null or [] && request.Embeddings is null or [] ? None : new(request.Loras ?? [], request.Embeddings ?? []);

    /// <summary>True for the same files, scales and tokens in the same order.</summary>
    public bool IsSame(AdapterInputs other) => Loras.SequenceEqual(other.Loras) && other.Embeddings.SequenceEqual(Embeddings);
}
