using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableDiffusion;

/// <summary>What a denoiser of Stable Diffusion is told of texts.</summary>
/// <param name="Encodings">[texts, tokens, width]</param>
/// <param name="Pooled">[texts, features]: the pooled text of SDXL, or null.</param>
internal sealed record EncodedTexts(Tensor Encodings, Tensor? Pooled)
{
    /// <summary>Both in one batch, <paramref name="first"/> before this.</summary>
    public EncodedTexts After(EncodedTexts first) => new(cat([first.Encodings, Encodings]), Pooled is null ? null : cat([first.Pooled!, Pooled]));

    /// <summary>Zeros of the same shape: what SDXL takes for a negative text that was not given.</summary>
    public EncodedTexts Nothing() => new(zeros_like(Encodings), Pooled is null ? null : zeros_like(Pooled));
}

/// <summary>
/// The text encoders of Stable Diffusion: one of CLIP, read after its final norm, or SDXL's two, both read before their last block without norm and laid
/// side by side, with the second one's embedding (diffusers, pipelines/stable_diffusion and stable_diffusion_xl, encode_prompt).
/// </summary>
internal sealed class StableDiffusionTexts : IDisposable
{
    private readonly (ClipTokenizer Tokenizer, Component<ClipTextModel> Encoder)[] towers;

    /// <param name="folder">A pipeline with <c>tokenizer</c> and <c>text_encoder</c>, <c>tokenizer_2</c> and <c>text_encoder_2</c>, or both.</param>
    /// <param name="keep">Whether encoders stay in memory between two calls.</param>
    public StableDiffusionTexts(PipelineFolder folder, bool keep)
    {
        IsXl = folder.Has("text_encoder_2");
        towers = [.. new[] { ("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2") }.Where(pair => folder.Has(pair.Item2))
            .Select(pair => (folder.Tokenizer(pair.Item1), TextStage.Encoder(folder, pair.Item2, keep)))];
    }

    /// <summary>Whether these are SDXL's: the last one's embedding is given to the denoiser too.</summary>
    public bool IsXl { get; }

    /// <summary>Encodes texts.</summary>
    /// <param name="texts">One for each picture.</param>
    /// <param name="second">What the second encoder is told; null tells it the same.</param>
    /// <param name="skip">Last blocks that are left out besides those that the model leaves out anyway (clip_skip).</param>
    /// <param name="note">Told of texts that were cut.</param>
    public EncodedTexts Encode(IReadOnlyList<string> texts, IReadOnlyList<string>? second = null, int skip = 0, Action<RunNote>? note = null)
    {
        var (encodings, pooled) = (new List<Tensor>(), (Tensor?)null);
        for (var i = 0; i < towers.Length; i++)
        {
            var (tokenizer, component) = towers[i];
            var ids = TokenTensors.Ids(TextCuts.Encode(tokenizer, i > 0 ? second ?? texts : texts, tokenizer.MaxLength, out _, note));
            using var loan = component.Borrow();
            var (tower, isLast) = (loan.Value, i == towers.Length - 1);
            var output = skip == 0 || (IsXl && isLast) ? tower.Encode(ids) : null;
            encodings.Add((IsXl, skip) switch
            {
                (true, 0) => output!.Penultimate,
                (true, _) => tower.Hidden(ids, skip + 1),
                (false, 0) => output!.LastHiddenState,
                (false, _) => tower.Norm(tower.Hidden(ids, skip)),
            });
            if (IsXl && isLast) pooled = tower.Project(output!.Pooled);
        }

        return new EncodedTexts(encodings.Count == 1 ? encodings[0] : cat([.. encodings], -1), pooled);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, encoder) in towers) encoder.Dispose();
    }
}
