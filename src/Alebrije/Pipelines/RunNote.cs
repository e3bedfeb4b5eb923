namespace Alebrije.Pipelines;

/// <summary>Note to the user on a run. The derived types have its values, for translations.</summary>
/// <param name="Sentence">A sentence in English.</param>
public record RunNote(string Sentence)
{
    /// <summary>The sentence.</summary>
    public sealed override string ToString() => Sentence;
}

/// <summary>A text does not fit into the text encoder, and was cut.</summary>
/// <param name="Text">The text, or its beginning.</param>
/// <param name="Tokens">Its tokens, start and end included.</param>
/// <param name="Length">Tokens that the encoder reads, start and end included.</param>
/// <param name="Rest">The part that was cut, or its beginning.</param>
public sealed record TextCutNote(string Text, int Tokens, int Length, string Rest) : RunNote(
    $"\"{Text}\" has {Tokens} tokens and the text encoder reads {Length}, start and end included; this part was cut: \"{Rest}\".");

/// <summary>Further texts do not fit into the text encoder, and were cut.</summary>
/// <param name="Count">Number of occurrences.</param>
/// <param name="Length">Tokens that the encoder reads, start and end included.</param>
public sealed record MoreTextsCutNote(int Count, int Length) : RunNote($"{Count} more texts have more than {Length} tokens and were cut.");

/// <summary>A text that was cut could be read whole.</summary>
public sealed record LongPromptNote() : RunNote("--long-prompt encodes such texts completely, in chunks of the text encoder's length.");

/// <summary>A textual inversion has no effect: its token stands in no prompt.</summary>
/// <param name="File">The file.</param>
/// <param name="Token">Its token.</param>
public sealed record UnusedEmbeddingNote(string File, string Token) : RunNote(
    $"The token of {File}, \"{Token}\", is neither in the prompt nor in the negative prompt.");

/// <summary>A network left the range of its floating-point format, and continues in float32.</summary>
/// <param name="Network">The network.</param>
/// <param name="Format">The format whose range it left.</param>
/// <param name="Layer">The first layer in which it did.</param>
public sealed record OutOfRangeNote(string Network, string Format, string Layer) : RunNote(
    $"{Network}: numbers exceeded the range of {Format}, first in the layer {Layer}; the network continues in float32, more slowly.");

/// <summary>An image was left out.</summary>
/// <param name="File">The file.</param>
/// <param name="Reason">Why, such as "cut short: the JPEG file ends before its last row."</param>
public sealed record SkippedPictureNote(string File, string Reason) : RunNote($"Skipped {File}: {Reason}");
