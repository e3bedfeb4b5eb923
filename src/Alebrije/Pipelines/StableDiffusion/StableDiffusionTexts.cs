using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableDiffusion;

/// <summary>Text conditions of a denoiser of Stable Diffusion.</summary>
/// <param name="Encodings">[texts, tokens, width]</param>
/// <param name="Pooled">[texts, features]: the pooled text of SDXL, or null.</param>
internal sealed record EncodedTexts(Tensor Encodings, Tensor? Pooled)
{
    /// <summary>Both in one batch, <paramref name="first"/> before this.</summary>
    public EncodedTexts After(EncodedTexts first) =>
        new(cat([first.Encodings, Encodings]), Pooled is null ? null : cat([first.Pooled!, Pooled]));

    /// <summary>Zeros of the same shape: what SDXL takes for a negative text that was not given.</summary>
    public EncodedTexts Nothing() => new(zeros_like(Encodings), Pooled is null ? null : zeros_like(Pooled));
}

/// <summary>
/// The text encoders of Stable Diffusion: one of CLIP, read after its final norm, or SDXL's two, both read before their last block without
/// norm and laid side by side, with the second one's embedding (diffusers, pipelines/stable_diffusion and stable_diffusion_xl,
/// encode_prompt).
/// </summary>
internal sealed class StableDiffusionTexts : IDisposable
{
    private readonly PipelineFolder folder;
    private readonly Tower[] towers;
    private Adapters adapters = Adapters.None;

    /// <param name="folder">A pipeline with <c>tokenizer</c> and <c>text_encoder</c>, <c>tokenizer_2</c> and <c>text_encoder_2</c>, or
    /// both.</param>
    /// <param name="keep">True if encoders stay in memory between two calls.</param>
    public StableDiffusionTexts(PipelineFolder folder, bool keep)
    {
        this.folder = folder;
        IsXl = folder.Has("text_encoder_2");
        towers = [.. new[] { ("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2") }.Where(pair => folder.Has(pair.Item2))
            .Select(pair => new Tower(pair.Item2, folder.Tokenizer(pair.Item1), new(() => Load(pair.Item2), keep)))];
        // A component that is missing is named before anything runs.
        foreach (var tower in towers) folder.Require(tower.Component);
    }

    /// <summary>Tokenizers without further tokens, by the component of their text encoder.</summary>
    public IReadOnlyDictionary<string, ClipTokenizer> Tokenizers => towers.ToDictionary(tower => tower.Component, tower => tower.Original);

    /// <summary>Changes weights and tokens from the next text on.</summary>
    public void Use(Adapters wanted)
    {
        adapters = wanted;
        foreach (var tower in towers)
        {
            tower.Encoder.Release();
            var config = folder.Config<ClipTextConfig>(tower.Component);
            tower.Tokenizer = adapters.Extend(tower.Original, config.VocabSize);
        }
    }

    /// <summary>Rows of the text encoder that the longest of texts takes (<see cref="PromptPieces"/>).</summary>
    public int Pieces(IEnumerable<string> texts) => texts.Max(text => towers.Max(tower => PromptPieces.Count(tower.Tokenizer, text)));

    /// <summary>True if these are SDXL's: the last one's embedding also conditions the denoiser.</summary>
    public bool IsXl { get; }

    /// <summary>Encodes texts.</summary>
    /// <param name="texts">One for each image.</param>
    /// <param name="second">Prompt of the second encoder; null repeats the first's.</param>
    /// <param name="skip">Last blocks that are left out besides those that the model leaves out anyway (clip_skip).</param>
    /// <param name="pieces">Rows of the text encoder that each text takes, side by side along the tokens; null cuts texts to one.</param>
    /// <param name="note">Receives notes of texts that were cut.</param>
    public EncodedTexts Encode(
        IReadOnlyList<string> texts, IReadOnlyList<string>? second = null, int skip = 0, int? pieces = null, Action<RunNote>? note = null)
    {
        var (encodings, pooled) = (new List<Tensor>(), (Tensor?)null);
        for (var i = 0; i < towers.Length; i++)
        {
            var (tokenizer, read) = (towers[i].Tokenizer, i > 0 ? second ?? texts : texts);
            var ids = TokenTensors.Ids(pieces is { } rows
                ? PromptPieces.Encode(tokenizer, read, rows) : TextCuts.Encode(tokenizer, read, tokenizer.MaxLength, out _, Cut));
            using var loan = towers[i].Encoder.Borrow();
            var (tower, isLast) = (loan.Value, i == towers.Length - 1);
            var output = skip == 0 || (IsXl && isLast) ? tower.Encode(ids) : null;
            var encoded = (IsXl, skip) switch
            {
                (true, 0) => output!.Penultimate,
                (true, _) => tower.Hidden(ids, skip + 1),
                (false, 0) => output!.LastHiddenState,
                (false, _) => tower.Norm(tower.Hidden(ids, skip)),
            };
            encodings.Add(encoded.reshape(texts.Count, -1, encoded.shape[^1]));                     // [texts, pieces · tokens, width]
            // That of the first piece.
            if (IsXl && isLast) pooled = tower.Project(output!.Pooled.reshape(texts.Count, -1, output.Pooled.shape[^1]).select(1, 0));
        }

        return new EncodedTexts(encodings.Count == 1 ? encodings[0] : cat([.. encodings], -1), pooled);

        void Cut(RunNote cut)
        {
            note?.Invoke(cut);
            note?.Invoke(new LongPromptNote());
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tower in towers) tower.Encoder.Dispose();
    }

    private ClipTextModel Load(string component)
    {
        using var scope = NewDisposeScope();
        var network = folder.Load<ClipTextModel>(component, edits: adapters.Edits(component)).OutOfScopes();
        if (adapters.Rows(component) is { } rows) network.Extend(rows);
        return network;
    }

    private sealed record Tower(string Component, ClipTokenizer Original, Component<ClipTextModel> Encoder)
    {
        public ClipTokenizer Tokenizer { get; set; } = Original;
    }
}
