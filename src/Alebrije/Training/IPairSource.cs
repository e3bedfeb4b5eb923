using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Training;

/// <summary>How texts and pictures become what the towers take.</summary>
internal sealed record PairPreparation(ClipTokenizer Tokenizer, ClipImageProcessor Processor);

/// <summary>Where CLIP's pairs come from: the world of emoji, or a person's own pictures.</summary>
internal interface IPairSource
{
    /// <summary>Texts that a vocabulary is trained on.</summary>
    /// <param name="captions">About how many.</param>
    IEnumerable<string> Corpus(int captions);

    /// <summary>Batch <paramref name="number"/> of a run: always the same.</summary>
    ClipBatch Make(long number, PairPreparation preparation);

    /// <summary>A short look at a network, on what training never shows.</summary>
    Dictionary<string, double> Measure(ClipNetwork network, PairPreparation preparation);

    /// <summary>What was noticed since the last call, in words.</summary>
    IReadOnlyList<string> TakeRemarks();
}

/// <summary>Pairs of the world of emoji.</summary>
internal sealed class ScenePairs(ClipTrainingConfig config, CaptionedScenes scenes) : IPairSource
{
    /// <inheritdoc/>
    public IEnumerable<string> Corpus(int captions) => scenes.Corpus(captions);

    /// <inheritdoc/>
    public ClipBatch Make(long number, PairPreparation preparation) =>
        ClipBatch.Make(scenes, config, preparation.Tokenizer, preparation.Processor, number);

    /// <inheritdoc/>
    public Dictionary<string, double> Measure(ClipNetwork network, PairPreparation preparation) =>
        new ClipProbe(network, preparation.Tokenizer, scenes).Measure(config.Batch);

    /// <inheritdoc/>
    public IReadOnlyList<string> TakeRemarks() => [];
}
