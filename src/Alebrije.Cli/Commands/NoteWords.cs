using Alebrije.Datasets;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary>Notes of a run in the language of the user; one of no known kind stays in English.</summary>
internal static class NoteWords
{
    /// <summary>What takes a run's notes and writes them.</summary>
    public static Action<RunNote> Writer(Terminal terminal, Words words) => note => terminal.Note(In(words, note));

    /// <summary>The note's sentence.</summary>
    public static string In(Words words, RunNote note) => words.In(note.Sentence, note switch
    {
        TextCutNote cut => $"\"{cut.Text}\" tiene {cut.Tokens} tokens y el codificador de texto lee {cut.Length}, con inicio y fin; se cortó esta parte: \"{cut.Rest}\".",
        MoreTextsCutNote more => $"Otros {more.Count} textos tienen más de {more.Length} tokens y se cortaron.",
        OutOfRangeNote range => $"{range.Network}: aparecieron números fuera del rango de {range.Format}, primero en la capa {range.Layer}; sigue en float32, más despacio.",
        SkippedPictureNote skipped => Skipped(words, new SkippedPicture(skipped.File, skipped.Reason)),
        _ => note.Sentence,
    });

    /// <summary>The sentence of a picture that was left out; its reason is the library's, in English.</summary>
    public static string Skipped(Words words, SkippedPicture picture) => words.In($"Skipped {picture.File}: {picture.Reason}", $"Omitida {picture.File}: {picture.Reason}");
}
