using System.Text;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>Unicode normalization form C (UAX #15), the same with and without ICU.</summary>
internal static class CanonicalComposition
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TailCount = 28, HangulCount = LeadCount * VowelCount * TailCount;

    /// <summary>Normalization form C of a text; a lone surrogate stays as it is.</summary>
    public static string Normalize(string text)
    {
        if (IsNormal(text))
            return text;

        var codes = new List<int>(text.Length + 8);
        for (var i = 0; i < text.Length; i++)
        {
            var paired = char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            Decompose(paired ? char.ConvertToUtf32(text[i], text[++i]) : text[i], codes);
        }
        Reorder(codes);
        Compose(codes);

        var result = new StringBuilder(text.Length);
        foreach (var code in codes)
            result.AppendCodePoint(code);
        return result.ToString();
    }

    private static bool IsNormal(string text)
    {
        // No character below U+0300 combines with the one before it, and none decomposes permanently.
        var place = text.AsSpan().IndexOfAnyExceptInRange('\0', '\u02FF');
        if (place < 0)
            return true;
        for (; place < text.Length; place++)
        {
            var paired = char.IsHighSurrogate(text[place]) && place + 1 < text.Length && char.IsLowSurrogate(text[place + 1]);
            if (paired ? UnicodeFacts.IsUnstable(char.ConvertToUtf32(text[place], text[++place])) : UnicodeFacts.IsUnstable(text[place]))
                return false;
        }
        return true;
    }

    private static void Decompose(int code, List<int> into)
    {
        var syllable = code - HangulBase;
        if (syllable is >= 0 and < HangulCount)
        {
            into.Add(LeadBase + (syllable / (VowelCount * TailCount)));
            into.Add(VowelBase + (syllable % (VowelCount * TailCount) / TailCount));
            if (syllable % TailCount != 0)
                into.Add(TailBase + (syllable % TailCount));
        }
        else if (code >= 0xC0 && UnicodeFacts.TryDecompose(code, out var parts))
        {
            Decompose(parts.First, into);
            if (parts.Second >= 0)
                into.Add(parts.Second);
        }
        else
        {
            into.Add(code);
        }
    }

    /// <summary>Sorts every run of marks by combining class, marks of one class staying in their order.</summary>
    private static void Reorder(List<int> codes)
    {
        for (var start = 0; start < codes.Count; start++)
        {
            var end = start;
            while (end < codes.Count && UnicodeFacts.CombiningClass(codes[end]) != 0)
                end++;
            if (end - start > 1)
            {
                var marks = codes.GetRange(start, end - start).OrderBy(UnicodeFacts.CombiningClass).ToArray();
                for (var i = 0; i < marks.Length; i++)
                    codes[start + i] = marks[i];
            }
            start = end;
        }
    }

    private static void Compose(List<int> codes)
    {
        var (written, starter, lastClass) = (0, -1, 0);
        for (var i = 0; i < codes.Count; i++)
        {
            var (code, rank) = (codes[i], UnicodeFacts.CombiningClass(codes[i]));
            var blocked = starter >= 0 && written - 1 != starter && lastClass >= rank;
            if (starter >= 0 && !blocked && TryCompose(codes[starter], code, out var composed))
            {
                codes[starter] = composed;
                continue;
            }
            if (rank == 0)
                starter = written;
            lastClass = rank;
            codes[written++] = code;
        }
        codes.RemoveRange(written, codes.Count - written);
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        var (lead, vowel, tail) = (first - LeadBase, second - VowelBase, second - TailBase);
        if (lead is >= 0 and < LeadCount && vowel is >= 0 and < VowelCount)
        {
            composed = HangulBase + (((lead * VowelCount) + vowel) * TailCount);
            return true;
        }
        if (first - HangulBase is >= 0 and < HangulCount && (first - HangulBase) % TailCount == 0 && tail is > 0 and < TailCount)
        {
            composed = first + tail;
            return true;
        }
        return UnicodeFacts.TryCompose(first, second, out composed);
    }

    /// <summary>Appends a code point, a lone surrogate included.</summary>
    public static StringBuilder AppendCodePoint(this StringBuilder builder, int code) => code < 0x10000
        ? builder.Append((char)code)
        : builder.Append((char)(0xD7C0 + (code >> 10))).Append((char)(0xDC00 + (code & 0x3FF)));
}
