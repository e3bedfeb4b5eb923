using Alebrije.Models.Flamingo;
using Alebrije.Models.T5;
using Alebrije.Models.UNets;
using Alebrije.Tests.Pipelines;
using Alebrije.Tests.Training;
using Alebrije.Training;
using Alebrije.Weights;

namespace Alebrije.Benchmarks;

/// <summary>Training runs of every kind, of a few thousand parameters and ten steps, saved after each: words of their commands.</summary>
internal static class TinyRuns
{
    private const int Batch = 4, Samples = 40;

    private static readonly UNet2DConditionConfig Pixels = new()
    {
        SampleSize = [16], InChannels = 3, OutChannels = 6, DownBlockTypes = ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
        UpBlockTypes = ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"], MidBlockType = "UNetMidBlock2DSimpleCrossAttn",
        BlockOutChannels = [8, 16],
        LayersPerBlock = [1], NormNumGroups = 4, CrossAttentionDim = [16], AttentionHeadDim = [8], ResnetTimeScaleShift = "scale_shift",
        EncoderHidDim = 16, AdditionEmbedType = "text", AdditionEmbedTypeNumHeads = 2,
    };

    /// <summary>Writes their configurations, and the untrained models that they begin with.</summary>
    /// <param name="root">A folder.</param>
    /// <param name="classes">Folder of folders of images.</param>
    /// <returns>Kind and command of each, without its folder.</returns>
    public static IReadOnlyList<(string Kind, string[] Command)> Write(string root, string classes)
    {
        var scenes = CaptionedScenes.Open();
        string In(params string[] names) => Path.Combine([root, .. names]);
        TinyParts.WriteClipRun(In("clip"), scenes);
        TinyParts.WriteAutoencoder(In("autoencoder", "vae"));
        TinyParts.WritePrior(In("prior"));
        TinyParts.WriteGuess(In("guess"));
        var (clip, autoencoder) = (In("clip"), In("autoencoder", "vae"));
        var prior = TinyParts.Prior;
        (string Kind, string Name, object Config)[] runs =
        [
            ("clip", "clip", Small(new ClipTrainingConfig { Model = TinyParts.Clip, VocabularySize = 600, Names = 8, WarmUp = 2 })),
            ("autoencoder", "autoencoder",
                Small(new AutoencoderTrainingConfig { Model = TinyParts.Autoencoder, Crop = 16, CropsUntil = 0.7, WarmUp = 2 })),
            ("prior --kind diffusion", "prior",
                Small(new PriorTrainingConfig { Clip = clip, Model = prior, NoiseLevels = 2, Fitted = 64 })),
            ("prior --kind linear", "linear", Small(new LinearPriorTrainingConfig { Clip = clip, Fitted = 64 })),
            ("guess", "guess", Small(new GuessTrainingConfig { Clip = clip, Autoencoder = autoencoder, Prior = In("prior"),
                PriorShare = 0.5, PriorSteps = 2, Model = TinyParts.Guess, Fitted = 64, Uses = 2, Window = 12 })),
            ("decoder", "decoder", Small(new DecoderTrainingConfig { Clip = clip, Autoencoder = autoencoder, Guess = In("guess"),
                Model = TinyParts.Decoder with { InChannels = 2 * TinyParts.Latents }, Fitted = 64, Uses = 2, Window = 8 })),
            ("upsampler", "upsampler", Small(new UpsamplerTrainingConfig { Autoencoder = autoencoder, Model = TinyUpsampler.Config,
                CropsPerPicture = 2, Crop = 16, CropsUntil = 0.7, Steps = 2 })),
            ("cascade", "cascade", new CascadeTrainingConfig
            {
                Stage1 = Small(new CascadeBasePlan { Model = Pixels, TextEncoder = new T5Config { DModel = 16, DKv = 8, DFf = 32,
                    NumLayers = 1, NumHeads = 2, FeedForwardProj = "gated-gelu" } }),
                Stage2 = Small(new CascadeLaterPlan { Model = Pixels with { SampleSize = [64], InChannels = 6,
                    ClassEmbedType = "timestep" }, Crop = 32, CropsUntil = 0.5 }),
            }),
            ("flamingo", "flamingo", new FlamingoTrainingConfig
            {
                Stage1 = Small(new FlamingoLanguagePlan { VocabularySize = 700, MostScenes = 2, Model = new GptNeoXConfig { HiddenSize = 32,
                    IntermediateSize = 64, NumAttentionHeads = 2, NumHiddenLayers = 2, MaxPositionEmbeddings = 160,
                    TieWordEmbeddings = true } }),
                Stage2 = Small(new FlamingoImagePlan { Clip = clip, MostScenes = 2, Window = 8, Uses = 2, MeasuredScenes = 1,
                    Model = new FlamingoConfig { Latents = 4, ResamplerLayers = 1, Heads = 2, HeadWidth = 8, FfMult = 2 } }),
            }),
        ];
        foreach (var run in runs) ConfigFile.Write(In(run.Name + ".json"), run.Config);
        return
        [
            .. runs.Select(run => (run.Kind, (string[])["train", .. run.Kind.Split(' '), "--config", In(run.Name + ".json")])),
            ("classifier", ["train", "classifier", "--images", classes, "--model", clip, "--epochs", "2", "--batch", "4"]),
        ];
    }

    private static T Small<T>(T plan) where T : TrainingPlan => plan with
    {
        Batch = Batch, Samples = Samples, WarmUp = 2, EmaDecay = 0.5, Precision = Alebrije.Tensors.Precision.Fp32, SaveMinutes = 0,
        EvaluateMinutes = 1e6,
    };
}
