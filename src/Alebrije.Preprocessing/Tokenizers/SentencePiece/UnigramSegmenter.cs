using System.Buffers;

namespace Alebrije.Preprocessing.Tokenizers.SentencePiece;

/// <summary>A piece of a text.</summary>
/// <param name="Start">Its first byte.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Id">Its id.</param>
internal readonly record struct Segment(int Start, int Length, int Id);

/// <summary>
/// The most probable segmentation of a text into pieces, as a product of their probabilities (Kudo, 2018, §3.1), by the Viterbi
/// algorithm; ties and rounding are those of sentencepiece (src/unigram_model.cc, EncodeOptimized).
/// </summary>
internal sealed class UnigramSegmenter
{
    /// <summary>Difference of log probability between the worst piece and an unknown character.</summary>
    private const float UnknownPenalty = 10;

    private readonly PieceTrie trie;
    private readonly float[] scores;
    private readonly PieceKind[] kinds;
    private readonly int unknownId;
    private readonly float unknownScore, best;

    public UnigramSegmenter(SentencePieceModel model)
    {
        trie = new PieceTrie(model.Pieces.Select((piece, id) => (piece, id))
            .Where(pair => pair.piece.SpellsText).Select(pair => (pair.piece.Utf8, pair.id)));
        (scores, kinds, unknownId) = ([.. model.Pieces.Select(piece => piece.Score)],
            [.. model.Pieces.Select(piece => piece.Kind)], model.UnknownId);
        var usual = model.Pieces.Where(piece => piece.Kind == PieceKind.Normal).Select(piece => piece.Score).ToArray();
        unknownScore = usual.Min() - UnknownPenalty;

        // The reference starts from the smallest positive number, so the best score is at least that.
        best = Math.Max(usual.Max(), 1.17549435e-38f);
    }

    /// <summary>Segments a text; an unknown character is a segment of its own.</summary>
    /// <param name="text">Normalised UTF-8.</param>
    public Segment[] Cut(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) return [];
        var rented = ArrayPool<Step>.Shared.Rent(text.Length + 1);
        try
        {
            var steps = rented.AsSpan(0, text.Length + 1);
            steps.Fill(new Step(0, -1, -1));
            for (int start = 0, length; start < text.Length; start += length)
            {
                length = SentencePieceNormaliser.Utf8Length(text[start..]);
                if (!Spell(text[start..], steps[start..], start, length))
                    Offer(ref steps[start + length], (float)(unknownScore + steps[start].Score), start, unknownId);
            }

            return Backtrack(steps);
        }
        finally
        {
            ArrayPool<Step>.Shared.Return(rented);
        }
    }

    /// <summary>Tries every piece that begins here; true if one of them is the single character.</summary>
    private bool Spell(ReadOnlySpan<byte> text, Span<Step> steps, int start, int character)
    {
        var (node, hasCharacter, before) = (PieceTrie.Root, false, steps[0].Score);
        for (var i = 0; i < text.Length && (node = trie.Child(node, text[i])) >= 0; i++)
        {
            var id = trie.Value(node);
            if (id < 0 || kinds[id] == PieceKind.Unused) continue;
            var length = i + 1;

            // Sums are computed in double and stored in single precision, as there: it decides ties.
            var score = kinds[id] == PieceKind.UserDefined ? (double)(float)(length * best) - 0.1 : scores[id];
            Offer(ref steps[length], score + before, start, id);
            hasCharacter |= length == character;
        }

        return hasCharacter;
    }

    private static void Offer(ref Step step, double score, int start, int id)
    {
        if (step.Start < 0 || score > step.Score) step = new Step((float)score, start, id);
    }

    private static Segment[] Backtrack(ReadOnlySpan<Step> steps)
    {
        var count = 0;
        for (var end = steps.Length - 1; end > 0; end = steps[end].Start) count++;
        var segments = new Segment[count];
        for (var end = steps.Length - 1; end > 0; end = steps[end].Start)
            segments[--count] = new Segment(steps[end].Start, end - steps[end].Start, steps[end].Id);
        return segments;
    }

    /// <summary>The best path to a position: its score, and the start and id of its last piece.</summary>
    private readonly record struct Step(float Score, int Start, int Id);
}
