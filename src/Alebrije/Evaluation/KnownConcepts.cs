using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Evaluation;

/// <summary>Comparison of a prompt with the concepts in a model's <see cref="ModelRecord"/>.</summary>
public static class KnownConcepts
{
    private const int ShortestWord = 3;

    /// <summary>Words of captions that name no concept, in both languages.</summary>
    private static readonly HashSet<string> Grammar = [.. """
        a an the of on in to at by and or with from into left right above below under over front behind inside top next beside between riding rides ride sitting standing
        background small large big little tiny huge two three four several many some drawing sketch photo picture image painting style black white pixel art blurred night dark busy
        un una unos unas el la los las lo de del al a en y o con por para sobre izquierda derecha arriba encima debajo abajo delante detras dentro junto entre lado montado montada
        montando fondo pequeno pequena grande dos tres cuatro varios varias dibujo boceto foto imagen pintura estilo blanco negro pixelado borroso noche oscuro
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Concat(Colours()).Select(Stem)];

    /// <summary>Searches a prompt for words of known concepts' names, in English or Spanish, regardless of plurals and accents.</summary>
    /// <param name="record">The model's record; without concepts every prompt counts as known.</param>
    /// <param name="prompt">The prompt.</param>
    /// <returns>False if the prompt contains no known word.</returns>
    public static bool Mentions(ModelRecord record, string prompt)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(prompt);
        if (record.Concepts.Count == 0) return true;
        var known = record.Concepts.SelectMany(concept => Words(concept.Name).Concat(Words(concept.SpanishName ?? ""))).ToHashSet();
        return Words(prompt).Any(known.Contains);
    }

    /// <summary>
    /// Zero-shot classification of an image among the known concepts that were recognised at least once. For a prompt that names none of
    /// them, this is what the model drew instead; the embedding of a word that CLIP was not trained on would give names by chance.
    /// </summary>
    /// <param name="record">The model's record.</param>
    /// <param name="pipeline">The model.</param>
    /// <param name="image">The image.</param>
    /// <param name="language">Language of the names.</param>
    /// <param name="count">Number of names, nearest first.</param>
    /// <returns>The names; none if the model has no image encoder.</returns>
    public static IReadOnlyList<string> Nearest(
        ModelRecord record, ImagePipeline pipeline, RgbImage image, Language language, int count = 2)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(pipeline);
        var drawn = record.Concepts.Where(concept => concept.Right > 0).ToArray();
        string[] names = [.. drawn.Select(concept => language == Language.Spanish ? concept.SpanishName ?? concept.Name : concept.Name)];
        return names.Length == 0 || !pipeline.HasImageEncoder ? [] : pipeline.NearestTexts(image, names, count);
    }

    private static IEnumerable<string> Colours() =>
        Enum.GetValues<Language>().SelectMany(language => Backgrounds.All.SelectMany(background =>
            background.Name(language).Split(' '))).Concat(["roja", "negra", "blanca", "amarilla", "morada"]);

    private static IEnumerable<string> Words(string text) =>
        new string([.. text.ToLowerInvariant().Select(Plain)]).Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Where(word => word.Length >= ShortestWord).Select(Stem).Where(word => !Grammar.Contains(word));

    /// <summary>A letter without its accent; anything else becomes a space.</summary>
    private static char Plain(char letter) => letter switch
    {
        'á' => 'a', 'é' => 'e', 'í' => 'i', 'ó' => 'o', 'ú' or 'ü' => 'u', 'ñ' => 'n',
        _ => char.IsLetter(letter) ? letter : ' ',
    };

    /// <summary>A word without the ending of a plural.</summary>
    private static string Stem(string word) =>
        word.Length > 4 && word.EndsWith("es", StringComparison.Ordinal) ? word[..^2] : word.Length > 3
        && (word[^1] == 's' || (word.Length > 4 && word[^1] == 'e')) ? word[..^1] : word;
}
