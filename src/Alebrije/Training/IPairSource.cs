using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;

namespace Alebrije.Training;

/// <summary>Preprocessing of texts and images for the towers.</summary>
internal sealed record PairPreparation(ClipTokenizer Tokenizer, ClipImageProcessor Processor);

/// <summary>Source of CLIP's pairs: the world of emoji, or a user's images.</summary>
internal interface IPairSource
{
    /// <summary>Texts for training a vocabulary.</summary>
    /// <param name="captions">Approximate number of captions.</param>
    IEnumerable<string> Corpus(int captions);

    /// <summary>Batch <paramref name="number"/> of a run: always the same.</summary>
    ClipBatch Make(long number, PairPreparation preparation);

    /// <summary>Evaluates a network on held-out pairs.</summary>
    Dictionary<string, double> Measure(ClipNetwork network, PairPreparation preparation);

    /// <summary>Remarks since the last call, as sentences.</summary>
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
        new ClipProbe(network, preparation.Tokenizer, scenes, config.Measured(ClipProbe.Most)).Measure(config.Batch);

    /// <inheritdoc/>
    public IReadOnlyList<string> TakeRemarks() => [];
}
