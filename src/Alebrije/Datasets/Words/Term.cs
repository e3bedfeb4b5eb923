namespace Alebrije.Datasets.Words;

/// <summary>Grammatical kinds of nouns: "a lion", "grapes", "bread", "Mount Fuji".</summary>
internal enum NounKind { Count, Plural, Mass, Proper }

/// <summary>A noun phrase ready for grammar.</summary>
/// <param name="Text">The phrase as a dictionary gives it, without article.</param>
/// <param name="Kind">Grammatical kind, which decides article and number.</param>
/// <param name="Plural">The phrase for several of it; for nouns that cannot be counted, the same as <paramref name="Text"/>.</param>
/// <param name="Feminine">Spanish gender; false in English.</param>
internal sealed record Term(string Text, NounKind Kind, string Plural, bool Feminine = false);
