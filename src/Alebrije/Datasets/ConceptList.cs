using System.Globalization;
using System.Xml;
using Alebrije.Datasets.Words;
using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>
/// Reads the concepts from Unicode's files: fully qualified emoji without skin tones, joined sequences, symbols and flags.
/// </summary>
internal static class ConceptList
{
    private const int ZeroWidthJoiner = 0x200D;
    private const int VariationSelector = 0xFE0F;

    /// <exception cref="InvalidDataException">A file does not have the form it should.</exception>
    public static (Concept[] Concepts, Dictionary<string, Concept> ByStandardName) Read(WorldFiles files)
    {
        var english = Annotations.Read(files.Annotations("en"));
        var spanish = Annotations.Read(files.Annotations("es"));
        var concepts = new List<Concept>();
        var byStandardName = new Dictionary<string, Concept>(StringComparer.Ordinal);
        var (group, subgroup) = ("", "");
        foreach (var line in RegularFile.ReadLines(files.EmojiTest))
        {
            if (line.StartsWith("# group:", StringComparison.Ordinal))
                group = line["# group:".Length..].Trim();
            else if (line.StartsWith("# subgroup:", StringComparison.Ordinal))
                subgroup = line["# subgroup:".Length..].Trim();
            else if (SingleCodePoint(line) is int codePoint && group is not ("Symbols" or "Flags" or "Component"))
            {
                var standardName = english.Names.GetValueOrDefault(codePoint) ?? NameInTest(line);
                concepts.Add(Make(concepts.Count, codePoint, group, subgroup, standardName, english, spanish));
                byStandardName.TryAdd(standardName, concepts[^1]);
            }
        }
        if (concepts.Count == 0)
            throw new InvalidDataException($"{files.EmojiTest} lists no emoji; it has to be Unicode's emoji-test.txt.");
        return ([.. concepts], byStandardName);
    }

    private static int? SingleCodePoint(string line)
    {
        var end = line.IndexOf(';', StringComparison.Ordinal);
        if (end < 0 || line.StartsWith('#') || !line.AsSpan(end + 1).TrimStart().StartsWith("fully-qualified"))
            return null;
        var points = line[..end].Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(hex => int.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture))
            .Where(point => point != VariationSelector).ToArray();
        return points.Length == 1 && points[0] != ZeroWidthJoiner ? points[0] : null;
    }

    // "1F981 ; fully-qualified # 🦁 E1.0 lion"
    private static string NameInTest(string line)
    {
        var comment = line[(line.IndexOf('#', StringComparison.Ordinal) + 1)..].Trim();
        return comment.Split(' ', 3)[2];
    }

    private static Concept Make(
        int index, int codePoint, string group, string subgroup, string nameEn, Annotations english, Annotations spanish)
    {
        var nameEs = spanish.Names.GetValueOrDefault(codePoint);
        IReadOnlyList<string> termsEn, termsEs;
        if (ClockFace.Of(codePoint) is ClockFace clock)
            (termsEn, termsEs) = ([clock.English], [clock.Spanish]);
        else
        {
            var curated = CuratedWords.ByName.GetValueOrDefault(nameEn);
            termsEn = CuratedWords.Expand(curated?.English, nameEn);
            termsEs = CuratedWords.Expand(curated?.Spanish, nameEs);
        }
        if (termsEs.Count == 0)
            termsEs = [nameEn];
        return new Concept(
            index, codePoint, group, subgroup,
            new ConceptTerms([.. termsEn.Select(Words.English.Parse)], english.Keywords.GetValueOrDefault(codePoint) ?? []),
            new ConceptTerms([.. termsEs.Select(Words.Spanish.Parse)], spanish.Keywords.GetValueOrDefault(codePoint) ?? []));
    }

    /// <summary>CLDR's annotations of single code points: "tts" is the name, the other element the keywords.</summary>
    private sealed class Annotations
    {
        public Dictionary<int, string> Names { get; } = [];

        public Dictionary<int, IReadOnlyList<string>> Keywords { get; } = [];

        public static Annotations Read(IEnumerable<string> paths)
        {
            var annotations = new Annotations();
            foreach (var path in paths)
                annotations.ReadFile(path);
            return annotations;
        }

        private void ReadFile(string path)
        {
            // The files name a DTD that is not needed and may not be installed.
            var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null };
            try
            {
                using var reader = XmlReader.Create(path, settings);
                while (reader.ReadToFollowing("annotation"))
                {
                    var runes = (reader.GetAttribute("cp") ?? "").Replace("\uFE0F", "", StringComparison.Ordinal)
                        .EnumerateRunes().ToArray();
                    var isName = reader.GetAttribute("type") == "tts";
                    var text = reader.ReadElementContentAsString().Trim();
                    if (runes.Length != 1)
                        continue;
                    if (isName)
                        Names[runes[0].Value] = text;
                    else
                        Keywords[runes[0].Value] = text.Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
                }
            }
            catch (XmlException e)
            {
                throw new InvalidDataException($"{path} is not a CLDR annotations file: {e.Message}", e);
            }
        }
    }

    /// <summary>Clock faces have a time for a name; a caption needs the clock.</summary>
    private sealed record ClockFace(string English, string Spanish)
    {
        private const int OneOClock = 0x1F550;
        private const int OneThirty = 0x1F55C;

        private static readonly string[] HoursEn =
            ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
        private static readonly string[] HoursEs =
            ["la una", "las dos", "las tres", "las cuatro", "las cinco",
                "las seis", "las siete", "las ocho", "las nueve", "las diez", "las once", "las doce"];

        public static ClockFace? Of(int codePoint) => codePoint switch
        {
            >= OneOClock and < OneOClock + 12 => new(
                $"clock showing {HoursEn[codePoint - OneOClock]} o'clock", $"reloj marcando {HoursEs[codePoint - OneOClock]} en punto"),
            >= OneThirty and < OneThirty + 12 => new(
                $"clock showing {HoursEn[codePoint - OneThirty]}-thirty", $"reloj marcando {HoursEs[codePoint - OneThirty]} y media"),
            _ => null,
        };
    }
}
