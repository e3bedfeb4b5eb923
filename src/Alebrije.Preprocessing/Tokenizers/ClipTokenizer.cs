using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using Alebrije.Preprocessing.Tokenizers.Cleaning;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// CLIP's byte-level BPE (Radford et al., 2021, §2.4): text to ids and back, with the same ids as the reference tokenizers.
/// Safe to use from many threads.
/// </summary>
public sealed class ClipTokenizer : ITextTokenizer
{
    private readonly BytePairEncoder encoder;
    private readonly ClipWordRules rules;
    private readonly string?[] symbols;
    private readonly bool[] isSpecial;
    private readonly AddedTokens typed = AddedTokens.None, typedCleaned = AddedTokens.None;
    private readonly PlainAlphabet? plain;
    private readonly int firstAdded = int.MaxValue;

    private ClipTokenizer(TokenizerFiles files)
    {
        (Dialect, rules) = (ClipDialect.Transformers, ClipWordRules.Transformers);
        (StartId, EndId, PadId, MaxLength) = (files.StartId, files.EndId, files.PadId, files.MaxLength);
        encoder = new BytePairEncoder(files.Vocabulary, files.Merges, files.UnknownId);

        typed = new(files.Added.Where(token => !token.Normalized));
        typedCleaned = new(files.Added.Where(token => token.Normalized)
            .Select(token => token with { Content = ClipCleaning.Clean(token.Content, Dialect) }));

        symbols = new string?[Math.Max(files.Vocabulary.Values.Max(), files.Added.Max(token => token.Id)) + 1];
        foreach (var (symbol, id) in files.Vocabulary)
            symbols[id] = symbol;
        isSpecial = new bool[symbols.Length];
        foreach (var token in files.Added)
            (symbols[token.Id], isSpecial[token.Id]) = (token.Content, true);
        plain = PlainOf();
    }

    private ClipTokenizer(BpeVocabulary vocabulary, ClipDialect dialect, int maxLength, int padId)
    {
        (Dialect, rules) = (dialect, ClipWordRules.Of(dialect));
        symbols = [.. vocabulary.Tokens];
        (StartId, EndId, PadId, MaxLength) = (symbols.Length - 2, symbols.Length - 1, padId, maxLength);
        (symbols[StartId], symbols[EndId]) = (rules.Start, rules.End);

        // If merges spell a symbol twice, the last id counts, as in the reference's dictionary.
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var id = 0; id < symbols.Length; id++)
            ids[symbols[id]!] = id;
        encoder = new BytePairEncoder(ids, vocabulary.Merges, EndId);
        isSpecial = new bool[symbols.Length];
        isSpecial[StartId] = isSpecial[EndId] = true;
        if (dialect == ClipDialect.Transformers)
        {
            isSpecial[padId] = true;
            int[] specials = [StartId, EndId, padId];
            typed = new(specials.Distinct().Select(id => new AddedToken(symbols[id]!, id, Normalized: false)));
        }
        else
        {
            encoder.Remember(rules.Start, [StartId]);
            encoder.Remember(rules.End, [EndId]);
        }
        plain = PlainOf();
    }

    private ClipTokenizer(ClipTokenizer from, IReadOnlyList<AddedToken> added)
    {
        (Dialect, rules, encoder, typedCleaned) = (from.Dialect, from.rules, from.encoder, from.typedCleaned);
        (StartId, EndId, PadId, MaxLength) = (from.StartId, from.EndId, from.PadId, from.MaxLength);
        firstAdded = Math.Min(from.firstAdded, added.Min(token => token.Id));
        symbols = new string?[Math.Max(from.symbols.Length, added.Max(token => token.Id + token.Count))];
        from.symbols.CopyTo(symbols, 0);
        isSpecial = new bool[symbols.Length];
        from.isSpecial.CopyTo(isSpecial, 0);
        var each = new List<AddedToken>(from.typed.Tokens);
        foreach (var token in added)
        {
            each.Add(token);
            for (var i = 0; i < token.Count; i++)
            {
                (symbols[token.Id + i], isSpecial[token.Id + i]) = (i == 0 ? token.Content : $"{token.Content}_{i}", true);
                if (i > 0) each.Add(new AddedToken(symbols[token.Id + i]!, token.Id + i, Normalized: false));
            }
        }

        typed = new(each);
        plain = PlainOf();
    }

    /// <summary>Rules of cleaning and splitting that this tokenizer follows.</summary>
    public ClipDialect Dialect { get; }

    /// <summary>Id of the token that opens every text.</summary>
    public int StartId { get; }

    /// <summary>Id of the token that ends every text.</summary>
    public int EndId { get; }

    /// <summary>Id of the padding after the end: 0 in OpenAI's code and Karlo, <see cref="EndId"/> in Stable Diffusion 1.</summary>
    public int PadId { get; }

    /// <summary>Context length of the model in tokens, start and end included.</summary>
    public int MaxLength { get; }

    /// <summary>Rows of an embedding table for these ids: the largest id plus one.</summary>
    public int VocabularySize => symbols.Length;

    /// <summary>Symbols by id; null at a gap of the vocabulary.</summary>
    internal IReadOnlyList<string?> Symbols => symbols;

    /// <summary>
    /// Reads a tokenizer folder in the layout of transformers: vocab.json with merges.txt (or tokenizer.json alone), and, if
    /// present, tokenizer_config.json and special_tokens_map.json for the padding, the length and added tokens.
    /// </summary>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    /// <exception cref="FileNotFoundException">A required file is missing.</exception>
    /// <exception cref="InvalidDataException">A file has invalid content.</exception>
    public static ClipTokenizer Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        try
        {
            return new ClipTokenizer(new TokenizerFiles(folder));
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException(
                $"A file of the tokenizer folder '{folder}' has a value of another kind than belongs there: {error.Message}", error);
        }
    }

    /// <summary>Reads the vocabulary file of openai/CLIP and open_clip, <c>bpe_simple_vocab_16e6.txt.gz</c>; padding id 0.</summary>
    /// <param name="bpeFile">The file, gzipped or not.</param>
    /// <param name="dialect">Any except <see cref="ClipDialect.Transformers"/>, whose layout is a folder.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">A line is not a merge, or the file is cut short.</exception>
    public static ClipTokenizer LoadOpenAi(string bpeFile, ClipDialect dialect = ClipDialect.OpenAi)
    {
        if (dialect == ClipDialect.Transformers)
            throw new ArgumentException($"A single vocabulary file does not contain "
                + $"the padding token of the transformers dialect; use {nameof(Create)}, or {nameof(Load)} for a folder.", nameof(dialect));
        return Create(BpeVocabulary.ReadOpenAi(bpeFile), dialect);
    }

    /// <summary>The tokenizer of openai/CLIP and open_clip with the built-in vocabulary; padding id 0.</summary>
    /// <param name="dialect">Any except <see cref="ClipDialect.Transformers"/>.</param>
    /// <param name="maxLength">Tokens of a row, start and end included; at least 3.</param>
    public static ClipTokenizer OpenAi(ClipDialect dialect = ClipDialect.OpenAi, int maxLength = 77)
    {
        if (dialect == ClipDialect.Transformers)
            throw new ArgumentException("In the transformers dialect a folder contains the padding token; use Load.", nameof(dialect));
        return Create(BpeVocabulary.OpenAi(), dialect, maxLength);
    }

    /// <summary>A tokenizer of a vocabulary in memory, as <see cref="Load"/> after <see cref="BpeVocabulary.Save"/>.</summary>
    /// <param name="vocabulary">Learnt by <see cref="BpeTrainer"/>, or read.</param>
    /// <param name="dialect">Rules to follow.</param>
    /// <param name="maxLength">Tokens of a row, start and end included; at least 3.</param>
    /// <param name="padToken">Padding symbol; in the transformers dialect a text that spells it gets its id.</param>
    /// <exception cref="ArgumentException">The padding is not in the vocabulary, the length is below 3, or an unknown dialect.</exception>
    public static ClipTokenizer Create(BpeVocabulary vocabulary,
        ClipDialect dialect = ClipDialect.Transformers, int maxLength = 77, string padToken = "!")
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        if (!Enum.IsDefined(dialect))
            throw new ArgumentException($"There is no dialect {dialect}; there are {string.Join(", ", Enum.GetNames<ClipDialect>())}.",
                nameof(dialect));
        return new ClipTokenizer(vocabulary, dialect, maxLength, vocabulary.Check(maxLength, padToken));
    }

    /// <summary>
    /// The tokenizer with further tokens, found in texts exactly as typed (transformers, add_tokens). A token of several ids is
    /// replaced by all of them; its later ids are also named with the suffixes _1, _2, ... (diffusers, loaders/textual_inversion.py).
    /// </summary>
    /// <param name="added">Tokens with unused ids.</param>
    internal ClipTokenizer With(IReadOnlyList<AddedToken> added) => added.Count == 0 ? this : new(this, added);

    /// <summary>Number of ids of the added token that begins with an id; 1 if there is none.</summary>
    internal int CountAt(int id)
    {
        if (id >= firstAdded)
            foreach (var token in typed.Tokens)
                if (token.Id == id && token.Count > 1) return token.Count;
        return 1;
    }

    /// <summary>The text as the vocabulary reads it, special tokens unchanged.</summary>
    public string Clean(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return ClipCleaning.Clean(text, Dialect);
    }

    /// <summary>Ids of a whole text: start, words, end; neither cut nor padded.</summary>
    [SkipLocalsInit]
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new IdBuffer(stackalloc int[IdBuffer.Usual]);
        Encode(text, ref ids);
        var found = ids.Found.ToArray();
        ids.Dispose();
        return found;
    }

    /// <summary>Symbols of a whole text as in the vocabulary: words end in <c>&lt;/w&gt;</c>, bytes are printable characters.</summary>
    public string[] Tokens(string text) => [.. Encode(text).Select(id => symbols[id]!)];

    /// <summary>Tokens of a whole text with their ranges: the same ids as <see cref="Encode(string)"/>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="cleaned">The text as the vocabulary reads it; the ranges refer to it.</param>
    public IReadOnlyList<ClipToken> EncodeToTokens(string text, out string cleaned)
    {
        ArgumentNullException.ThrowIfNull(text);
        return EncodeToTokens(text, cleans: true, splits: true, out cleaned);
    }

    /// <inheritdoc cref="EncodeToTokens(string, out string)"/>
    /// <param name="text">The text.</param>
    /// <param name="cleans">True to clean the text first.</param>
    /// <param name="splits">True to split it into words; otherwise it is one.</param>
    /// <param name="cleaned">The text that the ranges refer to.</param>
    internal IReadOnlyList<ClipToken> EncodeToTokens(string text, bool cleans, bool splits, out string cleaned)
    {
        var tokens = new ClipTokenList(symbols, isSpecial);
        tokens.AddBetween(StartId);
        var place = 0;
        for (; typed.Find(text, place) is { } found; place = found.End)
        {
            AddCleaned(text[place..found.Start]);
            AddTyped(found, text);
        }

        AddCleaned(text[place..]);
        tokens.AddBetween(EndId);
        cleaned = tokens.Cleaned;
        return tokens.Tokens;

        void AddCleaned(string piece)
        {
            var clean = cleans ? ClipCleaning.Clean(piece, Dialect) : piece;
            var from = 0;
            for (; typedCleaned.Find(clean, from) is { } found; from = found.End)
            {
                AddWords(clean.AsSpan(from, found.Start - from));
                AddTyped(found, clean);
            }

            AddWords(clean.AsSpan(from));
        }

        void AddTyped((int Start, int End, int Id, int Count) found, string within)
        {
            tokens.AddTyped(found.Id, within.AsSpan(found.Start, found.End - found.Start));
            for (var i = 1; i < found.Count; i++) tokens.AddBetween(found.Id + i);
        }

        void AddWords(ReadOnlySpan<char> clean)
        {
            if (clean.Length == 0) return;
            var ids = new IdBuffer(stackalloc int[IdBuffer.Usual]);
            var words = new ClipWordReader(clean, rules);
            var behind = 0;
            while (splits ? words.MoveNext() : behind < clean.Length)
            {
                var word = splits ? words.Current : clean;
                var start = splits ? words.Start : 0;
                tokens.AddSpace(clean[behind..start]);
                ids.Clear();
                encoder.Encode(word, ref ids);
                tokens.AddWord(word, ids.Found);
                behind = start + word.Length;
            }

            tokens.AddSpace(clean[behind..]);
            ids.Dispose();
        }
    }

    /// <summary>Text of ids: words in lower case with single spaces; bytes that are not UTF-8 become U+FFFD.</summary>
    /// <param name="ids">Ids below <see cref="VocabularySize"/>.</param>
    /// <param name="keepSpecial">True to include start, end and other special tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public string Decode(IReadOnlyList<int> ids, bool keepSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new List<byte>(ids.Count * 4);
        foreach (var id in ids)
        {
            if (id < 0 || id >= symbols.Length || symbols[id] is not { } symbol)
                throw new ArgumentOutOfRangeException(nameof(ids), id,
                    $"The vocabulary has no token {id}; ids go from 0 to {symbols.Length - 1}.");
            if (isSpecial[id])
            {
                if (keepSpecial || id >= firstAdded)
                    bytes.AddRange(Encoding.UTF8.GetBytes(symbol + " "));
                continue;
            }
            var ends = symbol.EndsWith(ByteSymbols.EndOfWord, StringComparison.Ordinal);
            foreach (var unit in ends ? symbol.AsSpan(0, symbol.Length - ByteSymbols.EndOfWord.Length) : symbol)
                bytes.Add(ByteSymbols.TryGetByte(unit, out var value) ? value : (byte)'?');
            if (ends)
                bytes.Add((byte)' ');
        }
        return Encoding.UTF8.GetString([.. bytes]).Trim(' ');
    }

    /// <summary>Characters of texts that need no cleaning except lower case; null in dialects with other cleaning.</summary>
    private PlainAlphabet? PlainOf() => Dialect is ClipDialect.OpenClipWhitespace or ClipDialect.OpenClipCanonicalize
        ? null : new PlainAlphabet(typed.Initials.Concat(typedCleaned.Initials));

    private void Encode(string text, scoped ref IdBuffer ids)
    {
        ids.Add(StartId);
        if (plain is not null && plain.Spells(text)) EncodePlain(text, ref ids);
        else EncodeTyped(text, ref ids);
        ids.Add(EndId);
    }

    [SkipLocalsInit]
    private void EncodePlain(string text, scoped ref IdBuffer ids)
    {
        const int OnStack = 512;
        var size = Encoding.UTF8.GetMaxByteCount(text.Length) + (2 * WordCache.Padding);
        var rented = size > OnStack ? ArrayPool<byte>.Shared.Rent(size) : null;
        var bytes = rented ?? stackalloc byte[OnStack];
        var length = Encoding.UTF8.GetBytes(text, bytes);
        bytes.Slice(length, 2 * WordCache.Padding).Clear();
        PlainWordReader.Lower(bytes, length);
        var words = new PlainWordReader(bytes, length);
        while (words.MoveNext())
            encoder.Encode(bytes, words.Start, words.Length, ref ids);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
    }

    /// <summary>Extracts the special tokens that the text spells exactly; cleans and encodes the text between them.</summary>
    private void EncodeTyped(string text, scoped ref IdBuffer ids)
    {
        var place = 0;
        for (; typed.Find(text, place) is { } found; place = found.End)
        {
            EncodeCleaned(text[place..found.Start], ref ids);
            for (var i = 0; i < found.Count; i++) ids.Add(found.Id + i);
        }
        EncodeCleaned(place == 0 ? text : text[place..], ref ids);
    }

    private void EncodeCleaned(string text, scoped ref IdBuffer ids)
    {
        var clean = ClipCleaning.Clean(text, Dialect);
        var place = 0;
        for (; typedCleaned.Find(clean, place) is { } found; place = found.End)
        {
            EncodeWords(clean.AsSpan(place, found.Start - place), ref ids);
            ids.Add(found.Id);
        }
        EncodeWords(clean.AsSpan(place), ref ids);
    }

    private void EncodeWords(ReadOnlySpan<char> clean, scoped ref IdBuffer ids)
    {
        var words = new ClipWordReader(clean, rules);
        while (words.MoveNext())
            encoder.Encode(words.Current, ref ids);
    }
}
