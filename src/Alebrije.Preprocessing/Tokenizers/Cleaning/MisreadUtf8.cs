using System.Buffers;
using System.Text.Unicode;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>Decodes misread bytes as the original UTF-8, repairing damage.</summary>
internal static class MisreadUtf8
{
    /// <summary>UTF-8 in which a no-break space (byte A0) was turned into a plain one.</summary>
    private static readonly BytePattern[] Respaced = BytePattern.ParseAll(
        "C2,C3,C5,CE,D0,D9 20",
        "E2,E3 20 80-84,86-9F,A1-BF",
        "E0-E3 80-84,86-9F,A1-BF 20",
        "F0 20 80-BF 80-BF",
        "F0 80-BF 20 80-BF",
        "F0 80-BF 80-BF 20");

    /// <summary>UTF-8 in which a byte was lost: 1A, or once a question mark. The fourth and fifth are three-byte surrogates.</summary>
    private static readonly BytePattern[] Lossy = BytePattern.ParseAll(
        "C2-DF 1A",
        "C2-C3 3F",
        "ED A0-AF 1A,3F ED B0-BF 1A,3F,80-BF",
        "ED A0-AF 1A,3F,80-BF ED B0-BF 1A,3F",
        "E0-EF 1A,3F 1A,80-BF",
        "E0-EF 1A,80-BF 1A,3F",
        "F0-F4 1A,3F 1A,80-BF 1A,80-BF",
        "F0-F4 1A,80-BF 1A,3F 1A,80-BF",
        "F0-F4 1A,80-BF 1A,80-BF 1A,3F",
        "1A");

    private static readonly BytePattern[] SurrogatePair = BytePattern.ParseAll("ED A0-AF 80-BF ED B0-BF 80-BF");

    /// <summary>Text after a lone C3 20 that makes it the middle of a word rather than the French or Portuguese word "à".</summary>
    private static readonly byte[][] AfterGraveA = [" "u8.ToArray(),
        "quele"u8.ToArray(), "quela"u8.ToArray(), "quilo"u8.ToArray(), "s "u8.ToArray()];

    /// <summary>The text of the bytes, or null if they are still not UTF-8.</summary>
    public static string? TryDecode(byte[] bytes, CodePage readAs)
    {
        // In MacRoman the pattern would match a dash before a space.
        if (readAs.Name != "macintosh")
            bytes = RestoreNoBreakSpaces(bytes);
        if (readAs.IsSloppy)
            bytes = Replace(bytes, Lossy, static (_, output) => output.Write("\uFFFD"u8));
        return TryDecodeStrictly(JoinVariants(bytes));
    }

    private static byte[] RestoreNoBreakSpaces(byte[] bytes)
    {
        var separated = new ArrayBufferWriter<byte>(bytes.Length + 8);
        for (var i = 0; i < bytes.Length; i++)
        {
            separated.Write(bytes.AsSpan(i, 1));
            if (bytes[i] == 0xC3 && i + 1 < bytes.Length && bytes[i + 1] == ' ' && !ContinuesWord(bytes.AsSpan(i + 2)))
                separated.Write([(byte)0xA0]);
        }
        return Replace(separated.WrittenSpan.ToArray(), Respaced, static (found, output) =>
        {
            foreach (var value in found)
                output.Write([value == ' ' ? (byte)0xA0 : value]);
        });
    }

    private static bool ContinuesWord(ReadOnlySpan<byte> after)
    {
        foreach (var word in AfterGraveA)
        {
            if (after.StartsWith(word))
                return true;
        }
        return false;
    }

    /// <summary>Converts surrogates written one by one (CESU-8) and Java's two-byte zero to ordinary UTF-8.</summary>
    private static byte[] JoinVariants(byte[] bytes)
    {
        if (bytes.AsSpan().IndexOfAny((byte)0xED, (byte)0xC0) < 0)
            return bytes;
        var joined = new ArrayBufferWriter<byte>(bytes.Length);
        for (var i = 0; i < bytes.Length; i++)
        {
            var here = bytes.AsSpan(i);
            if (here is [0xC0, 0x80, ..])
            {
                joined.Write([(byte)0]);
                i++;
            }
            else if (BytePattern.FirstAt(SurrogatePair, here) is not null)
            {
                var code = 0x10000 + ((here[1] & 0x0F) << 16) + ((here[2] & 0x3F) << 10) + ((here[4] & 0x0F) << 6) + (here[5] & 0x3F);
                joined.Write([(byte)(0xF0 | (code >> 18)), (byte)(0x80 | ((code >> 12) & 0x3F)),
                    (byte)(0x80 | ((code >> 6) & 0x3F)), (byte)(0x80 | (code & 0x3F))]);
                i += 5;
            }
            else
            {
                joined.Write(here[..1]);
            }
        }
        return joined.WrittenSpan.ToArray();
    }

    private static string? TryDecodeStrictly(byte[] bytes)
    {
        var units = new char[bytes.Length];
        var status = Utf8.ToUtf16(bytes, units, out _, out var written, replaceInvalidSequences: false);
        return status == OperationStatus.Done ? new string(units, 0, written) : null;
    }

    private static byte[] Replace(byte[] bytes, BytePattern[] patterns, ReadOnlySpanAction<byte, IBufferWriter<byte>> replacement)
    {
        var output = new ArrayBufferWriter<byte>(bytes.Length + 8);
        for (var i = 0; i < bytes.Length;)
        {
            var found = BytePattern.FirstAt(patterns, bytes.AsSpan(i));
            if (found is null)
                output.Write(bytes.AsSpan(i, 1));
            else
                replacement(bytes.AsSpan(i, found.Length), output);
            i += found?.Length ?? 1;
        }
        return output.WrittenSpan.ToArray();
    }
}
