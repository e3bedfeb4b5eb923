using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Reports;

namespace Alebrije.Cli.Commands;

/// <summary>Notes of a run in the language of the user; one of an unknown kind stays in English.</summary>
internal static class NoteWords
{
    /// <summary>Writer of a run's notes to a terminal.</summary>
    public static Action<RunNote> Writer(Terminal terminal, Words words) => note => terminal.Note(In(words, note));

    /// <summary>The note's sentence.</summary>
    public static string In(Words words, RunNote note) => note switch
    {
        TextCutNote cut => words["note.text-cut", cut.Text, cut.Tokens, cut.Length, cut.Rest],
        MoreTextsCutNote more => words["note.more-texts-cut", more.Count, more.Length],
        LongPromptNote => words["note.long-prompt"],
        UnusedEmbeddingNote unused => words["note.unused-embedding", unused.File, unused.Token],
        OutOfRangeNote range => words["note.out-of-range", range.Network, range.Format, range.Layer],
        SkippedPictureNote skipped => Skipped(words, new SkippedPicture(skipped.File, skipped.Reason)),
        _ => note.Sentence,
    };

    /// <summary>The sentence about a skipped image; its reason is the library's, translated where it has a translation.</summary>
    public static string Skipped(Words words, SkippedPicture picture) =>
        words["skipped.picture", PrintableText.Of(picture.File), LibraryErrors.In(words.Language, picture.Reason)];
}
