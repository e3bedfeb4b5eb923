using Alebrije.Datasets;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Tokenizers;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>A part of a sequence: a scene's mark and question, and the answer.</summary>
/// <param name="Prompt">Text up to the answer, as generation formats it.</param>
/// <param name="Answer">The answer with its end.</param>
/// <param name="IsLearnt">False for an answer that nothing before it determines.</param>
internal readonly record struct FlamingoChunk(string Prompt, string Answer, bool IsLearnt = true);

/// <summary>Sequences of a batch, padded at the end.</summary>
/// <param name="Ids">[rows, tokens]</param>
/// <param name="Labels">[rows, tokens]: ids of learnt tokens, -100 elsewhere.</param>
/// <param name="Rows">Number of sequences.</param>
internal sealed record FlamingoBatch(long[] Ids, long[] Labels, int Rows)
{
    /// <returns>[rows, tokens] int64</returns>
    public Tensor IdTensor() => tensor(Ids, [Rows, Ids.Length / Rows]);

    /// <returns>[rows, tokens] int64</returns>
    public Tensor LabelTensor() => tensor(Labels, [Rows, Labels.Length / Rows]);
}

/// <summary>
/// Texts about scenes for training a Flamingo: sequences of captions, of answers in one style, or of questions of one kind, in one
/// language, in the form in which <see cref="FlamingoPrompt"/> writes examples.
/// </summary>
internal sealed class FlamingoTexts(EmojiWorld world, ByteLevelTokenizer? tokenizer)
{
    private const uint Purpose = 0x666C61;
    private const long Ignored = -100;
    private static readonly double[] KindShares = [0.22, 0.2, 0.28, 0.15, 0.15];

    /// <summary>Special tokens of a vocabulary, after that of the end of a text.</summary>
    public static IReadOnlyList<string> SpecialTokens { get; } =
        [FlamingoPrompt.EndToken, FlamingoPrompt.ImageToken, FlamingoFolder.PadToken];

    /// <summary>Number of scenes of a step's sequences.</summary>
    public static int ScenesOf(FlamingoPlan plan, long step)
    {
        var random = new SeededRandom(plan.Seed, step, Purpose);
        return plan.MostScenes == 1 || random.Chance(plan.Single) ? 1 : 2 + random.Below(plan.MostScenes - 1);
    }

    /// <summary>Sequences of a step for given scenes, in the same order.</summary>
    /// <param name="scenes">The scenes, those of a sequence one after the other.</param>
    /// <param name="each">Scenes of a sequence.</param>
    /// <param name="plan">Seed and shares.</param>
    /// <param name="step">Number of the step.</param>
    /// <param name="described">Share of the sequences without images that describe each scene before the question.</param>
    public IEnumerable<FlamingoChunk[]> Sequences(
        IReadOnlyList<Scene> scenes, int each, FlamingoPlan plan, long step, double described = 0) =>
        scenes.Chunk(each).Select((group, row) =>
        {
            var random = new SeededRandom(plan.Seed, (step * 4096) + row, Purpose + 1);
            var language = random.Chance(plan.Scenes.SpanishShare) ? Language.Spanish : Language.English;
            return random.Chance(described) ? Told(group, language, ref random) : Shown(group, language, plan, ref random);
        });

    /// <summary>Ids and labels of sequences.</summary>
    /// <param name="sequences">The sequences.</param>
    /// <param name="learnsAll">True for labels everywhere, false for answers alone.</param>
    public FlamingoBatch Encode(IEnumerable<FlamingoChunk[]> sequences, bool learnsAll)
    {
        var rows = sequences.Select(sequence => Encode(sequence, learnsAll)).ToArray();
        var tokens = rows.Max(row => row.Ids.Count);
        var (ids, labels) = (new long[rows.Length * tokens], new long[rows.Length * tokens]);
        Array.Fill(ids, tokenizer!.IdOf(FlamingoFolder.PadToken));
        Array.Fill(labels, Ignored);
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i].Ids.CopyTo(ids, i * tokens);
            rows[i].Labels.CopyTo(labels, i * tokens);
        }

        return new FlamingoBatch(ids, labels, rows.Length);
    }

    private (List<long> Ids, List<long> Labels) Encode(FlamingoChunk[] sequence, bool learnsAll)
    {
        var (ids, labels) = (new List<long>(), new List<long>());
        foreach (var chunk in sequence)
        {
            Add(chunk.Prompt, learnsAll);
            Add(chunk.Answer, learnsAll || chunk.IsLearnt);
        }

        return (ids, labels);

        void Add(string text, bool isLearnt)
        {
            foreach (var id in tokenizer!.Encode(text))
            {
                ids.Add(id);
                labels.Add(isLearnt ? id : Ignored);
            }
        }
    }

    /// <summary>Scenes with one task for all of them, each after its image.</summary>
    private FlamingoChunk[] Shown(Scene[] scenes, Language language, FlamingoPlan plan, ref SeededRandom random)
    {
        var (task, chunks) = (random.Unit(), new FlamingoChunk[scenes.Length]);
        if (task >= plan.Captions + plan.Styles)
        {
            var kind = Kind(ref random);
            for (var i = 0; i < scenes.Length; i++)
            {
                var (question, answer) = SceneQuestions.Draw(scenes[i], language, kind, random.Pick(world.Concepts), ref random);
                chunks[i] = Chunk(FlamingoPrompt.Question(question), answer);
            }

            return chunks;
        }

        // Without an example before it, a caption is plain, whatever style the others would have.
        if (task < plan.Captions || scenes.Length == 1)
            return [.. scenes.Select(scene => Chunk(LeadOf(language), world.Caption(scene, language, CaptionOptions.Complete)))];
        var lead = random.Chance(0.5) ? LeadOf(language) : FlamingoPrompt.CaptionLead;
        var style = AnswerStyle.Draw(language, ref random);
        for (var i = 0; i < scenes.Length; i++) chunks[i] = Chunk(lead, style.Format(scenes[i], language)) with { IsLearnt = i > 0 };
        return chunks;
    }

    /// <summary>Scenes that are described in words: a question follows whose answer is in the description, or a translation.</summary>
    private FlamingoChunk[] Told(Scene[] scenes, Language language, ref SeededRandom random)
    {
        var (chunks, kind, translates) = (new FlamingoChunk[scenes.Length], Kind(ref random), random.Chance(0.3));
        var other = language == Language.English ? Language.Spanish : Language.English;
        for (var i = 0; i < scenes.Length; i++)
        {
            var caption = world.Caption(scenes[i], language, CaptionOptions.Complete);
            var (question, answer) = SceneQuestions.Draw(scenes[i], language, kind, random.Pick(world.Concepts), ref random);
            chunks[i] = translates
                ? new($"{LeadOf(language)}{caption} {LeadOf(other)}", world.Caption(scenes[i], other, CaptionOptions.Complete)
                    + FlamingoPrompt.EndToken)
                : new($"{LeadOf(language)}{caption} {FlamingoPrompt.Question(question)}", answer + FlamingoPrompt.EndToken);
        }

        return chunks;
    }

    private static FlamingoChunk Chunk(string prompt, string answer) =>
        new(FlamingoPrompt.ImageToken + prompt, FlamingoPrompt.Plain(answer) + FlamingoPrompt.EndToken);

    private static string LeadOf(Language language) => FlamingoPrompt.LeadOf(language.Code());

    private static QuestionKind Kind(ref SeededRandom random)
    {
        var at = random.Unit();
        for (var i = 0; i < KindShares.Length; i++)
            if ((at -= KindShares[i]) < 0) return (QuestionKind)i;
        return QuestionKind.Presence;
    }
}
