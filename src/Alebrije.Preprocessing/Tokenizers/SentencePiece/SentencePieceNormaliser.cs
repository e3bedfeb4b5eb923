using System.Buffers;
using System.Text;

namespace Alebrije.Preprocessing.Tokenizers.SentencePiece;

/// <summary>Normalises a text: rules of replacement, folded spaces, spaces as U+2581 (sentencepiece, src/normalizer.cc).</summary>
internal sealed class SentencePieceNormaliser
{
    private readonly SentencePieceModel model;
    private readonly CharacterMap? map;
    private readonly PieceTrie? userDefined;

    public SentencePieceNormaliser(SentencePieceModel model)
    {
        this.model = model;
        if (model.CharacterMap.Length > 0) map = new CharacterMap(model.CharacterMap);
        var symbols = model.Pieces.Select((piece, id) => (piece, id)).Where(pair => pair.piece.Kind == PieceKind.UserDefined).ToList();
        if (symbols.Count > 0) userDefined = new PieceTrie(symbols.Select(pair => (pair.piece.Utf8, pair.id)));
    }

    private static ReadOnlySpan<byte> EscapedSpace => "\u2581"u8;

    private ReadOnlySpan<byte> Space => model.EscapesSpaces ? EscapedSpace : " "u8;

    /// <summary>Appends the normal form of a text.</summary>
    /// <param name="text">Any text; lone surrogates become U+FFFD.</param>
    /// <param name="normal">UTF-8.</param>
    public void Normalise(ReadOnlySpan<char> text, ArrayBufferWriter<byte> normal)
    {
        var rented = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        try
        {
            Normalise(rented.AsSpan(0, Encoding.UTF8.GetBytes(text, rented)), normal);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private void Normalise(ReadOnlySpan<byte> text, ArrayBufferWriter<byte> normal)
    {
        while (model.FoldsSpaces && text.Length > 0)
        {
            var run = Next(text, out var first);
            if (!first.SequenceEqual(" "u8)) break;
            text = text[run..];
        }

        if (text.IsEmpty) return;
        if (model.AddsSpace && !model.SpaceIsSuffix) normal.Write(Space);
        var behindSpace = model.FoldsSpaces;
        while (text.Length > 0)
        {
            var run = Next(text, out var piece);
            if (behindSpace) piece = piece.TrimStart((byte)' ');
            if (piece.Length > 0)
            {
                Append(piece, normal);
                behindSpace = model.FoldsSpaces && piece[^1] == ' ';
            }

            text = text[run..];
        }

        var length = normal.WrittenCount;
        while (model.FoldsSpaces && normal.WrittenSpan[..length].EndsWith(Space)) length -= Space.Length;
        if (length < normal.WrittenCount) Cut(normal, length);
        if (model.AddsSpace && model.SpaceIsSuffix) normal.Write(Space);
    }

    /// <summary>Normal form of the start of a text: a user-defined symbol as it is, else the longest rule, else one character.</summary>
    /// <returns>Length of the start in bytes.</returns>
    private int Next(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> becomes)
    {
        if (userDefined?.Longest(text) is > 0 and var symbol)
        {
            becomes = text[..symbol];
            return symbol;
        }

        if (map is not null && map.Match(text, out becomes) is > 0 and var run) return run;
        var length = Utf8Length(text);
        becomes = text[..length];
        return length;
    }

    private void Append(ReadOnlySpan<byte> piece, ArrayBufferWriter<byte> normal)
    {
        if (!model.EscapesSpaces)
        {
            normal.Write(piece);
            return;
        }

        for (int space; (space = piece.IndexOf((byte)' ')) >= 0; piece = piece[(space + 1)..])
        {
            normal.Write(piece[..space]);
            normal.Write(EscapedSpace);
        }

        normal.Write(piece);
    }

    private static void Cut(ArrayBufferWriter<byte> normal, int length)
    {
        var kept = normal.WrittenSpan[..length].ToArray();
        normal.ResetWrittenCount();
        normal.Write(kept);
    }

    /// <summary>Length of the character at the start, from its first byte alone, as in the reference.</summary>
    internal static int Utf8Length(ReadOnlySpan<byte> text)
    {
        var length = text[0] switch { < 0xC0 => 1, < 0xE0 => 2, < 0xF0 => 3, _ => 4 };
        return Math.Min(length, text.Length);
    }
}
