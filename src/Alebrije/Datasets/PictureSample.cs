using System.Text;
using System.Text.Json;
using Alebrije.Preprocessing;

namespace Alebrije.Datasets;

/// <summary>Bytes on the disk: a file, or a part of an archive.</summary>
/// <param name="File">The file.</param>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Number of bytes; null takes all that follow.</param>
internal readonly record struct FilePart(string File, long Offset = 0, long? Length = null)
{
    /// <exception cref="InvalidDataException">There are more than <paramref name="most"/>, or the file ends before.</exception>
    public byte[] Read(long most)
    {
        using var stream = RegularFile.Open(File, bufferSize: 0);
        var length = Length ?? stream.Length - Offset;
        if (length > most) throw new InvalidDataException($"{length:N0} bytes are more than the {most:N0} that are read");
        if (Offset + length > stream.Length) throw new InvalidDataException("the file has become shorter");
        stream.Position = Offset;
        var bytes = new byte[length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}

/// <summary>An image with its captions, where they are; nothing is read before it is needed.</summary>
/// <param name="Name">The image's path relative to its folder, or the archive's key: its name in logs, and the key that it is held out
/// by.</param>
/// <param name="Picture">The file of the image.</param>
/// <param name="Text">Location of the captions if <paramref name="Given"/> is null.</param>
/// <param name="Given">Captions that are known already.</param>
/// <param name="IsJson">True if <paramref name="Text"/> is a JSON object rather than a caption a line.</param>
internal sealed record PictureSample(string Name, FilePart Picture, FilePart Text, IReadOnlyList<string>? Given = null, bool IsJson = false)
{
    private const long LongestText = 1 << 20;

    /// <summary>The captions, at least one.</summary>
    /// <param name="field">JSON field of the caption, or null for the usual ones.</param>
    /// <exception cref="InvalidDataException">There are none, or what should hold them is damaged.</exception>
    public IReadOnlyList<string> Captions(string? field)
    {
        if (Given is not null) return Given;
        var bytes = Text.Read(LongestText);
        var captions = IsJson ? FromJson(bytes, field) : Encoding.UTF8.GetString(bytes).TrimStart('\uFEFF').Split(['\n', '\r']);
        string[] some = [.. captions.Select(caption => caption.Trim()).Where(caption => caption.Length > 0)];
        return some.Length > 0 ? some : throw new InvalidDataException("its caption is empty");
    }

    private static IReadOnlyList<string> FromJson(byte[] bytes, string? field)
    {
        try
        {
            using var document = JsonText.Parse(bytes);
            return PictureListing.Captions(document.RootElement, field)
                ?? throw new InvalidDataException($"its JSON has no {field ?? "caption"}");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("its JSON is damaged", e);
        }
    }
}

/// <summary>Entries that cannot be used: each counted and named once, the first of them in words. Safe from several threads.</summary>
internal sealed class BadEntries(double maxShare)
{
    private const int Named = 20;

    /// <summary>Number of bad entries that are always allowed: a share of few entries means little.</summary>
    private const int Forgiven = 1;

    private readonly HashSet<string> names = new(StringComparer.Ordinal);
    private readonly Queue<string> remarks = new();
    private readonly Lock gate = new();

    public int Count
    {
        get
        {
            lock (gate) return names.Count;
        }
    }

    /// <summary>Counts an entry, the first time that it is met.</summary>
    /// <param name="name">The entry.</param>
    /// <param name="sentence">Description of the error, with the entry's name.</param>
    public void Add(string name, string sentence)
    {
        lock (gate)
        {
            if (!names.Add(name)) return;
            if (names.Count <= Named) remarks.Enqueue($"skipped: {sentence}");
            else if (names.Count == Named + 1) remarks.Enqueue("skipped: further ones, which are counted and not named");
        }
    }

    /// <summary>Remarks since the last call.</summary>
    public IReadOnlyList<string> TakeRemarks()
    {
        lock (gate)
        {
            string[] taken = [.. remarks];
            remarks.Clear();
            return taken;
        }
    }

    /// <summary>Throws if too many entries are bad.</summary>
    /// <param name="source">Name of the entries' source.</param>
    /// <param name="total">Entries in all, good and bad.</param>
    /// <exception cref="InvalidDataException">More than the share that is allowed.</exception>
    public void Check(string source, long total)
    {
        lock (gate)
        {
            if (names.Count <= Math.Max(maxShare > 0 ? Forgiven : 0, maxShare * total)) return;
            var first = remarks.TryPeek(out var remark) ? remark["skipped: ".Length..] : names.First();
            throw new InvalidDataException(string.Create(
                System.Globalization.CultureInfo.InvariantCulture, $"{source}: {names.Count} of {total} entries cannot be used, "
                    + $"more than max_bad_share {maxShare} allows. The first: {first}"));
        }
    }
}
