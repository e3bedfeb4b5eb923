using Alebrije.Diffusion;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Nn;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableUnClip;

/// <summary>The steps of the chain, each usable alone; the order of random draws is the reference's (pipeline_stable_unclip.py).</summary>
internal sealed class StableUnClipStages(StableUnClipParts parts, Precision precision)
{
    /// <summary>Below this many parameters float32 is fast enough, and the same picture comes out on every machine.</summary>
    private const long SmallNetwork = 100_000_000;

    private readonly ScalarType decoderType = precision == Precision.Auto && parts.UNet.parameters().Sum(p => p.numel()) < SmallNetwork
        ? ScalarType.Float32 : Processor.ScalarType(precision);

    /// <summary>Type in which the denoiser computes.</summary>
    public ScalarType DecoderType => decoderType;

    /// <summary>Text embeddings and encodings for the prior.</summary>
    public PriorText EncodeForPrior(IReadOnlyList<string> prompts, GenerationTrace? trace = null)
    {
        var (tokenizer, encoder) = (parts.PriorTokenizer ?? parts.Tokenizer, parts.PriorTextEncoder
            ?? throw new InvalidOperationException($"{parts.Folder.Path} has no prior; it varies pictures (vary) but draws none from text."));
        var rows = tokenizer.EncodeBatch(prompts, tokenizer.MaxLength, out var lengths);
        var ids = Ids(rows);
        var output = encoder.Encode(ids);
        var mask = arange(ids.shape[1]).unsqueeze(0).lt(tensor(lengths.Select(n => (long)n).ToArray()).unsqueeze(1));
        var embedding = encoder.Project(output.Pooled);
        if (trace is not null)
        {
            trace.AddTokens("tokens", tokenizer.Tokens(prompts[0]));
            trace.Add("token ids", ids);
            trace.Add("text embedding", embedding);
            trace.Add("text encodings", output.LastHiddenState);
        }

        return new PriorText(new PriorConditions(embedding, output.LastHiddenState, mask), () => parts.Empty(() => EncodeForPrior([""]).Conditions));
    }

    /// <summary>Text encodings for the decoder, the unconditional half first where it is guided.</summary>
    /// <returns>[batch or 2 batch, tokens, width]</returns>
    public Tensor EncodeForDecoder(IReadOnlyList<string> prompts, IReadOnlyList<string> negatives, bool guided, GenerationTrace? trace = null)
    {
        var tokenizer = parts.Tokenizer;
        var texts = guided ? negatives.Concat(prompts).ToArray() : prompts;
        var context = parts.TextEncoder.Encode(Ids(tokenizer.EncodeBatch(texts, tokenizer.MaxLength))).LastHiddenState;
        trace?.Add("decoder text encodings", context);
        return context;
    }

    /// <summary>Image embedding by the prior that was asked for; of several candidates the one with the largest cosine to the text embedding is kept.</summary>
    /// <returns>[1, features]</returns>
    public Tensor DrawPrior(
        PriorText text, GenerationRequest request, Noise noise, Action<int, int>? report, GenerationTrace? trace, CancellationToken cancellation)
    {
        var candidates = parts.Priors[request.Prior].Draw(
            text, new PriorDraw(request.PriorSteps!.Value, request.PriorGuidance!.Value) { Candidates = request.PriorCandidates, Report = report, Trace = trace, Cancellation = cancellation }, noise);
        if (candidates.Count == 1) return candidates[0];
        var all = cat([.. candidates]);                                                      // [candidates, features]
        var cosines = (ClipNetwork.Unit(all) * ClipNetwork.Unit(text.Conditions.TextEmbedding)).sum(-1);
        trace?.Add("candidate cosines", cosines);
        return candidates[(int)cosines.argmax().ToInt64()];
    }

    /// <summary>Draws image embeddings from the diffusion prior.</summary>
    /// <returns>Image embeddings, [batch, features], and the normalised samples after every step.</returns>
    public (Tensor Embedding, IReadOnlyList<Tensor> Steps) SamplePrior(PriorText text, int steps, double guidance, Noise noise) =>
        ((DiffusionPrior)parts.Priors[PriorKind.Diffusion]).Sample(text, new PriorDraw(steps, guidance), noise);

    /// <summary>Noised image embedding and the code of its noise level: what the decoder's class embedding is given.</summary>
    /// <param name="image">[batch, features]</param>
    /// <param name="level">0 to 999</param>
    /// <param name="noise">One draw.</param>
    /// <returns>[batch, 2 features]</returns>
    public Tensor NoiseEmbedding(Tensor image, int level, Noise noise)
    {
        var draw = noise.RandnLike(image);
        var noised = parts.Normalizer.Unscale(parts.NoisingSchedule.AddNoise(parts.Normalizer.Scale(image), draw, level));
        var code = Timesteps.Encode(full(image.shape[0], level, dtype: ScalarType.Float32), image.shape[1], cosineFirst: true, shift: 0);
        return cat([noised, code], 1);
    }

    /// <summary>Latents drawn by the decoder.</summary>
    /// <param name="condition">[batch, 2 features]</param>
    /// <param name="context">[batch or 2 batch, tokens, width]</param>
    public Tensor SampleDecoder(
        Tensor condition, Tensor context, GenerationRequest request, Noise noise, Action<int, int>? report, GenerationTrace? trace,
        CancellationToken cancellation, ICollection<Tensor>? after = null)
    {
        var run = new DecoderRun(request.Steps!.Value, request.Guidance!.Value)
        {
            Height = request.Size!.Value, Width = request.Size.Value, Trace = trace, Cancellation = cancellation,
            Report = report is null ? null : p => report(p.Step, p.Of), After = after is null ? null : (_, x) => after.Add(x.clone().DetachFromDisposeScope()),
        };
        return new StableUnClipDecoder(parts, this).DrawLatents(condition, context, new DecoderConditions(condition), run, noise);
    }

    /// <summary>Pictures of latents, as numbers.</summary>
    /// <param name="latents">[batch, channels, h, w], scaled.</param>
    /// <returns>[batch, 3, h, w] in [0, 1]</returns>
    public Tensor DecodePixels(Tensor latents)
    {
        using var scope = NewDisposeScope();
        return parts.Vae.Decode(parts.Vae.Unscale(latents)).div(2).add(0.5).clamp(0, 1).MoveToOuterDisposeScope();
    }

    /// <summary>Pictures of latents.</summary>
    public RgbImage[] Decode(Tensor latents)
    {
        using var pixels = DecodePixels(latents);
        return ImageTensors.ToImages(pixels);
    }

    /// <summary>Image embeddings of pictures.</summary>
    /// <returns>[batch, features], not normalised</returns>
    public Tensor EncodeImages(IReadOnlyList<RgbImage> pictures)
    {
        var (encoder, processor) = (parts.ImageEncoder, parts.ImageProcessor);
        if (encoder is null || processor is null) throw new InvalidOperationException($"{parts.Folder.Path} has no image encoder.");
        using var scope = NewDisposeScope();
        var size = encoder.Config.ImageSize;
        var pixels = tensor(pictures.SelectMany(processor.Prepare).ToArray(), [pictures.Count, 3, size, size]);
        return encoder.Project(encoder.Encode(pixels).Pooled).MoveToOuterDisposeScope();
    }

    private static Tensor Ids(int[][] rows) => tensor(rows.SelectMany(r => r.Select(id => (long)id)).ToArray(), [rows.Length, rows[0].Length]);
}
