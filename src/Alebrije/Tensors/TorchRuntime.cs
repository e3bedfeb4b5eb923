using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using TorchSharp;

namespace Alebrije.Tensors;

/// <summary>Raised when the native tensor library cannot be loaded; the message says why and what to do.</summary>
public sealed class TorchRuntimeException : Exception
{
    /// <summary>Creates the exception with a message in plain words.</summary>
    public TorchRuntimeException(string message) : base(message) { }

    /// <summary>Creates the exception with a message in plain words and the loader's own.</summary>
    public TorchRuntimeException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Creates an empty exception.</summary>
    public TorchRuntimeException() { }
}

/// <summary>
/// Starts libtorch. Call <see cref="Initialize"/> before the first TorchSharp call: on systems whose C++ library is older than the one
/// TorchSharp was built with (Debian 12, Ubuntu 22.04) it loads a copy of TorchSharp's shim in which the one missing symbol, an empty
/// function, is redirected.
/// </summary>
public static class TorchRuntime
{
    private static readonly Lock Gate = new();
    private static bool started;

    /// <summary>How the native library was loaded: <c>"as shipped"</c> or the path of the patched copy; null before start-up.</summary>
    public static string? LoadedFrom { get; private set; }

    /// <summary>Folder that holds libtorch, or null when none was found.</summary>
    public static string? NativeFolder { get; private set; }

    /// <summary>Loads libtorch once; later calls return at once. Thread-safe.</summary>
    /// <param name="threads">Threads for tensor operations; null leaves libtorch's choice.</param>
    /// <exception cref="TorchRuntimeException">The library is missing or does not fit this system.</exception>
    public static void Initialize(int? threads = null)
    {
        lock (Gate)
        {
            if (!started)
            {
                NativeFolder = FindNativeFolder();
                if (OperatingSystem.IsLinux()) LoadedFrom = LoadOnLinux(NativeFolder);
                LoadedFrom ??= "as shipped";
                try
                {
                    torch.InitializeDeviceType(DeviceType.CPU);
                }
                catch (Exception e) when (e is NotSupportedException or TypeInitializationException or DllNotFoundException)
                {
                    throw new TorchRuntimeException(
                        $"libtorch could not be started: {FirstLine(e.Message)} Build the project again so that its native package is restored, "
                        + "or run `alebrije doctor` to see what this machine lacks.", e);
                }

                started = true;
            }

            if (threads is { } count) torch.set_num_threads(count);
        }
    }

    private static string LibraryName => OperatingSystem.IsWindows() ? "LibTorchSharp.dll"
        : OperatingSystem.IsMacOS() ? "libLibTorchSharp.dylib" : "libLibTorchSharp.so";

    private static string? FindNativeFolder()
    {
        var roots = new[] { AppContext.BaseDirectory, Path.GetDirectoryName(typeof(torch).Assembly.Location) ?? "" };
        return roots
            .SelectMany(root => new[] { root, Path.Combine(root, "runtimes", RuntimeInformation.RuntimeIdentifier, "native") })
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, LibraryName)));
    }

    private static string? LoadOnLinux(string? folder)
    {
        if (folder is null)
            throw new TorchRuntimeException(
                $"{LibraryName} was not found beside the program ({AppContext.BaseDirectory}). The app must reference a libtorch package "
                + "for this platform, for example libtorch-cpu-linux-x64 2.10.0; only x86-64 Linux, Windows and Apple silicon have one.");
        var library = Path.Combine(folder, LibraryName);
        var first = TryLoad(library);
        if (first is null) return null;
        if (!first.Contains("GLIBCXX_3.4.32", StringComparison.Ordinal))
            throw new TorchRuntimeException($"libtorch could not be loaded: {FirstLine(first)}");

        foreach (var dependency in new[] { "libc10.so", "libtorch_cpu.so", "libtorch.so" })
            if (TryLoad(Path.Combine(folder, dependency)) is { } reason)
                throw new TorchRuntimeException($"{dependency} could not be loaded: {FirstLine(reason)}");
        string patched;
        try
        {
            patched = WritePatchedCopy(library);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new TorchRuntimeException(
                "This system's C++ library (libstdc++) is older than the one TorchSharp was built with (GCC 13.2), and the redirected copy "
                + $"could not be made: {FirstLine(e.Message)} Use Debian 13, Ubuntu 24.04 or newer, or the .NET container image.", e);
        }

        if (TryLoad(patched) is { } second)
            throw new TorchRuntimeException(
                "This system's C++ library (libstdc++) is too old for TorchSharp even after redirecting its one missing symbol: "
                + $"{FirstLine(second)} Use Debian 12, Ubuntu 22.04 or newer.");
        return patched;
    }

    /// <summary>Null when the library loaded, else the loader's message.</summary>
    private static string? TryLoad(string path)
    {
        try
        {
            NativeLibrary.Load(path);
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            return e.Message;
        }
    }

    private static string WritePatchedCopy(string library)
    {
        var bytes = File.ReadAllBytes(library);
        var name = Convert.ToHexStringLower(SHA256.HashData(bytes))[..16];
        GlibcxxPatch.Apply(bytes);
        foreach (var root in CacheRoots())
        {
            try
            {
                var folder = Directory.CreateDirectory(Path.Combine(root, "alebrije", "runtime", name)).FullName;
                var target = Path.Combine(folder, LibraryName);
                if (File.Exists(target) && File.ReadAllBytes(target).AsSpan().SequenceEqual(bytes)) return target;
                var temporary = target + "." + Environment.ProcessId;
                File.WriteAllBytes(temporary, bytes);
                File.Move(temporary, target, overwrite: true);
                return target;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue;
            }
        }

        throw new IOException("neither the cache folder nor the temporary folder is writable.");
    }

    private static IEnumerable<string> CacheRoots()
    {
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache) yield return cache;
        if (Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home) yield return Path.Combine(home, ".cache");
        yield return Path.GetTempPath();
    }

    private static string FirstLine(string text)
    {
        var line = text.Split('\n')[0].Trim();
        return line.EndsWith('.') ? line : line + ".";
    }

    /// <summary>
    /// Makes GLIBCXX_3.4.32 optional in an ELF64 library whose only use of it is <c>std::ios_base_library_init()</c>, an empty function,
    /// by marking the version weak and letting that symbol resolve to libc's <c>getppid</c>, which takes nothing and changes nothing.
    /// </summary>
    internal static class GlibcxxPatch
    {
        private const string Version = "GLIBCXX_3.4.32";
        private const string Symbol = "_ZSt21ios_base_library_initv";
        private const string Substitute = "getppid";
        private const int WeakFlag = 2, GlobalVersion = 1;
        private const uint DynSym = 11, VerNeed = 0x6ffffffe, VerSym = 0x6fffffff;

        public static void Apply(Span<byte> elf)
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
                var name = strings.Offset + (int)ReadU32(elf, dynsym.Offset + (24 * i));
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
            for (var need = verneed.Offset; ;)
            {
                for (var aux = need + (int)ReadU32(elf, need + 8); ;)
                {
                    if (ReadName(elf, strings.Offset + (int)ReadU32(elf, aux + 8)) == Version)
                    {
                        BinaryPrimitives.WriteUInt16LittleEndian(elf[(aux + 4)..], WeakFlag);
                        return ReadU16(elf, aux + 6);
                    }

                    var nextAux = (int)ReadU32(elf, aux + 12);
                    if (nextAux == 0) break;
                    aux += nextAux;
                }

                var nextNeed = (int)ReadU32(elf, need + 12);
                if (nextNeed == 0) throw new InvalidDataException($"{Version} is not among the needed versions.");
                need += nextNeed;
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
}
