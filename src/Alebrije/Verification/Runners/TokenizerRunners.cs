using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Preprocessing.Tokenizers.Cleaning;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Tokenizers and cleaning.</summary>
internal static class TokenizerRunners
{
    private const int FirstRows = 40, LastRows = 60;
    private const string LowerCase = "lower";

    /// <summary>Comparison of one text's field (null if equal, else the difference), or null if the field is unsupported.</summary>
    public static Func<TextCase, string?>? Text(Fixture fixture, string output) => (fixture.Library, output) switch
    {
        ("transformers", "ids") when fixture.Vocabulary is not null => text => Ids(Transformers(fixture, BpeVocabulary.EndToken), text),
        ("clip" or "open_clip", "ids") when fixture.Vocabulary is not null => text => Ids(SingleFile(fixture, text), text),
        ("clip" or "open_clip", "clean") when fixture.Vocabulary is not null =>
            text => Difference(SingleFile(fixture, text).Clean(text.Text), text.Clean!),
        ("diffusers", "clean") => text => Difference(CaptionCleaning.Clean(text.Text), text.Clean!),
        ("diffusers", "plain") => text => Difference(PlainText.Strip(PlainText.Lower(text.Text, finalSigma: true)), text.Plain!),
        ("ftfy", "fixed") => text => Difference(TextRepair.Fix(text.Text), text.Fixed!),
        ("ftfy", "unescaped") => text => Difference(HtmlEntities.Unescape(HtmlEntities.Unescape(TextRepair.Fix(text.Text))),
            text.Unescaped!),
        ("sentencepiece", _) => UnigramRunners.Text(fixture, output),
        (_, "ids") when fixture.Vocabulary is null && Directory.Exists(fixture.Model()) => text =>
            UnigramTokenizer.IsIn(fixture.Model(text.Component ?? "")) ? UnigramRunners.Ids(fixture, text)
            : Ids(OfFolder(fixture, text), text),
        _ => null,
    };

    /// <summary>Rows of openai/CLIP and open_clip, truncated and padded: the first texts and the last.</summary>
    public static IReadOnlyDictionary<string, Tensor> Rows(FixtureCase c)
    {
        var tokenizer = SingleFile(c.Fixture, new TextCase { Text = "" });
        return new Dictionary<string, Tensor> { ["ids"] = TokenTensors.Ids(
            tokenizer.EncodeBatch(FirstAndLast(c.Fixture), c.Integer("context_length"))) };
    }

    /// <summary>Rows of transformers' CLIPTokenizer with either of its paddings: the first texts and the last.</summary>
    public static IReadOnlyDictionary<string, Tensor> Padded(FixtureCase c)
    {
        var texts = FirstAndLast(c.Fixture);
        var length = c.Integer("max_length");
        var ids = Transformers(c.Fixture, BpeVocabulary.EndToken).EncodeBatch(texts, length, out var lengths);
        var bang = Transformers(c.Fixture, "!").EncodeBatch(texts, length, out var bangLengths);
        return new Dictionary<string, Tensor>
        {
            ["input_ids"] = TokenTensors.Ids(ids), ["attention_mask"] = TokenTensors.Mask(lengths, length).to(ScalarType.Int64),
            ["ids_pad_bang"] = TokenTensors.Ids(bang), ["mask_pad_bang"] = TokenTensors.Mask(bangLengths, length).to(ScalarType.Int64),
        };
    }

    private static string? Ids(ClipTokenizer tokenizer, TextCase text)
    {
        if (text.MaxLength is not { } max) return Difference(tokenizer.Encode(text.Text), text.Ids!);
        var row = tokenizer.EncodeBatch([text.Text], max, out var lengths)[0];
        return text.Length is { } length && length != lengths[0] ? $"{lengths[0]} ids are text and {length} should be"
            : Difference(row, text.Ids!);
    }

    internal static string? Difference(int[] ours, int[] expected)
    {
        var place = ours.AsSpan().CommonPrefixLength(expected);
        if (place == ours.Length && place == expected.Length) return null;
        return $"id {place} is {At(ours, place)} and should be {At(expected, place)}";
    }

    internal static string? Difference(string ours, string expected) => ours == expected
        ? null
        : $"it becomes \"{TextVerifier.Show(ours)}\" and should become \"{TextVerifier.Show(expected)}\"";

    private static string At(int[] ids, int place) => place < ids.Length ? $"{ids[place]}" : "absent";

    private static List<string> FirstAndLast(Fixture fixture)
    {
        var texts = TextVerifier.Read(TextVerifier.Locate(fixture.Folder) ?? throw new WeightsException($"{fixture.Folder} has no texts."));
        texts.RemoveAll(text => text.Mode is not (null or LowerCase));
        return [.. texts.Take(FirstRows).Concat(texts.TakeLast(LastRows)).Select(text => text.Text)];
    }

    /// <summary>The fixture's vocabulary in the folder layout of transformers, with the given padding token.</summary>
    private static ClipTokenizer Transformers(Fixture fixture, string padToken) => fixture.Part("tokenizer " + padToken, () =>
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-tokenizer-");
        try
        {
            BpeVocabulary.ReadOpenAi(fixture.Vocabulary!).Save(folder.FullName, padToken: padToken);
            return ClipTokenizer.Load(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    });

    /// <summary>The fixture's vocabulary as in openai/CLIP or open_clip, with the cleaning of the text's mode.</summary>
    private static ClipTokenizer SingleFile(Fixture fixture, TextCase text)
    {
        var dialect = (fixture.Library, text.Mode) switch
        {
            ("clip", _) => ClipDialect.OpenAi,
            (_, null or LowerCase) => ClipDialect.OpenClip,
            (_, "whitespace") => ClipDialect.OpenClipWhitespace,
            (_, "canonicalize") => ClipDialect.OpenClipCanonicalize,
            var (_, mode) => throw new WeightsException($"there is no cleaning \"{mode}\"."),
        };
        return fixture.Part($"tokenizer {dialect}", () => ClipTokenizer.LoadOpenAi(fixture.Vocabulary!, dialect));
    }

    private static ClipTokenizer OfFolder(Fixture fixture, TextCase text) =>
        fixture.Part("tokenizer of " + text.Component, () => ClipTokenizer.Load(fixture.Model(text.Component ?? "")));
}
