using System.Text;

namespace Alebrije.Preprocessing.Imaging.Lettering;

/// <summary>
/// Joining forms of Arabic letters (Unicode, Arabic Presentation Forms A and B), for drawing without a shaping engine. Fonts
/// without such forms are drawn with isolated letters.
/// </summary>
internal static class ArabicForms
{
    private const char Lam = '\u0644', Tatweel = '\u0640', ZeroWidthJoiner = '\u200D';

    /// <summary>Letters that join the one before them only.</summary>
    private const string RightJoining = "\u0622\u0623\u0624\u0625\u0627\u0629\u062F\u0630\u0631\u0632\u0648\u0649";

    private static readonly (char Letter, char First, int Forms)[] Further =
    [
        ('\u0679', '\uFB66', 4), ('\u067E', '\uFB56', 4), ('\u0686', '\uFB7A', 4),
            ('\u0688', '\uFB88', 2), ('\u0691', '\uFB8C', 2), ('\u0698', '\uFB8A', 2),
        ('\u06A9', '\uFB8E', 4), ('\u06AF', '\uFB92', 4), ('\u06C1', '\uFBA6', 4),
        ('\u06BE', '\uFBAA', 4), ('\u06CC', '\uFBFC', 4), ('\u06D2', '\uFBAE', 2),
    ];

    /// <summary>Ligatures of lam with an alef: the isolated form; the joined one follows it.</summary>
    private static readonly Dictionary<char, char> LamAlef = new() { ['\u0622'] = '\uFEF5',
        ['\u0623'] = '\uFEF7', ['\u0625'] = '\uFEF9', ['\u0627'] = '\uFEFB' };

    /// <summary>First of a letter's forms, and their number: isolated, joined to the letter before, to the letter after, to both.</summary>
    private static readonly Dictionary<char, (char First, int Forms)> Forms = AllForms();

    private static readonly Dictionary<char, string> Letters = AllLetters();

    /// <summary>The text with each letter in the form that its neighbours require; in reading order.</summary>
    public static string Join(string text)
    {
        if (!text.Any(Forms.ContainsKey)) return text;
        var joined = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (!Forms.TryGetValue(text[i], out var forms))
            {
                joined.Append(text[i]);
                continue;
            }

            var before = Previous(text, i) is { } p && JoinsOnwards(p);
            if (text[i] == Lam && i + 1 < text.Length && LamAlef.TryGetValue(text[i + 1], out var ligature))
            {
                joined.Append((char)(ligature + (before ? 1 : 0)));
                i++;
                continue;
            }

            var behind = forms.Forms == 4 && Next(text, i) is { } n && JoinsBack(n);
            var form = (before ? 1 : 0) + (behind ? 2 : 0);
            joined.Append((char)(forms.First + Math.Min(form, forms.Forms - 1)));
        }

        return joined.ToString();
    }

    /// <summary>The letters of a form, or null if the character is not a form.</summary>
    public static string? LettersOf(char form) => Letters.GetValueOrDefault(form);

    private static char? Previous(string text, int place)
    {
        for (place--; place >= 0; place--)
            if (!IsMark(text[place])) return text[place];
        return null;
    }

    private static char? Next(string text, int place)
    {
        for (place++; place < text.Length; place++)
            if (!IsMark(text[place])) return text[place];
        return null;
    }

    private static bool IsMark(char c) => char.GetUnicodeCategory(c) == System.Globalization.UnicodeCategory.NonSpacingMark;

    private static bool JoinsOnwards(char c) => c is Tatweel or ZeroWidthJoiner
        || (Forms.TryGetValue(c, out var forms) && forms.Forms == 4);

    private static bool JoinsBack(char c) => c is Tatweel or ZeroWidthJoiner || (Forms.TryGetValue(c, out var forms) && forms.Forms > 1);

    private static Dictionary<char, (char First, int Forms)> AllForms()
    {
        var all = Further.ToDictionary(letter => letter.Letter, letter => (letter.First, letter.Forms));

        // Form B lists the forms of the basic letters in the letters' own order.
        var next = '\uFE80';
        foreach (var letter in Enumerable.Range(0x0621, 0x1A).Concat(Enumerable.Range(0x0641, 0x0A)).Select(code => (char)code))
        {
            var forms = letter == '\u0621' ? 1 : RightJoining.Contains(letter, StringComparison.Ordinal) ? 2 : 4;
            all[letter] = (next, forms);
            next += (char)forms;
        }

        return all;
    }

    private static Dictionary<char, string> AllLetters()
    {
        var all = new Dictionary<char, string>();
        foreach (var (letter, (first, forms)) in Forms)
            for (var i = 0; i < forms; i++) all[(char)(first + i)] = letter.ToString();
        foreach (var (alef, first) in LamAlef)
            (all[first], all[(char)(first + 1)]) = ($"{Lam}{alef}", $"{Lam}{alef}");
        return all;
    }
}
