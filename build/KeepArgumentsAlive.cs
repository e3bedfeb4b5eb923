using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Marks every method in a copy of TorchSharp.dll so that it is not optimised (MethodImplOptions.NoOptimization, NoInlining).
/// <para>
/// Reason: TorchSharp 0.107 passes native code the handles of objects that nothing references any more. Most of them belong to the Scalar
/// that it creates for the 1 in <c>x + y</c> (x + 1 · y). Optimised code releases an argument after its last use. A garbage collection that
/// another thread starts can then free the scalar while libtorch reads it. The result is an exception about "false to be true", or a wrong
/// number. Code that is not optimised keeps its arguments alive until it returns. Its cost is negligible compared with a tensor operation.
/// Remove this class when TorchSharp keeps the arguments alive.
/// </para>
/// </summary>
public sealed class KeepArgumentsAlive : Task
{
    private const int NoInlining = 0x8, NoOptimization = 0x40, AggressiveInlining = 0x100, AggressiveOptimization = 0x200;
    private byte[] bytes = Array.Empty<byte>();

    /// <summary>TorchSharp.dll of the package; this file is not changed.</summary>
    [Required]
    public string Assembly { get; set; } = "";

    /// <summary>Path of the marked copy that is written.</summary>
    [Required]
    public string Copy { get; set; } = "";

    public override bool Execute()
    {
        bytes = File.ReadAllBytes(Assembly);
        Mark();
        Directory.CreateDirectory(Path.GetDirectoryName(Copy));
        // Written to a new file: the old one may be hard-linked into the output of a running program.
        var temporary = Copy + "." + Guid.NewGuid().ToString("N");
        File.WriteAllBytes(temporary, bytes);
        File.Delete(Copy);
        File.Move(temporary, Copy);
        return true;
    }

    /// <summary>Changes the flags in the method table (ECMA-335, II.22.26).</summary>
    private void Mark()
    {
        var tables = FindTables();
        var rows = new int[64];
        var at = tables + 24;
        for (var i = 0; i < 64; i++)
        {
            if ((BitConverter.ToUInt64(bytes, tables + 8) >> i & 1) == 0) continue;
            rows[i] = BitConverter.ToInt32(bytes, at);
            at += 4;
        }

        var heaps = bytes[tables + 6];
        int text = (heaps & 1) != 0 ? 4 : 2, guid = (heaps & 2) != 0 ? 4 : 2, blob = (heaps & 4) != 0 ? 4 : 2;
        int Index(int bits, params int[] to)
        {
            var most = 0;
            foreach (var table in to) most = Math.Max(most, rows[table]);
            return most >= 1 << (16 - bits) ? 4 : 2;
        }

        // The tables Module, TypeRef, TypeDef, FieldPtr, Field and MethodPtr precede MethodDef (II.22).
        var before = new[]
        {
            2 + text + 3 * guid, Index(2, 0, 26, 35, 1) + 2 * text, 4 + 2 * text + Index(2, 2, 1, 27) + Index(0, 4) + Index(0, 6),
            Index(0, 4), 2 + text + blob, Index(0, 6),
        };
        for (var i = 0; i < before.Length; i++) at += before[i] * rows[i];
        var size = 8 + text + blob + Index(0, 8);
        for (var i = 0; i < rows[6]; i++, at += size)
        {
            if (BitConverter.ToInt32(bytes, at) == 0) continue;
            var flags = BitConverter.ToUInt16(bytes, at + 4);
            var wanted = (flags & ~(AggressiveInlining | AggressiveOptimization)) | NoInlining | NoOptimization;
            bytes[at + 4] = (byte)wanted;
            bytes[at + 5] = (byte)(wanted >> 8);
        }
    }

    private int FindTables()
    {
        var pe = BitConverter.ToInt32(bytes, 0x3c);
        var optional = pe + 24;
        var sections = optional + BitConverter.ToUInt16(bytes, pe + 20);
        int Offset(int address)
        {
            for (var i = 0; i < BitConverter.ToUInt16(bytes, pe + 6); i++)
            {
                var section = sections + 40 * i;
                var start = BitConverter.ToInt32(bytes, section + 12);
                if (address >= start && address < start + BitConverter.ToInt32(bytes, section + 16))
                    return address - start + BitConverter.ToInt32(bytes, section + 20);
            }

            throw new InvalidDataException(Assembly + " is no .NET assembly that can be read.");
        }

        var directories = optional + (BitConverter.ToUInt16(bytes, optional) == 0x10b ? 96 : 112);
        var metadata = Offset(BitConverter.ToInt32(bytes, Offset(BitConverter.ToInt32(bytes, directories + 14 * 8)) + 8));
        var stream = metadata + 16 + BitConverter.ToInt32(bytes, metadata + 12);
        var count = BitConverter.ToUInt16(bytes, stream + 2);
        stream += 4;
        for (var i = 0; i < count; i++)
        {
            var end = Array.IndexOf(bytes, (byte)0, stream + 8);
            var name = Encoding.ASCII.GetString(bytes, stream + 8, end - stream - 8);
            if (name == "#~") return metadata + BitConverter.ToInt32(bytes, stream);
            stream += 8 + (name.Length + 4) / 4 * 4;
        }

        throw new InvalidDataException(Assembly + " has no metadata tables.");
    }
}
