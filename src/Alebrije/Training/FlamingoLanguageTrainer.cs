using Alebrije.Datasets;
using Alebrije.Models.Flamingo;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Trains the language model of a Flamingo on texts about scenes, without images: every token from those before it.</summary>
internal sealed class FlamingoLanguageTrainer(FlamingoLanguagePlan plan, CaptionedScenes scenes)
{
    /// <summary>Texts that the vocabulary is made of, in sequences.</summary>
    private const int CorpusSteps = 400;

    private const ulong HeldOutSeed = 9007;

    /// <param name="options">The run's folder and limits.</param>
    /// <param name="package">Folder of the model that is written.</param>
    /// <param name="cancellation">Stops the run.</param>
    /// <returns>The result, with the loss on held-out scenes, <c>language_loss</c>.</returns>
    public TrainingResult Run(TrainingOptions options, string package, CancellationToken cancellation = default)
    {
        plan.Check();
        using var run = new TrainingRun(options, plan, new LossWatch(Math.Log(plan.VocabularySize), 20 * plan.WarmUp,
            "Lower learning_rate, or raise warm_up."));
        var folder = Path.Combine(run.Folder, "tokenizer");
        var tokenizer = Tokenizer(folder);
        var texts = new FlamingoTexts(scenes.World, tokenizer);
        var model = plan.Model with { VocabSize = tokenizer.VocabularySize };
        var dtype = Processor.ScalarType(plan.Precision);
        using var network = new GptNeoX(model, _ => null);
        var heldOut = texts.Encode(Sequences(texts, HeldOutSeed, 0, SceneSplit.HeldOut), learnsAll: true);
        return TrainingLoop.Run(run, plan, new TrainingTask<FlamingoBatch>(network)
        {
            Optimizer = new() { Beta2 = 0.98, Epsilon = 1e-8, WeightDecay = plan.WeightDecay },
            Begin = () => Begin(network),
            Batches = first => new BatchQueue<FlamingoBatch>(step =>
                texts.Encode(Sequences(texts, plan.Seed, step, SceneSplit.Train), learnsAll: true), first),
            Loss = (batch, _, _) => Loss(network, batch, dtype),
            Evaluate = () =>
            {
                using var guard = no_grad();
                using var scope = NewDisposeScope();
                FlamingoPackage.WriteLanguage(package, network, model, folder);
                return new() { ["language_loss"] = Loss(network, heldOut, dtype).ToDouble() };
            },
        }, cancellation);
    }

    /// <summary>Cross-entropy of every token.</summary>
    private static Tensor Loss(GptNeoX network, FlamingoBatch batch, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var ids = batch.IdTensor();
        var x = network.Embed(ids).to(dtype);
        var context = network.Context(x, ones(ids.shape, ScalarType.Int64), cache: null);
        foreach (var layer in network.Decoders) x = layer.Run(x, context);
        return FlamingoNetwork.Loss(network.Predict(x), batch.LabelTensor()).MoveToOuterDisposeScope();
    }

    private IEnumerable<FlamingoChunk[]> Sequences(FlamingoTexts texts, ulong seed, long step, SceneSplit split)
    {
        var each = FlamingoTexts.ScenesOf(plan, step);
        var described = Enumerable.Range(0, plan.Batch).Select(i => (step * plan.Batch) + i).Select(number =>
            split == SceneSplit.Train ? scenes.Scene(seed, number, plan.WorldOf(number))
                : scenes.HeldOut(seed, number, SceneOptions.Default)).ToArray();
        return texts.Sequences(described, each, plan, step, plan.Told);
    }

    private void Begin(GptNeoX network)
    {
        SeededInit.Apply(network, plan.Seed);
        if (plan.Start is { } start) FlamingoPackage.FillLanguage(network, start);
    }

    /// <summary>Opens the tokenizer of the run; trains it on the run's first texts and all names if it is missing.</summary>
    private ByteLevelTokenizer Tokenizer(string folder)
    {
        if (!ByteLevelTokenizer.IsIn(folder))
        {
            var untold = new FlamingoTexts(scenes.World, tokenizer: null);
            var texts = Enumerable.Range(0, CorpusSteps).SelectMany(step => Sequences(untold, plan.Seed, step, SceneSplit.Train))
                .SelectMany(sequence => sequence).SelectMany(chunk => new[] { chunk.Prompt, chunk.Answer });
            var names = Enum.GetValues<Language>().SelectMany(language => scenes.World.Concepts.Select(concept => concept.Label(language)));
            var text = ByteLevelTrainer.Train(texts.Concat(names.SelectMany(name => Enumerable.Repeat(name, 4))), plan.VocabularySize,
                FlamingoTexts.SpecialTokens);
            WrittenFile.MakeFolder(folder);
            WrittenFile.Write(Path.Combine(folder, ByteLevelTokenizer.FileName), text);
        }

        return ByteLevelTokenizer.Load(folder);
    }
}
