using System.Buffers;
using Alebrije.Preprocessing.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Alebrije.Extensions.AI;

/// <summary>
/// CLIP's tokenizer as a <see cref="Tokenizer"/> of Microsoft.ML.Tokenizers: the ids of <see cref="ClipTokenizer.Encode"/>, start and end
/// included. Positions count in the text that was given where cleaning leaves it as it is, and otherwise in the normalised text that comes
/// with them. Safe to use from many threads.
/// </summary>
/// <param name="clip">The tokenizer that does the work.</param>
public sealed class ClipTextTokenizer(ClipTokenizer clip) : Tokenizer
{
    /// <summary>The tokenizer that does the work.</summary>
    public ClipTokenizer Clip { get; } = clip ?? throw new ArgumentNullException(nameof(clip));

    /// <summary>The decoded text of ids, without start, end and padding.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public override string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return Clip.Decode([.. ids]);
    }

    /// <summary>Decodes as many ids as have room.</summary>
    /// <param name="ids">Ids.</param>
    /// <param name="destination">Buffer for the text.</param>
    /// <param name="idsConsumed">Ids whose text was written.</param>
    /// <param name="charsWritten">UTF-16 units that were written.</param>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        int[] all = [.. ids];
        (idsConsumed, charsWritten) = (0, 0);
        if (all.Any(id => id < 0 || id >= Clip.VocabularySize)) return OperationStatus.InvalidData;
        for (var count = all.Length; ; count--)
        {
            var text = Clip.Decode(all[..count]);
            if (text.Length > destination.Length) continue;
            text.CopyTo(destination);
            (idsConsumed, charsWritten) = (count, text.Length);
            return count == all.Length ? OperationStatus.Done : OperationStatus.DestinationTooSmall;
        }
    }

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var tokens = Tokens(text, textSpan, settings, out var normalized, out _);
        var kept = FromStart(tokens, settings.MaxTokenCount, out var consumed);
        return new EncodeResults<EncodedToken>
        {
            Tokens = [.. tokens.Take(kept).Select(token => new EncodedToken(token.Id, token.Symbol, token.Start..token.End))],
            NormalizedText = normalized,
            CharsConsumed = consumed,
        };
    }

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        if (settings is { ConsiderNormalization: true, ConsiderPreTokenization: true, MaxTokenCount: int.MaxValue })
        {
            // Fast path: no positions are requested.
            text ??= textSpan.ToString();
            return new EncodeResults<int> { Tokens = Clip.Encode(text), CharsConsumed = text.Length };
        }

        var tokens = Tokens(text, textSpan, settings, out var normalized, out _);
        var kept = FromStart(tokens, settings.MaxTokenCount, out var consumed);
        return new EncodeResults<int> { Tokens = [.. tokens.Take(kept).Select(token => token.Id)],
            NormalizedText = normalized, CharsConsumed = consumed };
    }

    /// <inheritdoc/>
    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        EncodeToIds(text, textSpan, settings).Tokens.Count;

    /// <inheritdoc/>
    protected override int GetIndexByTokenCount(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, bool fromEnd, out string? normalizedText, out int tokenCount)
    {
        var tokens = Tokens(text, textSpan, settings, out normalizedText, out var length);
        if (!fromEnd)
        {
            tokenCount = FromStart(tokens, settings.MaxTokenCount, out var end);
            return tokenCount == tokens.Count ? length : end;
        }

        var first = Math.Max(0, tokens.Count - settings.MaxTokenCount);
        while (first > 0 && first < tokens.Count && tokens[first].Start < tokens[first - 1].End) first++;
        tokenCount = tokens.Count - first;
        return first == 0 ? 0 : first == tokens.Count ? length : tokens[first].Start;
    }

    /// <param name="text">The text, or null where it is in <paramref name="span"/>.</param>
    /// <param name="span">The text.</param>
    /// <param name="settings">Settings of the encoding.</param>
    /// <param name="normalized">The cleaned text; null where it is the text itself, to which the positions then refer.</param>
    /// <param name="length">Length of the text that the positions refer to.</param>
    private IReadOnlyList<ClipToken> Tokens(string? text, ReadOnlySpan<char> span,
        EncodeSettings settings, out string? normalized, out int length)
    {
        text ??= span.ToString();
        var tokens = Clip.EncodeToTokens(text, settings.ConsiderNormalization, settings.ConsiderPreTokenization, out var cleaned);
        (normalized, length) = (cleaned == text ? null : cleaned, cleaned.Length);
        return tokens;
    }

    /// <summary>Number of tokens that can be kept without splitting a character, and the end of the last of them.</summary>
    private static int FromStart(IReadOnlyList<ClipToken> tokens, int most, out int end)
    {
        var kept = Math.Min(tokens.Count, most);
        while (kept > 0 && kept < tokens.Count && tokens[kept].Start < tokens[kept - 1].End) kept--;
        end = kept == 0 ? 0 : tokens[kept - 1].End;
        return kept;
    }
}
