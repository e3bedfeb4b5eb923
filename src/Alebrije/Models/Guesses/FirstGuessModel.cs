using Alebrije.Nn;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Guesses;

/// <summary>config.json of a <see cref="FirstGuessModel"/>: a component specific to this project, absent from published folders.</summary>
internal sealed record FirstGuessConfig
{
    /// <summary>The class in config.json and in model_index.json.</summary>
    public const string ClassName = "FirstGuessModel";

    /// <summary>Most slots: objects of a scene.</summary>
    public const int MostSlots = 4;

    /// <summary>Most concepts: all whole numbers up to it are exact in half precision.</summary>
    private const int MostConcepts = 2048;

    /// <summary>Name of the component's folder.</summary>
    public const string Component = "first_guess";

    /// <summary>Side of the latents.</summary>
    public int SampleSize { get; init; } = 16;

    /// <summary>Channels of the latents.</summary>
    public int OutChannels { get; init; } = 8;

    /// <summary>Width of the condition: image embedding and noise level code, half each, as in the denoiser's class embedding.</summary>
    public int ConditionDim { get; init; } = 512;

    /// <summary>Width of a text encoding.</summary>
    public int CrossAttentionDim { get; init; } = 256;

    /// <summary>Width of the vector that conditions all residual blocks.</summary>
    public int EmbeddingDim { get; init; } = 320;

    /// <summary>Channels of the levels, the coarsest first; each level has twice the side of the one before it.</summary>
    public int[] BlockOutChannels { get; init; } = [224, 128];

    /// <summary>Residual blocks of a level, each followed by attention to the text.</summary>
    public int LayersPerBlock { get; init; } = 1;

    /// <summary>Width of an attention head.</summary>
    public int AttentionHeadDim { get; init; } = 32;

    /// <summary>Side of the patch of latents that a position of the finest level predicts.</summary>
    public int PatchSize { get; init; } = 2;

    /// <summary>Groups of the normalisation.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Objects that are rendered apart and placed (<see cref="SlotGuess"/>); 0: levels of convolutions.</summary>
    public int Slots { get; init; }

    /// <summary>Width of the network that renders a slot.</summary>
    public int SlotWidth { get; init; } = 624;

    /// <summary>Residual blocks of the network that renders a slot.</summary>
    public int SlotBlocks { get; init; } = 2;

    /// <summary>Concepts among which a slot's object is chosen, at most 2,048.</summary>
    public int SlotConcepts { get; init; }

    /// <summary>Layouts among which that of the objects is chosen.</summary>
    public int SlotLayouts { get; init; } = 8;

    /// <summary>Side of the canvas that a slot is rendered on, in latents.</summary>
    public int SlotSide { get; init; } = 12;

    /// <summary>Features of a position of the canvas.</summary>
    public int SlotChannels { get; init; } = 16;

    /// <summary>Channels of the residual blocks that finish the placed slots.</summary>
    public int FinishChannels { get; init; } = 64;

    /// <summary>Positions at which a matrix of the network is used, for estimates.</summary>
    internal double Positions => Slots > 0 ? Slots : Math.Pow(SampleSize / PatchSize, 2);

    /// <summary>Side of the coarsest level.</summary>
    internal int FirstSide => SampleSize / PatchSize >> (BlockOutChannels.Length - 1);

    /// <exception cref="ArgumentException">The sizes are inconsistent.</exception>
    internal void Check()
    {
        if (Slots > 0)
        {
            if (CrossAttentionDim % AttentionHeadDim != 0)
                throw new ArgumentException(
                    $"attention_head_dim {AttentionHeadDim} must divide cross_attention_dim {CrossAttentionDim}.");
            int[] sizes = [SlotWidth, SlotBlocks, SlotSide, SlotChannels, SlotLayouts, FinishChannels, LayersPerBlock];
            if (sizes.Min() < 1 || Slots > MostSlots)
                throw new ArgumentException($"slot_width {SlotWidth}, slot_blocks {SlotBlocks}, slot_side {SlotSide}, slot_channels "
                    + $"{SlotChannels}, slot_layouts {SlotLayouts}, finish_channels {FinishChannels} and layers_per_block {LayersPerBlock} "
                        + $"must be at least 1, and slots ({Slots}) at most {MostSlots}.");
            if (SlotConcepts is < 1 or > MostConcepts)
                throw new ArgumentException($"slot_concepts is {SlotConcepts}, but must be between 1 and {MostConcepts}.");
            return;
        }

        if (BlockOutChannels.Length == 0 || FirstSide < 1 || FirstSide << (BlockOutChannels.Length - 1) != SampleSize / PatchSize
            || SampleSize % PatchSize != 0)
            throw new ArgumentException($"{BlockOutChannels.Length} levels with patches of {PatchSize} "
                + $"do not lead to latents of side {SampleSize}: the side must be the patch times 2^(levels - 1) times a whole number.");
        if (BlockOutChannels.Any(channels => channels % AttentionHeadDim != 0))
            throw new ArgumentException(
                $"attention_head_dim {AttentionHeadDim} must divide block_out_channels {string.Join(", ", BlockOutChannels)}.");
    }
}

/// <summary>Errors of a first guess.</summary>
/// <param name="Latents">Mean squared error of the latents.</param>
/// <param name="Objects">Error of the predicted objects and places; null for networks without slots.</param>
internal sealed record GuessErrors(Tensor Latents, Tensor? Objects)
{
    /// <summary>Share of the objects whose concept is right, 0 to 1; null for networks without slots.</summary>
    public Tensor? Named { get; init; }

    /// <summary>The sum.</summary>
    public Tensor Total => Objects is null ? Latents : Latents + Objects;
}

/// <summary>
/// Regression from image embedding and text to latents: the mean of a denoiser's samples, in one pass. The output is concatenated to the
/// denoiser's noisy latents (as Kandinsky 2.2's ControlNet stacks its hint onto the sample), or decoded as it is.
/// </summary>
internal abstract class FirstGuessModel : nn.Module<Tensor, Tensor, Tensor>
{
    private protected readonly LayerNormLayer embedding_norm;
    private protected readonly LinearLayer context_proj;

    /// <exception cref="ArgumentException">The sizes are inconsistent.</exception>
    private protected FirstGuessModel(FirstGuessConfig config) : base(nameof(FirstGuessModel))
    {
        config.Check();
        Config = config;
        embedding_norm = Layers.LayerNorm(config.ConditionDim / 2);
        context_proj = Layers.Linear(config.ConditionDim, config.CrossAttentionDim);
    }

    /// <summary>Configuration of the network.</summary>
    public FirstGuessConfig Config { get; }

    /// <summary>The network of a configuration.</summary>
    /// <exception cref="ArgumentException">The sizes are inconsistent.</exception>
    public static FirstGuessModel Create(FirstGuessConfig config) =>
        config.Slots > 0 ? new SlotGuess(config) : new ConvolutionGuess(config);

    /// <param name="condition">[batch, condition width]: image embedding on CLIP's scale and noise level code; zeros if omitted.</param>
    /// <param name="text">[batch, tokens, context width] text encodings.</param>
    /// <returns>[batch, out channels, side, side] scaled latents.</returns>
    public sealed override Tensor forward(Tensor condition, Tensor text)
    {
        if (condition.dim() != 2 || condition.shape[1] != Config.ConditionDim)
            throw new ArgumentException(
                $"The condition is [{string.Join(", ", condition.shape)}], but the first guess takes [batch, {Config.ConditionDim}].");
        using var scope = NewDisposeScope();
        var (pooled, context) = Join(condition, text);
        return Guess(pooled, context).MoveToOuterDisposeScope();
    }

    /// <summary>Errors that training reduces, means over the batch.</summary>
    /// <param name="given">Condition and text as in <see cref="forward"/>.</param>
    /// <param name="latents">[batch, out channels, side, side] float32: the scenes' latents.</param>
    /// <param name="objects">[batch, objects, 5] float32: see <see cref="SlotGuess.ObjectNumbers"/>.</param>
    public GuessErrors Errors((Tensor Condition, Tensor Text) given, Tensor latents, Tensor objects)
    {
        var (pooled, context) = Join(given.Condition, given.Text);
        return Errors(pooled, context, latents, objects);
    }

    /// <summary>Error of objects and places as read from texts without an image embedding; null for networks without slots.</summary>
    /// <param name="text">As in <see cref="forward"/>.</param>
    /// <param name="objects">[batch, objects, 5] float32: see <see cref="SlotGuess.ObjectNumbers"/>.</param>
    public Tensor? ReadingError(Tensor text, Tensor objects)
    {
        var (pooled, context) = Join(zeros(text.shape[0], Config.ConditionDim).to(text.dtype), text);
        return ReadingError(pooled, context, objects);
    }

    private protected (Tensor Pooled, Tensor Context) Join(Tensor condition, Tensor text)
    {
        var halves = condition.chunk(2, dim: 1);
        var normed = cat([embedding_norm.call(halves[0]), halves[1]], dim: 1);
        return (cat([normed, text.mean([1])], dim: 1), cat([context_proj.call(normed).unsqueeze(1), text], dim: 1));
    }

    private protected virtual GuessErrors Errors(Tensor pooled, Tensor context, Tensor latents, Tensor objects) =>
        new((Guess(pooled, context).to(ScalarType.Float32) - latents).square().mean(), null);

    private protected virtual Tensor? ReadingError(Tensor pooled, Tensor context, Tensor objects) => null;

    /// <param name="pooled">[batch, condition width + context width]: the condition, normalised, and the mean of the text.</param>
    /// <param name="context">[batch, 1 + tokens, context width]: the condition and the text.</param>
    /// <returns>[batch, out channels, side, side]</returns>
    private protected abstract Tensor Guess(Tensor pooled, Tensor context);
}
