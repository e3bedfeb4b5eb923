using System.Globalization;
using System.Text;

namespace Alebrije.Preprocessing.Tokenizers.SentencePiece;

/// <summary>Type of a piece (sentencepiece_model.proto, SentencePiece.Type).</summary>
internal enum PieceKind
{
    /// <summary>A piece of text with a score.</summary>
    Normal = 1,

    /// <summary>The piece of unknown text.</summary>
    Unknown = 2,

    /// <summary>A piece that is in no text: start, end, padding.</summary>
    Control = 3,

    /// <summary>A piece that is never cut and always chosen.</summary>
    UserDefined = 4,

    /// <summary>A piece that is never chosen.</summary>
    Unused = 5,

    /// <summary>A byte of unknown text.</summary>
    Byte = 6,
}

/// <summary>A piece of a vocabulary.</summary>
/// <param name="Utf8">Its spelling; a space is U+2581.</param>
/// <param name="Score">Logarithm of its probability.</param>
/// <param name="Kind">Its type.</param>
internal readonly record struct Piece(byte[] Utf8, float Score, PieceKind Kind)
{
    public string Text => Encoding.UTF8.GetString(Utf8);

    /// <summary>True if segmentation may use it.</summary>
    public bool SpellsText => Kind is PieceKind.Normal or PieceKind.UserDefined or PieceKind.Unused;
}

/// <summary>Pieces and settings of a vocabulary, from any file format.</summary>
/// <param name="Pieces">Pieces by id.</param>
internal sealed record SentencePieceSettings(List<Piece> Pieces)
{
    public bool FallsBackToBytes { get; init; }
    public bool AddsSpace { get; init; } = true;
    public bool FoldsSpaces { get; init; } = true;
    public byte[] CharacterMap { get; init; } = [];
}

/// <summary>A <c>.model</c> file of SentencePiece with a unigram language model (Kudo and Richardson, 2018), read and checked.</summary>
internal sealed class SentencePieceModel
{
    /// <summary>Largest size of a file in bytes; the largest published file has a tenth of this.</summary>
    private const long LargestFile = 64L << 20;

    /// <summary>Length of the longest piece in the reference.</summary>
    private const int LongestPiece = 8000;

    private const int Unigram = 1;

    private readonly List<Piece> pieces = [];
    private int algorithm = Unigram;

    /// <exception cref="InvalidDataException">The pieces are not a valid vocabulary.</exception>
    private SentencePieceModel(SentencePieceSettings settings)
    {
        pieces = settings.Pieces;
        (FallsBackToBytes, AddsSpace, FoldsSpaces, CharacterMap) = (settings.FallsBackToBytes,
            settings.AddsSpace, settings.FoldsSpaces, settings.CharacterMap);
        Check();
    }

    private SentencePieceModel(ReadOnlySpan<byte> file)
    {
        var message = new ProtobufReader(file);
        while (message.Next())
        {
            if (message.Field == 1) pieces.Add(ReadPiece(message.Bytes));
            else if (message.Field == 2) ReadTrainer(message.Bytes);
            else if (message.Field == 3) ReadNormaliser(message.Bytes);
        }

        Check();
    }

    /// <summary>Pieces by id.</summary>
    public IReadOnlyList<Piece> Pieces => pieces;

    /// <summary>Id of the unknown piece.</summary>
    public int UnknownId { get; private set; } = -1;

    /// <summary>True if unknown text becomes bytes.</summary>
    public bool FallsBackToBytes { get; private set; }

    /// <summary>Ids of the byte pieces, by byte, if <see cref="FallsBackToBytes"/>.</summary>
    public IReadOnlyList<int> ByteIds { get; private set; } = [];

    /// <summary>True if the added space is at the end.</summary>
    public bool SpaceIsSuffix { get; private set; }

    /// <summary>True if a space is added before the text.</summary>
    public bool AddsSpace { get; private set; } = true;

    /// <summary>True if spaces at the ends are removed, and several become one.</summary>
    public bool FoldsSpaces { get; private set; } = true;

    /// <summary>True if spaces become U+2581.</summary>
    public bool EscapesSpaces { get; private set; } = true;

    /// <summary>Rules of the normalisation in the reference's compiled form, empty for none.</summary>
    public byte[] CharacterMap { get; private set; } = [];

    /// <summary>Reads a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or its model is not a unigram model.</exception>
    public static SentencePieceModel Read(string path)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no tokenizer model '{path}'.", path);
        var isJson = Path.GetFileName(path) == UnigramJson.FileName;
        if (new FileInfo(path).Length is var length && length > LargestFile)
            throw new InvalidDataException($"'{path}' has {length >> 20} MiB; a SentencePiece model has at most {LargestFile >> 20} MiB.");
        try
        {
            return isJson ? new SentencePieceModel(UnigramJson.Read(Path.GetDirectoryName(path)!))
                : new SentencePieceModel(RegularFile.ReadAllBytes(path));
        }
        catch (Exception error) when (error is InvalidDataException or InvalidOperationException)
        {
            // Error of System.Text.Json for a value of another kind.
            var what = error is InvalidDataException ? error.Message.TrimEnd('.') : "a value of it is not of the kind that belongs there";
            throw new InvalidDataException($"'{path}' is not a valid SentencePiece model: {what}.", error);
        }
    }

    private static Piece ReadPiece(ReadOnlySpan<byte> bytes)
    {
        var (utf8, score, kind) = (Array.Empty<byte>(), 0f, PieceKind.Normal);
        var message = new ProtobufReader(bytes);
        while (message.Next())
        {
            if (message.Field == 1) utf8 = message.Bytes.ToArray();
            else if (message.Field == 2) score = message.Single;
            else if (message.Field == 3) kind = (PieceKind)(int)Math.Min(message.Number, int.MaxValue);
        }

        return new Piece(utf8, score, kind);
    }

    private void ReadTrainer(ReadOnlySpan<byte> bytes)
    {
        var message = new ProtobufReader(bytes);
        while (message.Next())
        {
            if (message.Field == 3) algorithm = (int)Math.Min(message.Number, int.MaxValue);
            else if (message.Field == 24) SpaceIsSuffix = message.Number != 0;
            else if (message.Field == 35) FallsBackToBytes = message.Number != 0;
        }
    }

    private void ReadNormaliser(ReadOnlySpan<byte> bytes)
    {
        var message = new ProtobufReader(bytes);
        while (message.Next())
        {
            if (message.Field == 2) CharacterMap = message.Bytes.ToArray();
            else if (message.Field == 3) AddsSpace = message.Number != 0;
            else if (message.Field == 4) FoldsSpaces = message.Number != 0;
            else if (message.Field == 5) EscapesSpaces = message.Number != 0;
        }
    }

    private void Check()
    {
        if (algorithm != Unigram)
            throw new InvalidDataException($"its model type is "
                + $"{algorithm switch { 2 => "BPE", 3 => "word", 4 => "char", var other => $"{other}" }}, and only unigram is read");
        var byteIds = new int[256];
        Array.Fill(byteIds, -1);
        for (var id = 0; id < pieces.Count; id++)
        {
            var piece = pieces[id];
            if (piece.Utf8.Length is 0 or >= LongestPiece || piece.Utf8.AsSpan().Contains((byte)0))
                throw new InvalidDataException($"piece {id} is empty, too long or holds a zero byte");
            if (!Enum.IsDefined(piece.Kind)) throw new InvalidDataException($"piece {id} is of the unknown kind {(int)piece.Kind}");
            if (!float.IsFinite(piece.Score)) throw new InvalidDataException($"the score of piece {id} is not a number");
            if (piece.Kind == PieceKind.Unknown)
            {
                if (UnknownId >= 0) throw new InvalidDataException($"the pieces {UnknownId} and {id} both stand for unknown text");
                UnknownId = id;
            }

            if (piece.Kind != PieceKind.Byte) continue;
            var text = piece.Text;
            if (text.Length != 6 || !text.StartsWith("<0x", StringComparison.Ordinal) || text[5] != '>'
                || !byte.TryParse(text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
                throw new InvalidDataException($"piece {id} should be a byte, but is not spelt like one");
            byteIds[value] = id;
        }

        if (UnknownId < 0) throw new InvalidDataException($"none of its {pieces.Count} pieces stands for unknown text");
        if (!pieces.Any(piece => piece.Kind == PieceKind.Normal))
            throw new InvalidDataException($"none of its {pieces.Count} pieces spells text");
        if (FallsBackToBytes && byteIds.Contains(-1))
            throw new InvalidDataException("it should fall back to bytes, but lacks the piece of a byte");
        ByteIds = byteIds;
    }
}
