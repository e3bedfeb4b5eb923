namespace Alebrije.Preprocessing.Tokenizers.SentencePiece;

/// <summary>Trie over bytes, level by level: the children of a node are adjacent, and a vectorised search finds a label.</summary>
internal sealed class PieceTrie
{
    /// <summary>The root node.</summary>
    public const int Root = 0;

    private readonly byte[] labels;
    private readonly int[] first, values;
    private readonly short[] counts;

    /// <summary>Builds the trie of spellings.</summary>
    /// <param name="pieces">Spellings, none empty, and the value of each, at least 0.</param>
    /// <exception cref="InvalidDataException">Two spellings are equal.</exception>
    public PieceTrie(IEnumerable<(byte[] Spelling, int Value)> pieces)
    {
        var sorted = pieces.ToArray();
        Array.Sort(sorted, (a, b) => a.Spelling.AsSpan().SequenceCompareTo(b.Spelling));
        var (labelList, ranges) = (new List<byte> { 0 }, new List<(int From, int To, int Depth)> { (0, sorted.Length, 0) });
        var (firstList, countList, valueList) = (new List<int>(), new List<short>(), new List<int>());
        for (var node = 0; node < ranges.Count; node++)
        {
            var (from, to, depth) = ranges[node];
            valueList.Add(-1);
            if (from < to && sorted[from].Spelling.Length == depth)
            {
                valueList[node] = sorted[from++].Value;
                if (from < to && sorted[from].Spelling.Length == depth)
                    throw new InvalidDataException($"the pieces {valueList[node]} and {sorted[from].Value} are spelt the same");
            }

            firstList.Add(ranges.Count);
            while (from < to)
            {
                var (label, end) = (sorted[from].Spelling[depth], from + 1);
                while (end < to && sorted[end].Spelling[depth] == label) end++;
                labelList.Add(label);
                ranges.Add((from, end, depth + 1));
                from = end;
            }

            countList.Add((short)(ranges.Count - firstList[node]));
        }

        (labels, first, counts, values) = ([.. labelList], [.. firstList], [.. countList], [.. valueList]);
    }

    /// <summary>The child of a node for a byte, or -1.</summary>
    public int Child(int node, byte label)
    {
        var place = labels.AsSpan(first[node], counts[node]).IndexOf(label);
        return place < 0 ? -1 : first[node] + place;
    }

    /// <summary>Value of the spelling that ends at a node, or -1.</summary>
    public int Value(int node) => values[node];

    /// <summary>Length of the longest spelling at the start of a text, or 0.</summary>
    public int Longest(ReadOnlySpan<byte> text)
    {
        var (node, longest) = (Root, 0);
        for (var i = 0; i < text.Length && (node = Child(node, text[i])) >= 0; i++)
            if (values[node] >= 0) longest = i + 1;
        return longest;
    }
}
