using System.Buffers;
using System.Text;
using System.Text.Json;
using Alebrije.Preprocessing.Tokenizers.Cleaning;
using Alebrije.Preprocessing.Tokenizers.SentencePiece;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Id layout of a <see cref="UnigramTokenizer"/>.</summary>
public enum UnigramDialect
{
    /// <summary>T5 (transformers, models/t5): the vocabulary's own ids, the text ended by <c>&lt;/s&gt;</c>.</summary>
    T5,

    /// <summary>
    /// XLM-R (transformers, models/xlm_roberta): ids of fairseq, one above the vocabulary's, with <c>&lt;s&gt;</c> 0, <c>&lt;pad&gt;</c> 1,
    /// <c>&lt;/s&gt;</c> 2, <c>&lt;unk&gt;</c> 3 and <c>&lt;mask&gt;</c> last; the text is between <c>&lt;s&gt;</c> and <c>&lt;/s&gt;</c>.
    /// </summary>
    XlmRoberta,
}

/// <summary>
/// SentencePiece with a unigram language model (Kudo, 2018; Kudo and Richardson, 2018), the tokenizer of T5 and XLM-R: the same ids as
/// the reference. Safe to use from many threads.
/// </summary>
public sealed class UnigramTokenizer : ITextTokenizer
{
    private const string T5File = "spiece.model", XlmRobertaFile = "sentencepiece.bpe.model";
    private const string Start = "<s>", Padding = "<pad>", End = "</s>", Mask = "<mask>";
    private const int UsualLength = 512, FairseqOffset = 1, FairseqUnknown = 3;

    private readonly SentencePieceModel model;
    private readonly SentencePieceNormaliser normaliser;
    private readonly UnigramSegmenter segmenter;
    private readonly AddedTokens typed = AddedTokens.None;

    private UnigramTokenizer(SentencePieceModel model, UnigramDialect dialect, string path, string? folder)
    {
        (this.model, Dialect) = (model, dialect);
        try
        {
            (normaliser, segmenter) = (new SentencePieceNormaliser(model), new UnigramSegmenter(model));
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"'{path}' is not a valid SentencePiece model: {error.Message}.", error);
        }

        var padding = Padding;
        if (folder is not null) (typed, padding, MaxLength) = ReadFolder(folder);
        if (dialect == UnigramDialect.XlmRoberta)
        {
            (StartId, PadId, EndId, UnknownId) = (0, 1, 2, FairseqUnknown);
            VocabularySize = model.Pieces.Count + FairseqOffset + 1;
            return;
        }

        (VocabularySize, UnknownId) = (model.Pieces.Count, model.UnknownId);
        EndId = Find(End) ?? throw new InvalidDataException($"'{path}' has no piece {End}, which ends every text of T5.");
        PadId = Find(padding) ?? 0;
    }

    private UnigramTokenizer(UnigramTokenizer other, ClipDialect cleaning)
    {
        (model, normaliser, segmenter, typed, Dialect, Cleaning) = (other.model,
            other.normaliser, other.segmenter, other.typed, other.Dialect, cleaning);
        (StartId, EndId, PadId, UnknownId) = (other.StartId, other.EndId, other.PadId, other.UnknownId);
        (MaxLength, VocabularySize) = (other.MaxLength, other.VocabularySize);
    }

    /// <summary>Layout of the ids.</summary>
    public UnigramDialect Dialect { get; }

    /// <summary>Id that opens every text, or null if there is none.</summary>
    public int? StartId { get; }

    /// <inheritdoc/>
    public int EndId { get; }

    /// <summary>Id of the padding after the end; 0 if the vocabulary names none.</summary>
    public int PadId { get; }

    /// <summary>Id of unknown text.</summary>
    public int UnknownId { get; }

    /// <inheritdoc/>
    public int MaxLength { get; } = UsualLength;

    /// <inheritdoc/>
    public int VocabularySize { get; }

    /// <summary>Cleaning of texts before normalisation; null for none.</summary>
    internal ClipDialect? Cleaning { get; }

    /// <summary>Pieces by id of the vocabulary.</summary>
    internal IEnumerable<string> Symbols => model.Pieces.Select(piece => piece.Text);

    /// <summary>True if a folder contains a vocabulary for <see cref="Load"/>.</summary>
    public static bool IsIn(string folder) => FileIn(folder) is not null;

    /// <summary>
    /// Reads a tokenizer's folder in the layout of transformers: <c>sentencepiece.bpe.model</c> (XLM-R), <c>spiece.model</c> (T5) or a
    /// <c>tokenizer.json</c> of T5's kind and, if present, tokenizer_config.json and special_tokens_map.json for padding, length and
    /// tokens that are recognised if a text spells them.
    /// </summary>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    /// <exception cref="FileNotFoundException">The folder has no such vocabulary.</exception>
    /// <exception cref="InvalidDataException">A file has invalid content, or is of another family.</exception>
    public static UnigramTokenizer Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"There is no tokenizer folder '{folder}'.");
        var file = FileIn(folder) ?? throw new FileNotFoundException(
            $"'{folder}' is not a unigram tokenizer: it has neither {XlmRobertaFile} "
                + $"nor {T5File}, nor a {UnigramJson.FileName} of that kind.");
        var (path, dialect) = (Path.Combine(folder, file), file == XlmRobertaFile ? UnigramDialect.XlmRoberta : UnigramDialect.T5);
        return new UnigramTokenizer(SentencePieceModel.Read(path), dialect, path, folder);
    }

    /// <summary>Reads a folder for a model of open_clip, which cleans texts first (src/open_clip/tokenizer.py, HFTokenizer).</summary>
    /// <param name="folder">As for <see cref="Load"/>.</param>
    /// <param name="cleaning">The model's cleaning.</param>
    internal static UnigramTokenizer LoadForOpenClip(string folder, ClipDialect cleaning) => new(Load(folder), cleaning);

    /// <summary>Reads a vocabulary alone, without special tokens in texts.</summary>
    /// <param name="path">A <c>.model</c> file of SentencePiece.</param>
    /// <param name="dialect">Layout of the ids.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or no unigram model.</exception>
    public static UnigramTokenizer LoadModel(string path, UnigramDialect dialect = UnigramDialect.T5)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Enum.IsDefined(dialect))
            throw new ArgumentException($"There is no dialect {dialect}; there are {string.Join(", ", Enum.GetNames<UnigramDialect>())}.",
                nameof(dialect));
        return new UnigramTokenizer(SentencePieceModel.Read(path), dialect, path, folder: null);
    }

    /// <summary>The text as the vocabulary reads it: normalised, spaces as U+2581.</summary>
    public string Clean(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Encoding.UTF8.GetString(NormalForm(Prepared(text)).WrittenSpan);
    }

    /// <inheritdoc/>
    public int[] Encode(string text)
    {
        var ids = new List<int>();
        Walk(text, ids, tokens: null);
        return [.. ids];
    }

    /// <summary>Pieces of a whole text, one for each id of <see cref="Encode"/>; an unknown piece is its text.</summary>
    public string[] Tokens(string text)
    {
        var tokens = new List<string>();
        Walk(text, [], tokens);
        return [.. tokens];
    }

    /// <summary>Text of ids; unknown pieces become U+2047.</summary>
    /// <param name="ids">Ids below <see cref="VocabularySize"/>.</param>
    /// <param name="keepSpecial">True to include start, end and other special tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public string Decode(IReadOnlyList<int> ids, bool keepSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new List<byte>(ids.Count * 4);
        foreach (var id in ids)
        {
            if (id < 0 || id >= VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(ids), id,
                    $"The vocabulary has no token {id}; ids go from 0 to {VocabularySize - 1}.");
            var piece = PieceOf(id);
            if (piece.Kind == PieceKind.Unknown) bytes.AddRange(" \u2047 "u8);
            else if (piece.Kind == PieceKind.Byte) bytes.Add(Convert.FromHexString(piece.Text.AsSpan(3, 2))[0]);
            else if (piece.Kind != PieceKind.Control || keepSpecial) bytes.AddRange(piece.Utf8);
        }

        var text = Encoding.UTF8.GetString([.. bytes]).Replace('\u2581', ' ');
        return model.AddsSpace && !model.SpaceIsSuffix && text.StartsWith(' ') ? text[1..]
            : model.AddsSpace && model.SpaceIsSuffix && text.EndsWith(' ') ? text[..^1] : text;
    }

    private static string? FileIn(string folder) =>
        File.Exists(Path.Combine(folder, XlmRobertaFile)) ? XlmRobertaFile
        : File.Exists(Path.Combine(folder, T5File)) ? T5File : UnigramJson.IsIn(folder) ? UnigramJson.FileName : null;

    private string Prepared(string text) => Cleaning is { } cleaning ? ClipCleaning.Clean(text, cleaning) : text;

    private void Walk(string text, List<int> ids, List<string>? tokens)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = Prepared(text);
        if (StartId is { } start) Add(start, Start);
        var place = 0;
        for (; typed.Find(text, place) is { } found; place = found.End)
        {
            WalkBetween(text.AsSpan(place, found.Start - place), ids, tokens);
            Add(found.Id, tokens is null ? "" : text[found.Start..found.End]);
        }

        WalkBetween(text.AsSpan(place), ids, tokens);
        Add(EndId, End);

        void Add(int id, string token)
        {
            ids.Add(id);
            tokens?.Add(token);
        }
    }

    private void WalkBetween(ReadOnlySpan<char> text, List<int> ids, List<string>? tokens)
    {
        var normal = NormalForm(text).WrittenSpan;
        var wasUnknown = false;
        foreach (var segment in segmenter.Cut(normal))
        {
            var spelling = normal.Slice(segment.Start, segment.Length);
            var isUnknown = segment.Id == model.UnknownId;
            if (isUnknown && model.FallsBackToBytes)
            {
                foreach (var value in spelling)
                {
                    ids.Add(IdOf(model.ByteIds[value]));
                    tokens?.Add(model.Pieces[model.ByteIds[value]].Text);
                }
            }
            else if (isUnknown && wasUnknown)
            {
                // Consecutive unknown characters are one token.
                if (tokens is not null) tokens[^1] += Encoding.UTF8.GetString(spelling);
            }
            else
            {
                ids.Add(IdOf(segment.Id));
                tokens?.Add(Encoding.UTF8.GetString(spelling));
            }

            wasUnknown = isUnknown;
        }
    }

    private ArrayBufferWriter<byte> NormalForm(ReadOnlySpan<char> text)
    {
        var normal = new ArrayBufferWriter<byte>(Math.Max((2 * text.Length) + 8, 16));
        normaliser.Normalise(text, normal);
        return normal;
    }

    /// <summary>Id in the dialect of an id of the vocabulary.</summary>
    private int IdOf(int id) => Dialect == UnigramDialect.T5 ? id : id == model.UnknownId ? FairseqUnknown : id + FairseqOffset;

    /// <summary>The piece of an id; fairseq's special tokens are control pieces.</summary>
    private Piece PieceOf(int id)
    {
        if (Dialect == UnigramDialect.T5) return model.Pieces[id];
        if (id == FairseqUnknown) return model.Pieces[model.UnknownId];
        return id == VocabularySize - 1 ? Special(Mask) : id < FairseqUnknown
            ? Special(id == StartId ? Start : id == PadId ? Padding : End) : model.Pieces[id - FairseqOffset];

        static Piece Special(string token) => new(Encoding.UTF8.GetBytes(token), 0, PieceKind.Control);
    }

    private int? Find(string spelling)
    {
        var utf8 = Encoding.UTF8.GetBytes(spelling);
        for (var id = 0; id < model.Pieces.Count; id++)
            if (model.Pieces[id].Utf8.AsSpan().SequenceEqual(utf8)) return id;
        return null;
    }

    private (AddedTokens Typed, string Padding, int MaxLength) ReadFolder(string folder)
    {
        var (specials, length) = (new Dictionary<string, string>(StringComparer.Ordinal), UsualLength);
        foreach (var file in (string[])["special_tokens_map.json", "tokenizer_config.json"])
        {
            using var json = TokenizerFiles.Open(folder, file);
            if (json is null) continue;
            foreach (var member in json.RootElement.EnumerateObject())
            {
                var content = member.Value.ValueKind == JsonValueKind.Object
                    && member.Value.TryGetProperty("content", out var inner) ? inner : member.Value;
                if (content.ValueKind == JsonValueKind.String && member.Name.EndsWith("_token", StringComparison.Ordinal))
                    specials[member.Name] = content.GetString()!;
                if (member.Name == "model_max_length" && content.ValueKind == JsonValueKind.Number
                    && content.GetDouble() is >= 3 and <= 1_000_000 and var given) length = (int)given;
                if (member.Name == "tokenizer_class" && content.ValueKind == JsonValueKind.String) CheckClass(folder, content.GetString()!);
            }
        }

        var found = specials.Values.Distinct(StringComparer.Ordinal)
            .Select(content => (Content: content, Id: SpecialId(content))).Where(special => special.Id is not null);
        return (new AddedTokens(found.Select(special => new AddedToken(special.Content, special.Id!.Value, Normalized: false))),
            specials.GetValueOrDefault("pad_token", Padding), length);
    }

    private int? SpecialId(string content) => Dialect == UnigramDialect.T5 ? Find(content) : content switch
    {
        Start => 0,
        Padding => 1,
        End => 2,
        "<unk>" => FairseqUnknown,
        Mask => model.Pieces.Count + FairseqOffset,
        _ => null,
    };

    private void CheckClass(string folder, string className)
    {
        var expected = Dialect == UnigramDialect.T5 ? "T5Tokenizer" : "XLMRobertaTokenizer";
        if (className != expected && className != expected + "Fast")
            throw new InvalidDataException(
                $"'{folder}' is of the class {className}; with its file only {expected} is supported, and its ids may differ.");
    }
}
