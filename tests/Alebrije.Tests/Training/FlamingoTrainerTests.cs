using Alebrije.Datasets;
using Alebrije.Models.Flamingo;
using Alebrije.Nn;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Training;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Both stages of a Flamingo of a few thousand parameters, and the texts that they learn.</summary>
public sealed class FlamingoTrainerTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-flamingo-").FullName;
    private readonly CaptionedScenes scenes;
    private readonly FlamingoTrainingConfig config;

    public FlamingoTrainerTests()
    {
        TorchRuntime.Initialize();
        scenes = new CaptionedScenes(World.Open());
        TinyParts.WriteClipRun(Path.Combine(folder, "clip"), scenes);
        config = new FlamingoTrainingConfig
        {
            Stage1 = new()
            {
                Model = new GptNeoXConfig
                {
                    HiddenSize = 32, IntermediateSize = 64, NumAttentionHeads = 2, NumHiddenLayers = 2, MaxPositionEmbeddings = 160,
                    TieWordEmbeddings = true,
                },
                VocabularySize = 700, MostScenes = 2, Batch = 4, Samples = 40, WarmUp = 2, LearningRate = 5e-3, EmaDecay = 0.5,
                Optimizer = OptimizerMethod.Muon, Precision = Precision.Fp32, SaveMinutes = 0, EvaluateMinutes = 1e6,
            },
            Stage2 = new()
            {
                Clip = Path.Combine(folder, "clip"),
                Model = new FlamingoConfig { Latents = 4, ResamplerLayers = 1, Heads = 2, HeadWidth = 8, FfMult = 2 },
                MostScenes = 2, Batch = 4, Samples = 40, WarmUp = 2, LearningRate = 5e-3, EmaDecay = 0.5, Window = 8, Uses = 2,
                MeasuredScenes = 1,
                Optimizer = OptimizerMethod.Muon, Precision = Precision.Fp32, SaveMinutes = 0, EvaluateMinutes = 1e6,
            },
        };
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void BothStages_StoppedAndResumed_AreBitEqual_AndTheModelCaptions()
    {
        var (whole, halted) = (Path.Combine(folder, "whole"), Path.Combine(folder, "halted"));
        var measured = config with { Stage2 = config.Stage2 with { MeasuredScenes = 2 } };
        var expected = Train(measured, null, new TrainingOptions(whole), CancellationToken.None);
        Assert.Equal((20, true), (expected.Steps, expected.Finished));
        Assert.All(new[] { "language_loss", "image_loss", "object", "color", "count", "gate_0" },
            name => Assert.True(double.IsFinite(expected.Metrics[name]), name));

        var first = Checkpoints.StopAfterTheFirst(halted, Path.Combine(halted, "run-1"),
            (options, stop) => Train(measured, null, options, stop));
        Assert.InRange(first.Steps, 1, 9);
        var resumed = new TrainingOptions(halted) { Resume = true };
        Assert.Equal(10, Train(measured, 1, resumed, CancellationToken.None).Steps);
        var later = Checkpoints.StopAfterTheFirst(halted, Path.Combine(halted, "run-2"),
            (options, stop) => Train(measured, 2, options, stop));
        Assert.InRange(later.Steps, 1, 9);
        Assert.Equal(10, Train(measured, 2, resumed, CancellationToken.None).Steps);
        foreach (var run in (string[])["run-1", "run-2"]) Checkpoints.AssertEqual(Path.Combine(whole, run), Path.Combine(halted, run));
        foreach (var file in (string[])["checkpoint.safetensors", "language/model.safetensors", "language/tokenizer.json"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(whole, "mini-flamingo", file)),
                File.ReadAllBytes(Path.Combine(halted, "mini-flamingo", file)));

        using var model = FlamingoPipeline.Load(Path.Combine(whole, "mini-flamingo"));
        Assert.Equal((160, 2), (model.ContextLength, model.MaxImages));
        var (image, other) = (new RgbImage(32, 32), new RgbImage(128, 128, scenes.Draw(scenes.Scene(3, 1, new())).Pixels));
        var shots = new[] { new FlamingoShot(other, "a lion") };
        var stop = TestContext.Current.CancellationToken;
        var options = new FlamingoOptions { Beams = 1, MaxTokens = 6 };
        var answer = model.Generate(FlamingoPrompt.Caption(image, shots), options, cancellation: stop);
        Assert.InRange(answer.Tokens.Count, 1, 6);
        Assert.NotEqual(model.Score(FlamingoPrompt.Caption(image), ["a lion"], stop),
            model.Score(FlamingoPrompt.Caption(other), ["a lion"], stop));
    }

    [Fact]
    public void Losses_FallWithTraining()
    {
        FlamingoTrainingConfig Of(int samples, double rate) => config with
        {
            Stage1 = config.Stage1 with { Samples = samples, LearningRate = rate, SaveMinutes = 1e6, Batch = 16 },
            Stage2 = config.Stage2 with { Samples = samples, LearningRate = rate, SaveMinutes = 1e6, Batch = 16, Window = 64 },
        };
        var early = Train(Of(16, 0), null, new TrainingOptions(Path.Combine(folder, "early")), CancellationToken.None).Metrics;
        var late = Train(Of(16 * 60, 5e-3), 1, new TrainingOptions(Path.Combine(folder, "late")), CancellationToken.None).Metrics;
        Assert.True(late["language_loss"] < 0.75 * early["language_loss"], $"{early["language_loss"]} to {late["language_loss"]}");
        var unseen = Train(Of(16, 0), 2, new TrainingOptions(Path.Combine(folder, "late")), CancellationToken.None).Metrics;
        Directory.Delete(Path.Combine(folder, "late", "run-2"), recursive: true);
        var seen = Train(Of(16 * 60, 5e-3), 2, new TrainingOptions(Path.Combine(folder, "late")), CancellationToken.None).Metrics;
        Assert.True(seen["image_loss"] < 0.95 * unseen["image_loss"], $"{unseen["image_loss"]} to {seen["image_loss"]}");
    }

    [Fact]
    public void Sequences_AreWhatGenerationWrites_WithLabelsOnAnswersAlone()
    {
        var path = Path.Combine(folder, "tokenizer");
        Directory.CreateDirectory(path);
        var texts = new[] { "a lion on a red background", "un león sobre un fondo rojo", "Question:How many? Short answer:two" };
        File.WriteAllText(Path.Combine(path, ByteLevelTokenizer.FileName),
            ByteLevelTrainer.Train(texts.SelectMany(text => Enumerable.Repeat(text, 3)), 600, FlamingoTexts.SpecialTokens));
        var tokenizer = ByteLevelTokenizer.Load(path);
        Assert.Equal(" lion", tokenizer.Decode([tokenizer.Encode("a lion")[^1]]));
        var made = new FlamingoTexts(scenes.World, tokenizer);
        var plan = config.Stage2 with { Captions = 1, Styles = 0, MostScenes = 5 };
        var described = Enumerable.Range(0, 5).Select(i => scenes.Scene(1, i, new CaptionedScenes.Options { SpanishShare = 0 })).ToArray();
        var sequence = Assert.Single(made.Sequences(described, 5, plan, 4));
        var text = string.Concat(sequence.Select(chunk => chunk.Prompt + chunk.Answer));
        var batch = made.Encode([sequence, sequence[..1]], learnsAll: false);
        var tokens = batch.Ids.Length / 2;
        Assert.Equal(tokenizer.Encode(text).Select(id => (long)id), batch.Ids.Take(tokens));
        var learnt = batch.Labels.Take(tokens).Where(id => id >= 0).Select(id => (int)id).ToArray();
        Assert.Equal(string.Concat(sequence.Select(chunk => chunk.Answer)), tokenizer.Decode(learnt, keepSpecial: true));
        Assert.All(batch.Labels.Skip(2 * tokens - 3), label => Assert.Equal(-100, label));

        var shots = sequence[..4].Select(chunk => new FlamingoShot(new RgbImage(8, 8), chunk.Answer)).ToArray();
        var lead = sequence[0].Prompt["<image>".Length..];
        Assert.StartsWith(FlamingoPrompt.Caption(new RgbImage(8, 8), shots, lead).Text, text, StringComparison.Ordinal);

        // The first answer in a style is learnt from nothing, the others from those before.
        var styled = Assert.Single(made.Sequences(described, 5, plan with { Captions = 0, Styles = 1 }, 4));
        Assert.Equal([false, true, true, true, true], styled.Select(chunk => chunk.IsLearnt));
    }

    [Fact]
    public void Styles_OfTraining_NeverHaveAHeldOutSeparator()
    {
        var random = new SeededRandom(1, 1, 1);
        for (var i = 0; i < 2000; i++)
        {
            Assert.False(AnswerStyle.IsHeldOut(AnswerStyle.Draw(Language.English, ref random).Between));
            Assert.True(AnswerStyle.IsHeldOut(AnswerStyle.DrawHeldOut(Language.Spanish, ref random).Between));
        }

        var scene = scenes.Scene(1, 2, new CaptionedScenes.Options
        {
            OneObject = 1, TwoObjects = 0, ThreeObjects = 0, Counts = 0, StyleShare = 0,
        });
        var style = new AnswerStyle(true, true, true, true, "seen: ", " => ", ".");
        Assert.Equal($"seen: {scene.Background.Name(Language.English)} => {scene.Objects[0].Concept.Name(Language.English)}.",
            style.Format(scene, Language.English));
    }

    [Fact]
    public void Questions_FitTheScene_InBothLanguages()
    {
        var counted = scenes.World.Scene(5, 3, new SceneOptions { OneObject = 0, TwoObjects = 0, ThreeObjects = 0, Counts = 1,
            Concepts = [World.Concept("lion")] });
        var number = SceneQuestions.Number(counted.Count, Language.English);
        Assert.Equal(new SceneQuestion("How many lions are there?", number), SceneQuestions.HowMany(counted, Language.English));
        Assert.Equal("¿Cuántos leones hay?", SceneQuestions.HowMany(counted, Language.Spanish).Question);
        Assert.Equal($"{number} lions", SceneQuestions.Things(counted, Language.English));

        var pair = scenes.World.Scene(5, 3, new SceneOptions { OneObject = 0, TwoObjects = 1, ThreeObjects = 0, Counts = 0,
            Concepts = [World.Concept("lion"), World.Concept("banana")], Relations = [SceneRelation.LeftOf] });
        var (left, right) = (pair.Objects[0].Concept.Name(Language.English), pair.Objects[1].Concept.Name(Language.English));
        var asked = new HashSet<SceneQuestion>();
        var random = new SeededRandom(2, 2, 2);
        for (var i = 0; i < 200; i++)
        {
            asked.Add(SceneQuestions.Draw(pair, Language.English, QuestionKind.Relation, World.Concept("bus"), ref random));
            asked.Add(SceneQuestions.Draw(pair, Language.Spanish, QuestionKind.Relation, World.Concept("bus"), ref random));
            asked.Add(SceneQuestions.Draw(pair, Language.English, QuestionKind.Object, World.Concept("bus"), ref random));
            asked.Add(SceneQuestions.Draw(pair, Language.Spanish, QuestionKind.Presence, World.Concept("bus"), ref random));
        }

        Assert.Contains(new SceneQuestion($"Where is the {left}?", $"to the left of the {right}"), asked);
        Assert.Contains(new SceneQuestion($"Where is the {right}?", $"to the right of the {left}"), asked);
        Assert.Contains(new SceneQuestion("What is on the right?", $"a {right}"), asked);
        Assert.Contains(asked, pair => pair.Question == "¿Dónde está el león?"
            && pair.Answer.EndsWith("plátano", StringComparison.Ordinal));
        Assert.Contains(new SceneQuestion("¿Hay un león?", "sí"), asked);
        Assert.Contains(asked, pair => pair is { Question: "¿Hay un autobús?", Answer: "no" });
    }

    [Fact]
    public void Configurations_ThatDoNotFit_AreRefusedInOneSentence()
    {
        AssertRefused(config with { Stage2 = config.Stage2 with { Batch = 5, MostScenes = 2 } }, "batch is 5");
        AssertRefused(config with { Stage2 = config.Stage2 with { Uses = 3 } }, "uses is 3");
        AssertRefused(config with { Stage1 = config.Stage1 with { Captions = 0.8, Styles = 0.3 } }, "at most 1");
        Assert.Throws<CheckpointNotFoundException>(() =>
            Train(config, 2, new TrainingOptions(Path.Combine(folder, "none")), CancellationToken.None));

        void AssertRefused(FlamingoTrainingConfig refused, string says) => Assert.Contains(says, Assert.Throws<WeightsException>(() =>
            Train(refused, null, new TrainingOptions(Path.Combine(folder, "refused")), CancellationToken.None)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Published_Configuration_IsOfTheWantedSize()
    {
        var read = ConfigFile.Read<FlamingoTrainingConfig>(Path.Combine(Repository.Root, "training", "mini-flamingo", "flamingo.json"),
            unknownKeysAllowed: false);
        read.Stage1.Check();
        read.Stage2.Check();
        using var meta = WeightInit.OnMeta();
        using var scope = NewDisposeScope();
        using var language = new GptNeoX(read.Stage1.Model with { VocabSize = read.Stage1.VocabularySize }, _ => null);
        using var resampler = new PerceiverResampler(read.Stage2.Model, 256);
        using var block = new GatedCrossAttention(read.Stage2.Model, read.Stage1.Model.HiddenSize, 256);
        var blocks = read.Stage1.Model.NumHiddenLayers / read.Stage2.Model.CrossAttnEveryNLayers;
        var trained = resampler.parameters().Sum(p => p.numel()) + (blocks * block.parameters().Sum(p => p.numel()));

        // With the image tower's 4.9 million, in two bytes each.
        var bytes = 2 * (language.parameters().Sum(p => p.numel()) + trained + 4_900_000);
        Assert.InRange(bytes, 20 << 20, 32 << 20);
    }

    private TrainingResult Train(FlamingoTrainingConfig plan, int? stage, TrainingOptions options, CancellationToken stop) =>
        FlamingoRuns.Train(plan, scenes, stage, options, stop);
}
