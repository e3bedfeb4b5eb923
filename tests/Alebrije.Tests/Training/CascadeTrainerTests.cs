using Alebrije.Models.T5;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Imagen;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Training;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Both stages of a cascade of a few thousand parameters.</summary>
public sealed class CascadeTrainerTests : IDisposable
{
    private static readonly UNet2DConditionConfig Base = new()
    {
        SampleSize = [16], InChannels = 3, OutChannels = 6, DownBlockTypes = ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
        UpBlockTypes = ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"], MidBlockType = "UNetMidBlock2DSimpleCrossAttn",
        BlockOutChannels = [8, 16],
        LayersPerBlock = [1], NormNumGroups = 4, CrossAttentionDim = [16], AttentionHeadDim = [8], ResnetTimeScaleShift = "scale_shift",
        EncoderHidDim = 16, AdditionEmbedType = "text", AdditionEmbedTypeNumHeads = 2,
    };

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-cascade-").FullName;
    private readonly CaptionedScenes scenes;
    private string tokenizer = "";
    private readonly CascadeTrainingConfig config = new()
    {
        Stage1 = new()
        {
            Model = Base, TextEncoder = new T5Config { DModel = 16, DKv = 8, DFf = 32, NumLayers = 1, NumHeads = 2,
                FeedForwardProj = "gated-gelu" },
            Batch = 4, Samples = 24, WarmUp = 2, LearningRate = 3e-3, EmaDecay = 0.5, Optimizer = OptimizerMethod.Muon,
                Precision = Precision.Fp32, SaveMinutes = 0,
            EvaluateMinutes = 1e6, MeasuredScenes = 2, Unconditional = 0.3,
            Curriculum = [new(0.5, new CaptionedScenes.Options { OneObject = 1, TwoObjects = 0, ThreeObjects = 0, Counts = 0 }),
                new(0.5, new CaptionedScenes.Options())],
        },
        Stage2 = new()
        {
            Model = Base with { SampleSize = [64], InChannels = 6, ClassEmbedType = "timestep" }, Crop = 32, CropsUntil = 0.5, Batch = 4,
            Samples = 24, WarmUp = 2,
            LearningRate = 3e-3, EmaDecay = 0.5, Optimizer = OptimizerMethod.Muon, Precision = Precision.Fp32, SaveMinutes = 0,
            EvaluateMinutes = 1e6, MeasuredScenes = 2,
        },
    };

    public CascadeTrainerTests()
    {
        TorchRuntime.Initialize();
        scenes = new CaptionedScenes(World.Open());
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void BothStages_StoppedAndResumed_AreBitEqual_AndTheModelDraws()
    {
        var (whole, halted) = (Prepare("whole"), Prepare("halted"));
        var expected = Train(config, null, new TrainingOptions(whole), CancellationToken.None);
        Assert.Equal((12, true), (expected.Steps, expected.Finished));
        Assert.All(new[] { "v999_single", "v50_two", "v400_style", "stage2_psnr_db", "bilinear_psnr_db" },
            name => Assert.True(double.IsFinite(expected.Metrics[name]), name));
        Assert.True(File.Exists(Path.Combine(whole, "run-1", "samples", "0000006.png")));

        var first = Checkpoints.StopAfterTheFirst(halted, Path.Combine(halted, "run-1"),
            (options, stop) => Train(config, null, options, stop));
        Assert.False(first.Finished);
        Assert.InRange(first.Steps, 1, 5);
        var resumed = new TrainingOptions(halted) { Resume = true };
        Assert.Equal(6, Train(config, 1, resumed, CancellationToken.None).Steps);
        var later = Checkpoints.StopAfterTheFirst(halted, Path.Combine(halted, "run-2"),
            (options, stop) => Train(config, 2, options, stop));
        Assert.InRange(later.Steps, 1, 5);
        Assert.Equal(6, Train(config, 2, resumed, CancellationToken.None).Steps);
        foreach (var run in (string[])["run-1", "run-2"]) Checkpoints.AssertEqual(Path.Combine(whole, run), Path.Combine(halted, run));
        foreach (var file in (string[])["unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors",
            "stage-2/unet/diffusion_pytorch_model.safetensors"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(whole, "mini-cascade", file)),
                File.ReadAllBytes(Path.Combine(halted, "mini-cascade", file)));
        Assert.Throws<InvalidOperationException>(() => Train(config, 1, new TrainingOptions(whole), CancellationToken.None));

        var model = PipelineFolder.Open(Path.Combine(whole, "mini-cascade"));
        Assert.Equal("IFPipeline", model.ClassName);
        Assert.Equal("T5EncoderModel", ConfigFile.ClassName(model.Of("text_encoder")));
        var second = PipelineFolder.Open(Path.Combine(model.Path, "stage-2"));
        Assert.Equal(("IFSuperResolutionPipeline", false, true),
            (second.ClassName, second.Has("text_encoder"), second.Has("image_noising_scheduler")));
        using var pipeline = ImagePipeline.Load(model.Path);
        var result = pipeline.Generate(new GenerationRequest { Prompt = "a red car", Seed = 4, Steps = 3 },
            cancellation: TestContext.Current.CancellationToken);
        Assert.Equal((64, 64, 3.0), (result.Image.Width, result.Image.Height, result.Request.Guidance));
        Assert.NotEqual(
            result.Image.Pixels,
            pipeline.Generate(new GenerationRequest { Prompt = "a lion", Seed = 4, Steps = 3 },
                cancellation: TestContext.Current.CancellationToken).Image.Pixels);
    }

    [Fact]
    public void Stage1_ErrorOfTheVelocity_FallsWithTraining_AndAStartGoesOnFromIt()
    {
        var plan = config with
        {
            Stage1 = config.Stage1 with { Batch = 8, SaveMinutes = 1e6, MeasuredScenes = 16, Curriculum = null, Unconditional = 0.1 },
        };
        var early = Train(plan with { Stage1 = plan.Stage1 with { Samples = 8, LearningRate = 0 } }, 1,
            new TrainingOptions(Prepare("early")), CancellationToken.None).Metrics;
        var late = Train(plan with { Stage1 = plan.Stage1 with { Samples = 8 * 40 } }, 1, new TrainingOptions(Prepare("late")),
            CancellationToken.None).Metrics;
        foreach (var level in (string[])["v999_single", "v600_two", "v200_style"]) Assert.True(late[level] < 0.85 * early[level],
            $"{level}: {early[level]} to {late[level]}");

        var start = Path.Combine(folder, "late", "mini-cascade");
        var further = plan with { Stage1 = plan.Stage1 with { Start = start, Samples = 8, LearningRate = 0, EmaDecay = 0 } };
        var metrics = Train(further, 1, new TrainingOptions(Prepare("further")), CancellationToken.None).Metrics;
        Assert.Equal(late["v600_single"], metrics["v600_single"], 0.02 * late["v600_single"]);
    }

    [Fact]
    public void Configurations_ThatDoNotFit_AreRefusedInOneSentence()
    {
        AssertRefused(config with { Stage1 = config.Stage1 with { Model = Base with { OutChannels = 3 } } }, 1, "set them to 3 and 6");
        AssertRefused(config with { Stage1 = config.Stage1 with { Model = Base with { SampleSize = [17] } } }, 1, "multiples of 2");
        AssertRefused(config with { Stage2 = config.Stage2 with { Crop = 30 } }, null, "crop is 30");
        AssertRefused(config with { Stage2 = config.Stage2 with { Model = config.Stage2.Model with { ClassEmbedType = null } } }, 2,
            "class_embed_type");
        AssertRefused(config with { Stage1 = config.Stage1 with { Curriculum = [new(0.5, new())] } }, 1, "add up to 1");
        Assert.Contains(
            "no folder", Assert.Throws<CheckpointNotFoundException>(() =>
                Train(config, 2, new TrainingOptions(Path.Combine(folder, "none")), CancellationToken.None)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Published_Configuration_IsOfTheWantedSize()
    {
        var file = Path.Combine(Repository.Root, "training", "mini", "cascade.json");
        var read = ConfigFile.Read<CascadeTrainingConfig>(file, unknownKeysAllowed: false);
        read.Stage1.Check();
        read.Stage2.Check();
        using var meta = Alebrije.Nn.WeightInit.OnMeta();
        using var scope = NewDisposeScope();
        using var first = new CascadeNetwork(read.Stage1.Model, read.Stage1.TextEncoder with { VocabSize = read.Stage1.VocabularySize });
        using var second = new UNet2DConditionModel(read.Stage2.Model);
        Assert.InRange(first.parameters().Sum(p => p.numel()), 7_000_000, 10_000_000);
        Assert.InRange(second.parameters().Sum(p => p.numel()), 3_000_000, 4_500_000);
        Assert.Equal(read.Stage2.Side, CascadeLaterPlan.Factor * read.Stage1.Side);
    }

    private void AssertRefused(CascadeTrainingConfig refused, int? stage, string says) => Assert.Contains(
        says, Assert.Throws<WeightsException>(() =>
            Train(refused, stage, new TrainingOptions(Path.Combine(folder, "refused")), CancellationToken.None)).Message,
                StringComparison.Ordinal);

    private TrainingResult Train(CascadeTrainingConfig plan, int? stage, TrainingOptions options, CancellationToken stop) =>
        CascadeRuns.Train(plan, scenes, stage, options, stop);

    /// <summary>A folder with a tokenizer of few captions, so that no run reads forty thousand.</summary>
    private string Prepare(string name)
    {
        var path = Path.Combine(folder, name);
        if (tokenizer.Length == 0)
        {
            var texts = scenes.Corpus(400).Where((_, i) => i % 8 == 0).Select(text => ImagenTexts.Prepare(text, clean: true));
            UnigramTrainer.Save(UnigramTrainer.Train(texts, 800), tokenizer = Path.Combine(folder, "tokenizer"), ImagenTexts.Tokens);
        }

        var target = Directory.CreateDirectory(Path.Combine(path, "run-1", "tokenizer")).FullName;
        foreach (var file in Directory.GetFiles(tokenizer)) File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        return path;
    }
}
