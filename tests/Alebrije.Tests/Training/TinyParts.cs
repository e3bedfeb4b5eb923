using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.Guesses;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Training;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Networks of a few thousand parameters, in the shapes of the real ones.</summary>
internal static class TinyParts
{
    public const int Features = 16, Tokens = 16, Side = 32, Latents = 4;

    public static ClipConfig Clip { get; } = new()
    {
        ProjectionDim = Features,
        TextConfig = new()
        {
            VocabSize = 600, HiddenSize = Features, IntermediateSize = 32,
            ProjectionDim = Features, NumHiddenLayers = 1, NumAttentionHeads = 2,
            MaxPositionEmbeddings = Tokens, HiddenAct = "gelu",
        },
        VisionConfig = new()
        {
            HiddenSize = Features, IntermediateSize = 32, ProjectionDim = Features,
            NumHiddenLayers = 1, NumAttentionHeads = 2, ImageSize = Side, PatchSize = 8,
            HiddenAct = "gelu",
        },
    };

    public static AutoencoderKLConfig Autoencoder { get; } = new()
    {
        DownBlockTypes = ["DownEncoderBlock2D", "DownEncoderBlock2D"], UpBlockTypes = ["UpDecoderBlock2D", "UpDecoderBlock2D"],
        BlockOutChannels = [8, 8], LatentChannels = Latents, NormNumGroups = 4,
        SampleSize = Side, MidBlockAddAttention = false, ScalingFactor = 1,
    };

    public static PriorTransformerConfig Prior { get; } = new()
    {
        NumAttentionHeads = 2, AttentionHeadDim = 8, NumLayers = 1, EmbeddingDim = Features, NumEmbeddings = Tokens,
    };

    public static UNet2DConditionConfig Decoder { get; } = new()
    {
        SampleSize = [Side / 2], InChannels = Latents, OutChannels = Latents, DownBlockTypes = ["DownBlock2D", "CrossAttnDownBlock2D"],
        UpBlockTypes = ["CrossAttnUpBlock2D", "UpBlock2D"], BlockOutChannels = [8, 16],
        LayersPerBlock = [1], NormNumGroups = 4, CrossAttentionDim = [Features],
        AttentionHeadDim = [2], ClassEmbedType = "projection", ProjectionClassEmbeddingsInputDim = 2 * Features,
    };

    public static FirstGuessConfig Guess { get; } = new()
    {
        SampleSize = Side / 2, OutChannels = Latents, ConditionDim = 2 * Features,
        CrossAttentionDim = Features, EmbeddingDim = 16, AttentionHeadDim = 8, NormNumGroups = 4,
        Slots = 2, SlotConcepts = 4, SlotWidth = 32, SlotSide = 8, SlotChannels = 8, FinishChannels = 16,
    };

    /// <summary>Writes an untrained first guess's folder below a run's.</summary>
    public static void WriteGuess(string run, ulong seed = 5)
    {
        using var scope = NewDisposeScope();
        using var network = new FirstGuessModel(Guess);
        SeededInit.Apply(network, seed);
        PriorExport.Write(Path.Combine(run, FirstGuessConfig.Component), network, Guess, FirstGuessConfig.ClassName);
    }

    /// <summary>Writes an untrained diffusion prior's folder below a run's.</summary>
    public static void WritePrior(string run)
    {
        using var scope = NewDisposeScope();
        using var network = new PriorTransformer(Prior);
        SeededInit.Apply(network, 6);
        PriorExport.Write(Path.Combine(run, "prior"), network, Prior, "PriorTransformer");
    }

    /// <summary>Writes the folders of an untrained CLIP run: <c>clip/</c> and <c>tokenizer/</c>.</summary>
    public static void WriteClipRun(string folder, CaptionedScenes scenes)
    {
        WriteTokenizer(folder, scenes);
        var tokenizer = ClipTokenizer.Load(Path.Combine(folder, "tokenizer"));
        var config = Clip with
        {
            TextConfig = Clip.TextConfig with
            {
                VocabSize = tokenizer.VocabularySize, BosTokenId = tokenizer.StartId,
                EosTokenId = tokenizer.EndId, PadTokenId = tokenizer.PadId,
            },
        };
        using var scope = NewDisposeScope();
        using var network = new ClipNetwork(config);
        SeededInit.Apply(network, 1);
        SafeTensorsWriter.Write(Path.Combine(folder, "clip", "model.safetensors"), network.state_dict());
        ConfigFile.Write(Path.Combine(folder, "clip", "config.json"), config);
    }

    /// <summary>Writes a vocabulary of few captions, so that no run reads sixty thousand.</summary>
    public static void WriteTokenizer(string folder, CaptionedScenes scenes) =>
        BpeTrainer.Train(scenes.Corpus(400).Where((_, i) => i % 8 == 0), 600).Save(Path.Combine(folder, "tokenizer"), Tokens);

    /// <summary>Writes an untrained autoencoder's folder.</summary>
    public static void WriteAutoencoder(string folder)
    {
        using var scope = NewDisposeScope();
        using var network = new AutoencoderKL(Autoencoder);
        SeededInit.Apply(network, 2);
        LatentScaling.Export(folder, network, (new double[Latents], [.. Enumerable.Repeat(1.0, Latents)]));
    }
}
