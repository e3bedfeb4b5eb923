using System.Buffers.Binary;

namespace Alebrije.Tensors;

/// <summary>
/// Makes GLIBCXX_3.4.32 optional in an ELF64 library whose only use of it is <c>std::ios_base_library_init()</c>, an empty function, by
/// marking the version weak and resolving that symbol to libc's <c>getppid</c>, a function without arguments and side effects.
/// </summary>
internal static class GlibcxxPatch
{
    private const string Version = "GLIBCXX_3.4.32";
    private const string Symbol = "_ZSt21ios_base_library_initv";
    private const string Substitute = "getppid";
    private const int WeakFlag = 2, GlobalVersion = 1;
    private const uint DynSym = 11, VerNeed = 0x6ffffffe, VerSym = 0x6fffffff;

    /// <summary>Patches a library's bytes in place.</summary>
    /// <exception cref="InvalidDataException">The library is of another kind, or requires further symbols of that version; it may be partly
    /// changed.</exception>
    public static void Apply(Span<byte> elf)
    {
        try
        {
            Redirect(elf);
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("damaged: its tables point outside of the file.", e);
        }
    }

    private static void Redirect(Span<byte> elf)
    {
        if (elf.Length < 64 || !elf[..4].SequenceEqual("\u007fELF"u8) || elf[4] != 2 || elf[5] != 1)
            throw new InvalidDataException("not a little-endian ELF64 library.");
        var sections = checked((int)ReadU64(elf, 40));
        var size = ReadU16(elf, 58);
        var count = ReadU16(elf, 60);
        var (dynsym, versym, verneed) = (Section.None, Section.None, Section.None);
        for (var i = 0; i < count; i++)
        {
            var section = Section.Read(elf, sections + (i * size));
            if (section.Type == DynSym) dynsym = section;
            if (section.Type == VerSym) versym = section;
            if (section.Type == VerNeed) verneed = section;
        }

        if (dynsym.Size == 0 || versym.Size == 0 || verneed.Size == 0) throw new InvalidDataException("no dynamic symbol versions.");
        var strings = Section.Read(elf, sections + (dynsym.Link * size));

        var index = WeakenVersion(elf, verneed, strings);
        var patched = 0;
        for (var i = 0; i < dynsym.Size / 24; i++)
        {
            var at = versym.Offset + (2 * i);
            if ((ReadU16(elf, at) & 0x7fff) != index) continue;
            var name = checked(strings.Offset + (int)ReadU32(elf, dynsym.Offset + (24 * i)));
            if (ReadName(elf, name) != Symbol)
                throw new InvalidDataException($"{ReadName(elf, name)} needs {Version} too.");
            BinaryPrimitives.WriteUInt16LittleEndian(elf[at..], GlobalVersion);
            for (var c = 0; c < Substitute.Length; c++) elf[name + c] = (byte)Substitute[c];
            elf[name + Substitute.Length] = 0;
            patched++;
        }

        if (patched != 1) throw new InvalidDataException($"{Symbol} was not found.");
    }

    private static int WeakenVersion(Span<byte> elf, Section verneed, Section strings)
    {
        // Links are relative and only point forward: in a damaged file they would loop.
        for (var need = verneed.Offset; ;)
        {
            for (var aux = checked(need + (int)ReadU32(elf, need + 8)); ;)
            {
                if (ReadName(elf, checked(strings.Offset + (int)ReadU32(elf, aux + 8))) == Version)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(elf[(aux + 4)..], WeakFlag);
                    return ReadU16(elf, aux + 6);
                }

                var nextAux = checked((int)ReadU32(elf, aux + 12));
                if (nextAux == 0) break;
                aux = checked(aux + nextAux);
            }

            var nextNeed = checked((int)ReadU32(elf, need + 12));
            if (nextNeed == 0) throw new InvalidDataException($"{Version} is not among the needed versions.");
            need = checked(need + nextNeed);
        }
    }

    private static ushort ReadU16(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt16LittleEndian(s[at..]);

    private static uint ReadU32(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt32LittleEndian(s[at..]);

    private static ulong ReadU64(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt64LittleEndian(s[at..]);

    private static string ReadName(ReadOnlySpan<byte> s, int at)
    {
        var rest = s[at..];
        return System.Text.Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private readonly record struct Section(uint Type, int Offset, int Size, int Link)
    {
        public static Section None => default;

        public static Section Read(ReadOnlySpan<byte> elf, int at) => new(
            ReadU32(elf, at + 4), checked((int)ReadU64(elf, at + 24)), checked((int)ReadU64(elf, at + 32)), (int)ReadU32(elf, at + 40));
    }
}
