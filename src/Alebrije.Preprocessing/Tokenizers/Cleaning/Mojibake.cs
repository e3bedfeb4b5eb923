using System.Text;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>
/// Repairs text that was read in the wrong encoding, as many times as needed
/// (<c>fix_encoding</c> of ftfy 6.3.1, ftfy/__init__.py and ftfy/fixes.py, Robyn Speer, Apache License 2.0).
/// </summary>
internal static class Mojibake
{
    /// <summary>Signs that may also be genuine next to misread text, so they do not show that a run had begun before.</summary>
    private const string Punctuation = " –—―‘’‚“”„•…";

    private static readonly CharacterSet LeadsOne = Misread(0xC2, 0xDF), LeadsTwo = Misread(0xE0, 0xEF), LeadsThree = Of([0xF0, 0xF3]);
    private static readonly CharacterSet Continues = Misread(0x80, 0xBF, including: " "),
        ContinuesSurely = Misread(0x80, 0xBF, excluding: Punctuation);

    /// <summary>The repaired text; itself if nothing shows that it was misread.</summary>
    public static string Fix(string text)
    {
        while (true)
        {
            var better = FixOnce(text);
            if (better == text)
                return text;
            text = better;
        }
    }

    /// <summary>Replaces C1 control characters by the characters of Windows-1252 at the same bytes.</summary>
    public static string FixControls(string text) => text.AsSpan().IndexOfAnyInRange('\u0080', '\u009F') < 0
        ? text
        : string.Create(text.Length, text, static (result, source) =>
        {
            for (var i = 0; i < result.Length; i++)
                result[i] = source[i] is >= '\u0080' and <= '\u009F' and var control
                    ? CodePages.Windows1252.Decode((byte)control) : source[i];
        });

    private static string FixOnce(string text)
    {
        if (Ascii.IsValid(text) || !MojibakeClues.AreIn(text))
            return text;
        foreach (var page in CodePages.All)
        {
            if (page.TryEncode(text) is { } bytes && MisreadUtf8.TryDecode(bytes, page) is { } meant)
                return meant;
        }

        // No single encoding explains the whole text: what is left are runs that are clearly misread, or Latin-1 that was Windows-1252.
        var patched = FixRuns(text);
        return patched != text ? patched : FixControls(text);
    }

    private static string FixRuns(string text)
    {
        var result = new StringBuilder(text.Length);
        var written = 0;
        for (var place = 0; place < text.Length;)
        {
            var length = place > 0 && ContinuesSurely.Contains(text[place - 1]) ? 0 : RunLength(text.AsSpan(place));
            if (length > 0 && length < text.Length && MojibakeClues.AreIn(text.AsSpan(place, length)))
            {
                result.Append(text, written, place - written).Append(Fix(text.Substring(place, length)));
                written = place + length;
            }
            place += Math.Max(length, 1);
        }
        return result.Append(text, written, text.Length - written).ToString();
    }

    /// <summary>Length of the consecutive misread UTF-8 sequences at the start of a text.</summary>
    private static int RunLength(ReadOnlySpan<char> text)
    {
        var end = 0;
        while (end < text.Length)
        {
            var follow = LeadsOne.Contains(text[end]) ? 1 : LeadsTwo.Contains(text[end]) ? 2 : LeadsThree.Contains(text[end]) ? 3 : 0;
            if (follow == 0 || end + follow >= text.Length)
                break;
            var seen = 0;
            while (seen < follow && Continues.Contains(text[end + 1 + seen]))
                seen++;
            if (seen < follow)
                break;
            end += 1 + follow;
        }
        return end;
    }

    private static CharacterSet Misread(int first, int last, string including = "", string excluding = "") =>
        Of([.. Enumerable.Range(first, last - first + 1).Select(value => (byte)value)], including, excluding);

    /// <summary>Characters of the bytes in the encodings that resemble Latin-1.</summary>
    private static CharacterSet Of(byte[] bytes, string including = "", string excluding = "")
    {
        var members = new HashSet<char>(including);
        foreach (var page in CodePages.All.Where(page => page.IsSloppy || page.Name == "latin-1"))
            members.UnionWith(bytes.Select(page.Decode));
        members.ExceptWith(excluding);
        return new string([.. members]);
    }
}
