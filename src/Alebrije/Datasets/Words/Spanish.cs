namespace Alebrije.Datasets.Words;

/// <summary>Spanish gender, articles, plurals and agreement for the noun phrases of the world.</summary>
internal static class Spanish
{
    // Where the head noun's gender does not follow its ending.
    private static readonly HashSet<string> Feminine = Words(
        "mano moto flor nube llave torre fuente sal miel leche carne nariz nuez luz cruz noche serpiente pirámide ave col calle " +
        "caña red pared ciudad vid perdiz lombriz raíz hoz base nieve gente bici foto radio señal playa piel tos sirena medusa oca " +
        "baguete baguette catedral piedra estatua costa corriente sangre clase frase tarde fiebre nave llama kaaba caja pajarita paella " +
        "fondue sartén imagen postal cárcel sal mujer madre actriz emperatriz lente legumbre valla ráfaga torre pared pizza");

    private static readonly HashSet<string> Masculine = Words(
        "mapa planeta día tranvía panda koala gorila puma pijama guardia "
            + "policía avión camión gorrión corazón buzón escorpión fantasma pentagrama fotograma golfista busca crucigrama " +
        "problema símbolo drama tema idioma sistema clima alien alienígena vampiro ninja genio troll trol yoga burrito sofá guardarropa " +
        "detective sari papá croissant quark futbolista pirata artista atleta astronauta dentista kebab falafel sake mate " +
        "ataúd césped laúd autobús minibús trolebús paraguas paracaídas lápiz pez arroz maíz tapiz disfraz altavoz antifaz cómic camping " +
        "portapapeles clip dragón tetrabrik comodín dron drácula mamut jardín cactus terremoto té café puré chalé canapé bebé " +
        "personaje agente portaobjetos karma gas mes");

    // Feminine nouns that take "un" and "el" because they begin with a stressed a.
    private static readonly HashSet<string> StressedA =
        Words("águila agua hacha ancla ánfora arpa ala ave arma aula área alga haba asta hada ansia");

    // Nouns in -s that are singular.
    private static readonly HashSet<string> SingularInS = Words(
        "paraguas paracaídas cactus salvavidas pintalabios autobús "
            + "minibús trolebús compás mes bíceps ananás sacacorchos tenis marcapáginas " +
        "portapapeles virus bus tos gas campus iris rascacielos abrelatas lacrosse arcoíris");

    private static readonly HashSet<string> LinkWords = Words(
        "de del a al con sin en por para que hacia sobre bajo tras detrás mostrando marcando y pero haciendo");

    // Words that do not change after a plural noun: nouns in apposition, colours of things, adverbs.
    private static readonly HashSet<string> Invariable = Words(
        "panda guía bala rosa naranja sirena ángel índice globo todoterreno arriba abajo ligeramente caniche tráiler lazarillo patrulla");

    // Stress: words whose plural loses or moves the written accent follow rules; these do not.
    private static readonly Dictionary<string, string> Irregular = new(StringComparer.Ordinal)
    {
        ["sándwich"] = "sándwiches", ["joystick"] = "joysticks", ["bumerán"] = "bumeranes", ["taxi"] = "taxis", ["bagel"] = "bagels",
        ["kebab"] = "kebabs", ["robot"] = "robots", ["hámster"] = "hámsteres",
            ["lápiz"] = "lápices", ["clip"] = "clips", ["cóctel"] = "cócteles",
        ["joven"] = "jóvenes", ["cómic"] = "cómics", ["camping"] = "campings", ["tetrabrik"] = "tetrabriks", ["cd"] = "CD", ["dvd"] = "DVD",
        ["dumpling"] = "dumplings", ["scooter"] = "scooters", ["pudin"] = "pudines", ["árbol"] = "árboles", ["móvil"] = "móviles",
        ["ángel"] = "ángeles", ["fútbol"] = "fútbol", ["croissant"] = "croissants",
            ["dónut"] = "dónuts", ["hotel"] = "hoteles", ["imagen"] = "imágenes",
        ["banjo"] = "banjos", ["sari"] = "saris", ["ovni"] = "ovnis", ["bikini"] = "bikinis", ["esquí"] = "esquís",
        ["t-rex"] = "t-rex", ["minidisc"] = "minidiscs", ["ninja"] = "ninjas", ["mango"] = "mangos", ["bloc"] = "blocs", ["bus"] = "buses",
        ["pretzel"] = "pretzels", ["bretzel"] = "bretzels", ["fondue"] = "fondues", ["falafel"] = "falafels", ["kárate"] = "kárate",
    };

    /// <summary>Reads a phrase with its marks: <c>~</c> mass, <c>!</c> proper.</summary>
    public static Term Parse(string marked)
    {
        var text = marked.TrimEnd('~', '!');
        var words = text.Split(' ');
        var head = words[0].ToLowerInvariant();
        if (text.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash)
            return new Term(text[..slash], NounKind.Count, text[(slash + 1)..], IsFeminine(head));
        if (marked.EndsWith('~'))
            return new Term(text, NounKind.Mass, text, IsFeminine(Singular(head)));
        if (marked.EndsWith('!'))
            return new Term(text, NounKind.Proper, text, IsFeminine(head));
        if (IsPlural(head))
            return new Term(text, NounKind.Plural, text, IsFeminine(Singular(head)));
        return new Term(text, NounKind.Count, PluralPhrase(words), IsFeminine(head));
    }

    /// <summary>"un león", "un águila", "una pequeña águila", "uvas", "pan".</summary>
    /// <param name="term">The noun phrase.</param>
    /// <param name="size">An adjective in masculine singular, or null.</param>
    /// <param name="some">True if plurals take "unos, unas".</param>
    public static string Indefinite(Term term, string? size, bool some)
    {
        var phrase = term.Text;
        if (size is not null)
        {
            // A single noun takes the adjective behind it; before a longer phrase it is clearer in front.
            var after = !phrase.Contains(' ', StringComparison.Ordinal) && size != "gran";
            var adjective = after ? Agree(size, term) : Agree(Shortened(size), term);
            phrase = after ? $"{phrase} {adjective}" : $"{adjective} {phrase}";
        }
        return term.Kind switch
        {
            NounKind.Count => $"{One(phrase, term.Feminine)} {phrase}",
            NounKind.Plural when some => $"{(term.Feminine ? "unas" : "unos")} {phrase}",
            NounKind.Proper when size is not null => $"{One(phrase, term.Feminine)} {phrase}",
            NounKind.Proper when TakesArticle(term.Text) => $"{(term.Feminine ? "la" : "el")} {phrase}",
            _ => phrase,
        };
    }

    /// <summary>"el león", "el águila", "la moto", "las uvas"; proper names of people have no article.</summary>
    public static string Definite(Term term) => term.Kind switch
    {
        NounKind.Proper when !TakesArticle(term.Text) => term.Text,
        NounKind.Plural => $"{(term.Feminine ? "las" : "los")} {term.Text}",
        _ => term.Feminine && !StressedA.Contains(FirstWord(term.Text)) ? $"la {term.Text}" : $"el {term.Text}",
    };

    /// <summary>An adjective given in masculine singular, agreeing with the noun.</summary>
    public static string Agree(string adjective, Term term)
    {
        var word = term.Feminine && adjective.EndsWith('o') ? adjective[..^1] + "a" : adjective;
        if (term.Kind != NounKind.Plural)
            return word;
        return word == "gran" ? "grandes" : Pluralise(word);
    }

    /// <summary>Joins a preposition and an article where Spanish does: "del coche", "al lado".</summary>
    public static string Contract(string sentence) =>
        sentence.Replace(" de el ", " del ", StringComparison.Ordinal).Replace(" a el ", " al ", StringComparison.Ordinal);

    /// <summary>"y", or "e" before a word that begins with the sound i.</summary>
    public static string And(string next)
    {
        var word = FirstWord(next);
        var soundsI = word.StartsWith('i') || word.StartsWith('í')
            || (word.StartsWith("hi", StringComparison.Ordinal) && !word.StartsWith("hie", StringComparison.Ordinal));
        return soundsI ? "e" : "y";
    }

    private static bool TakesArticle(string name) => !name.EndsWith("Noel", StringComparison.Ordinal);

    private static string Shortened(string size) => size == "grande" ? "gran" : size;

    private static string One(string phrase, bool feminine) => feminine && !StressedA.Contains(FirstWord(phrase)) ? "una" : "un";

    private static string FirstWord(string phrase) => phrase.Split(' ')[0].ToLowerInvariant();

    private static bool IsFeminine(string head)
    {
        if (Masculine.Contains(head))
            return false;
        if (Feminine.Contains(head) || StressedA.Contains(head))
            return true;
        return head.EndsWith('a') || head.EndsWith("ión", StringComparison.Ordinal) || head.EndsWith("dad", StringComparison.Ordinal)
            || head.EndsWith("tud", StringComparison.Ordinal) || head.EndsWith("umbre", StringComparison.Ordinal);
    }

    private static bool IsPlural(string head) =>
        head.EndsWith('s') && head.Length > 3 && !SingularInS.Contains(head)
        && (!head.EndsWith("ís", StringComparison.Ordinal) || head == "esquís");

    // Enough of a singular to find its gender.
    private static string Singular(string head)
    {
        if (head.EndsWith("iones", StringComparison.Ordinal))
            return head[..^4] + "ón";
        if (head.EndsWith("dades", StringComparison.Ordinal))
            return head[..^2];
        var one = head.EndsWith('s') ? head[..^1] : head;
        // "flores" is of "flor", "torres" of "torre".
        return one.EndsWith('e') && Feminine.Contains(one[..^1]) ? one[..^1] : one;
    }

    private static string PluralPhrase(string[] words)
    {
        var plural = (string[])words.Clone();
        for (var i = 0; i < words.Length; i++)
        {
            var lower = words[i].ToLowerInvariant();
            if (i > 0 && (LinkWords.Contains(lower) || IsGerund(lower) || char.IsAsciiDigit(lower[0])))
            {
                if (lower != "y" || i + 1 >= words.Length)
                    break;
                continue;
            }
            if (i > 0 && Invariable.Contains(lower))
                continue;
            plural[i] = Pluralise(words[i]);
        }
        return string.Join(' ', plural);
    }

    private static bool IsGerund(string word) =>
        word.EndsWith("ando", StringComparison.Ordinal) || word.EndsWith("endo", StringComparison.Ordinal)
        || word.EndsWith("ándose", StringComparison.Ordinal)
        || word.EndsWith("éndose", StringComparison.Ordinal);

    private static string Pluralise(string word)
    {
        if (Irregular.TryGetValue(word.ToLowerInvariant(), out var plural))
            return plural;
        var last = word[^1];
        if ("aeiouéáó".Contains(last, StringComparison.Ordinal))
            return word + "s";
        if ("íú".Contains(last, StringComparison.Ordinal))
            return word + "es";
        if (last == 'z')
            return word[..^1] + "ces";
        if (last is 's' or 'x')
        {
            // Only a stressed last syllable takes -es: autobús, autobuses; cactus, cactus.
            return word[^2] switch
            {
                'ú' => word[..^2] + "uses",
                'á' => word[..^2] + "ases",
                'é' => word[..^2] + "eses",
                _ => word is "mes" or "gas" or "tos" ? word + "es" : word,
            };
        }
        if (last is 'n' or 'l' or 'r' && "áéíóú".Contains(word[^2], StringComparison.Ordinal))
        {
            var open = "aeiou"["áéíóú".IndexOf(word[^2], StringComparison.Ordinal)];
            return last == 'n' || word[^2] != 'í' ? word[..^2] + open + last + "es" : word + "es";
        }
        return word + "es";
    }

    private static HashSet<string> Words(string list) =>
        new(list.Split(' ', StringSplitOptions.RemoveEmptyEntries), StringComparer.Ordinal);
}
