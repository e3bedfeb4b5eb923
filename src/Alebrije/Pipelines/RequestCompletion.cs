using Alebrije.Models.Guesses;
using Alebrije.Pipelines.Denoising;

namespace Alebrije.Pipelines;

/// <summary>Completion of requests for a model: defaults for open fields, and an error for values that it does not support.</summary>
/// <param name="name">The model's name.</param>
/// <param name="embedder">Towers and priors; null for models that draw from text alone.</param>
/// <param name="stages">The decoder, and the stages that enlarge its images.</param>
/// <param name="hasScores">True if CLIP scores images.</param>
internal sealed class RequestCompletion(string name, PriorStage? embedder, DrawingStages stages, bool hasScores)
{
    private readonly ImageDecoder decoder = stages.First;

    private DrawingTraits Traits => decoder.Traits;

    /// <summary>The request with the model's defaults for its open fields.</summary>
    /// <param name="request">The request.</param>
    /// <param name="promptNeeded">True refuses an empty prompt.</param>
    /// <param name="given">Conditions of a reference run in addition to the request; null for requests of users.</param>
    /// <exception cref="ArgumentException">The size is not one of the model's.</exception>
    public GenerationRequest Complete(GenerationRequest request, bool promptNeeded = true, DrawConditions? given = null)
    {
        request.Check(promptNeeded && !Traits.Enlarges);
        request = Sized(request, isChecked: given is null);
        var upsamples = Traits.AlwaysUpsamples || (request.Size is { } asked && asked == decoder.UpsampledSize) || IsStaged(request);
        if (request.UpsamplerSteps is not null && !upsamples)
        {
            throw new ArgumentException(stages.Sides.Count > 1
                ? $"Upsampler steps were given, but {name} draws {request.Size ?? Math.Min(request.Height!.Value, request.Width!.Value)} "
                    + $"pixels in its first stage alone; set size {string.Join(" or ", stages.Sides.Skip(1))}, or leave the steps out."
                : decoder.UpsampledSize is { } made
                ? $"Upsampler steps were given, but the upsampler of {name} "
                    + $"makes images of {made} pixels; set that size, or leave the steps out."
                : $"Upsampler steps were given, but {name} has no upsampler (component {Upsampler.First}); leave them out.");
        }

        var takesDepth = Traits.NeedsDepth;
        if (takesDepth && request.DepthMap is null && given?.Hint is null)
            throw new ArgumentException(
                $"{name} draws along a depth map: name the file of one (--depth-map), light where things are near.");
        if (!takesDepth && request.DepthMap is not null) throw new ArgumentException(
            $"{name} does not use a depth map; leave it out, or name a model that draws by one, such as kandinsky-2.2-controlnet-depth.");
        if (request.OnlyGuess && !Traits.HasGuess)
            throw new ArgumentException($"{name} has no first guess (component "
                + $"{FirstGuessConfig.Component}); leave --only-guess out, or name a model that has one, such as mini.");
        if (Traits.Enlarges && request.From is null && given?.Small is null)
            throw new ArgumentException($"{name} enlarges images: give it one (--from).");
        if (request.Mask is not null && (Traits.Enlarges || !Traits.TakesInitial))
            throw new ArgumentException($"{name} enlarges whole images: leave the mask out.");
        if (Traits.IsInpainting && promptNeeded && request.Mask is null)
            throw new ArgumentException($"{name} repaints parts of images: give it an image and a mask (inpaint).");
        if (request.Scheduler is { } sampler)
        {
            if (Traits.AlwaysUpsamples)
                throw new ArgumentException($"{name} samples its learned variances with its own sampler alone; leave --scheduler out.");
            request = request with { Scheduler = Diffusion.SamplerNames.Find(sampler) };
        }

        CheckAdapters(request);
        if (embedder is null) return WithoutPrior(request);
        if (request.ClipSkip is not null) throw new ArgumentException(
            $"{name} skips no blocks of its text encoder; leave --clip-skip out, or name a model of Stable Diffusion.");
        if (promptNeeded && request.Prior != PriorKind.None && embedder.Priors.Kinds.All(kind => kind == PriorKind.None))
            throw new InvalidOperationException(
                $"{name} has no prior: it varies images (vary), but draws none from text. Name a model that has one (--prior).");
        if (promptNeeded) embedder.Priors.Require(request.Prior);
        if (request.ClipGuidance is not null) embedder.RequireImages();
        return request with
        {
            Steps = request.Steps ?? Traits.Defaults.Steps,
            Guidance = request.Guidance ?? Traits.Defaults.Guidance,
            PriorSteps = request.PriorSteps ?? Traits.Defaults.PriorSteps,
            PriorGuidance = request.PriorGuidance ?? embedder.Priors.GuidanceOf(request.Prior) ?? Traits.Defaults.PriorGuidance,
            Strength = StrengthOf(request),
            UpsamplerSteps = upsamples ? request.UpsamplerSteps ?? Traits.Defaults.UpsamplerSteps : null,
        };
    }

    /// <summary>Opens LoRA and textual inversions, so that nothing is computed with files that do not fit.</summary>
    /// <exception cref="ArgumentException">The model takes none.</exception>
    /// <exception cref="Weights.WeightsException">One does not fit the model.</exception>
    private void CheckAdapters(GenerationRequest request)
    {
        var adapters = AdapterInputs.Of(request);
        var unwanted = adapters.Loras.Count > 0 ? "LoRA; leave --lora out"
            : adapters.Embeddings.Count > 0 ? "textual inversions; leave --embedding out"
            : request.LongPrompt ? "prompts in pieces; leave --long-prompt out" : null;
        if (unwanted is not null && !Traits.TakesAdapters)
            throw new ArgumentException($"{name} takes no {unwanted}, or name a model of Stable Diffusion.");
        decoder.Check(adapters);
    }

    /// <summary>A request of a model that draws from text without a prior.</summary>
    /// <exception cref="ArgumentException">It has options of a prior.</exception>
    private GenerationRequest WithoutPrior(GenerationRequest request)
    {
        if (request.Prior != PriorKind.Diffusion || request.PriorSteps is not null
            || request.PriorGuidance is not null || request.PriorCandidates != 1)
            throw new ArgumentException($"{name} draws from text without a prior; leave the options of a prior out.");
        if (request.ClipGuidance is not null && !hasScores)
            throw new ArgumentException($"{name} has no image encoder for "
                + $"CLIP guidance; name a CLIP that guides it (--judge clip-vit-l-14), or leave --clip-guidance out.");
        return request with { Steps = request.Steps ?? Traits.Defaults.Steps,
            Guidance = request.Guidance ?? Traits.Defaults.Guidance, Strength = StrengthOf(request) };
    }

    private double? StrengthOf(GenerationRequest request) =>
        request.From is null || Traits.Enlarges ? null : request.Strength ?? (request.Mask is null ? Traits.Defaults.Strength : 1);

    /// <summary>The request with its size: that of the initial image, or the model's own, where it is left open.</summary>
    /// <param name="request">The request.</param>
    /// <param name="isChecked">False leaves sizes that do not fit to the family, which rounds them up as the reference does.</param>
    /// <exception cref="ArgumentException">The size is not one of the model's.</exception>
    private GenerationRequest Sized(GenerationRequest request, bool isChecked)
    {
        if (request.Size is null && request.Height is null && request.Width is null && request.From is { } from)
        {
            var (height, width) = stages.SizeOf(from.Image);
            request = height == width ? request with { Size = height } : request with { Height = height, Width = width };
        }

        if (request.Height is null && request.Width is null) request = request with { Size = request.Size ?? stages.Sides[^1] };
        else request = request with { Height = request.Height ?? request.Size ?? Traits.Size,
            Width = request.Width ?? request.Size ?? Traits.Size, Size = null };
        if (!isChecked || IsStaged(request)) return request;
        RequireSize(request.Height ?? request.Size!.Value);
        RequireSize(request.Width ?? request.Size!.Value);
        return request;
    }

    /// <summary>True if the size is one that later stages make.</summary>
    private bool IsStaged(GenerationRequest request) =>
        stages.For(request.Height ?? request.Size!.Value, request.Width ?? request.Size!.Value).Count > 1;

    private void RequireSize(int size)
    {
        if (!Traits.HasFreeSize && size != Traits.Size)
            throw new ArgumentException($"The size {size} does not fit: {name} draws images of {Traits.Size} alone.");
        var step = Traits.SizeStep;
        if (size >= step && size % step == 0 && size <= GenerationRequest.MostSide) return;
        var below = Math.Clamp(size / step * step, step, GenerationRequest.MostSide);
        throw new ArgumentException(
            $"The size {size} does not fit: it has to be a multiple of "
                + $"{step} from {step} to {GenerationRequest.MostSide}; use "
                    + $"{below} or {Math.Min(below + step, GenerationRequest.MostSide)}. The model "
                        + $"was made for {Traits.Size}{(decoder.UpsampledSize is { } large ? $", and its upsampler for {large}" : "")}.");
    }
}
