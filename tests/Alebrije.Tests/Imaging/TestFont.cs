using System.Buffers.Binary;

namespace Alebrije.Tests.Imaging;

/// <summary>Writes a TrueType file whose letters are black bars; the height increases in the order of <c>codes</c>.</summary>
internal static class TestFont
{
    private const int UnitsPerEm = 1000;

    public static void Write(string path, params int[] codes)
    {
        var glyf = new List<byte>();
        var loca = new List<byte>();
        Add4(loca, 0);
        Add4(loca, 0); // .notdef shows nothing
        for (var i = 0; i < codes.Length; i++)
        {
            AddBar(glyf, 100 + (800 * (i + 1) / codes.Length));
            Add4(loca, glyf.Count);
        }

        var metrics = new List<byte>();
        for (var i = 0; i <= codes.Length; i++) Add2(metrics, UnitsPerEm, 0);
        WriteTables(path, new SortedDictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["cmap"] = Cmap(codes), ["glyf"] = [.. glyf], ["loca"] = [.. loca], ["hmtx"] = [.. metrics],
            ["head"] = Numbers(1, 0, 1, 0, 0, 0, 0x5F0F, 0x3CF5, 0, UnitsPerEm, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1000, 1000, 0, 8, 2, 1, 0),
            ["hhea"] = Numbers(1, 0, 800, -200, 0, UnitsPerEm, 0, 0, UnitsPerEm, 1, 0, 0, 0, 0, 0, 0, 0, codes.Length + 1),
            ["maxp"] = Numbers(1, 0, codes.Length + 1, 4, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
        });
    }

    /// <summary>Adds a bar of half an em.</summary>
    private static void AddBar(List<byte> glyf, int height)
    {
        Add2(glyf, 1, 250, 0, 750, height, 3, 0);
        glyf.AddRange([1, 1, 1, 1]);
        Add2(glyf, 250, 0, 500, 0);
        Add2(glyf, 0, height, 0, -height);
        while (glyf.Count % 4 != 0) glyf.Add(0);
    }

    /// <summary>Format 12: a group for each code, in ascending order.</summary>
    private static byte[] Cmap(int[] codes)
    {
        var table = new List<byte>();
        Add2(table, 0, 1, 3, 10);
        Add4(table, 12);
        Add2(table, 12, 0);
        Add4(table, 16 + (12 * codes.Length));
        Add4(table, 0);
        Add4(table, codes.Length);
        foreach (var (code, glyph) in codes.Select((code, i) => (code, i + 1)).OrderBy(pair => pair.code))
        {
            Add4(table, code);
            Add4(table, code);
            Add4(table, glyph);
        }

        return [.. table];
    }

    private static void WriteTables(string path, SortedDictionary<string, byte[]> tables)
    {
        var file = new List<byte>();
        Add4(file, 0x00010000);
        Add2(file, tables.Count, 64, 2, 0);
        var place = 12 + (16 * tables.Count);
        foreach (var (name, table) in tables)
        {
            file.AddRange(System.Text.Encoding.ASCII.GetBytes(name));
            Add4(file, 0);
            Add4(file, place);
            Add4(file, table.Length);
            place += (table.Length + 3) / 4 * 4;
        }

        foreach (var table in tables.Values)
        {
            file.AddRange(table);
            while (file.Count % 4 != 0) file.Add(0);
        }

        File.WriteAllBytes(path, [.. file]);
    }

    private static byte[] Numbers(params int[] values)
    {
        var table = new List<byte>();
        Add2(table, values);
        return [.. table];
    }

    private static void Add2(List<byte> table, params int[] values)
    {
        var bytes = new byte[2];
        foreach (var value in values)
        {
            BinaryPrimitives.WriteInt16BigEndian(bytes, (short)value);
            table.AddRange(bytes);
        }
    }

    private static void Add4(List<byte> table, int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        table.AddRange(bytes);
    }
}
