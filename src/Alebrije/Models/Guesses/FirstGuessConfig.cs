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
    public int EmbeddingDim { get; init; } = 256;

    /// <summary>Residual blocks that finish the placed slots.</summary>
    public int LayersPerBlock { get; init; } = 1;

    /// <summary>Width of an attention head.</summary>
    public int AttentionHeadDim { get; init; } = 32;

    /// <summary>Groups of the normalisation.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Blocks of the transformer that reads the objects.</summary>
    public int ReaderLayers { get; init; } = 2;

    /// <summary>Objects of a picture at most, 1 to 4.</summary>
    public int Slots { get; init; } = 4;

    /// <summary>Width of the network that renders a slot.</summary>
    public int SlotWidth { get; init; } = 624;

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

    /// <exception cref="ArgumentException">The sizes are inconsistent.</exception>
    internal void Check()
    {
        if (AttentionHeadDim < 1 || CrossAttentionDim % AttentionHeadDim != 0)
            throw new ArgumentException($"attention_head_dim {AttentionHeadDim} must divide cross_attention_dim {CrossAttentionDim}.");
        int[] sizes = [Slots, SlotWidth, SlotSide, SlotChannels, SlotLayouts, FinishChannels, LayersPerBlock, ReaderLayers];
        if (sizes.Min() < 1 || Slots > MostSlots)
            throw new ArgumentException($"slots {Slots}, slot_width {SlotWidth}, slot_side {SlotSide}, "
                + $"slot_channels {SlotChannels}, slot_layouts {SlotLayouts}, finish_channels {FinishChannels}, layers_per_block "
                    + $"{LayersPerBlock} and reader_layers {ReaderLayers} must be at least 1, and slots at most {MostSlots}.");
        if (SlotConcepts is < 1 or > MostConcepts)
            throw new ArgumentException($"slot_concepts is {SlotConcepts}, but must be between 1 and {MostConcepts}.");
    }
}
