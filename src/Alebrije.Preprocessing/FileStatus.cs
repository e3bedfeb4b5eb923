using System.Runtime.InteropServices;

namespace Alebrije.Preprocessing;

/// <summary>Kind, permissions and owner of a file on Unix, links followed; the file is not opened.</summary>
/// <param name="Mode">Kind and permissions, as in <c>st_mode</c>.</param>
/// <param name="Owner">Number of the user who owns it.</param>
internal readonly partial record struct FileStatus(int Mode, uint Owner)
{
    private const int KindMask = 0xF000, RegularKind = 0x8000, FolderKind = 0x4000, PipeKind = 0x1000, SocketKind = 0xC000;
    private const int OthersWrite = 0x12, Sticky = 0x200;

    /// <summary>Positions of mode and owner in the runtime's form of a status, and its size with room to spare.</summary>
    private const int ModeAt = 4, OwnerAt = 8, StatusBytes = 512;

    /// <summary>Name of the kind of a special file; null for regular files and folders.</summary>
    public string? SpecialKind => (Mode & KindMask) switch
    {
        RegularKind or FolderKind => null,
        PipeKind => "a named pipe",
        SocketKind => "a socket",
        _ => "a device",
    };

    /// <summary>Number of the user that this process acts as; null where that is unknown.</summary>
    public static uint? User
    {
        get
        {
            try
            {
                return OperatingSystem.IsWindows() ? null : EffectiveUser();
            }
            catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
            {
                return null;
            }
        }
    }

    /// <summary>Status of a file; null if there is none, and where it is unknown.</summary>
    public static FileStatus? Of(string path)
    {
        if (OperatingSystem.IsWindows()) return null;
        Span<byte> status = stackalloc byte[StatusBytes];
        try
        {
            if (Stat(path, ref MemoryMarshal.GetReference(status)) != 0) return null;
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            return null;
        }

        return new FileStatus(MemoryMarshal.Read<int>(status[ModeAt..]), MemoryMarshal.Read<uint>(status[OwnerAt..]));
    }

    /// <summary>
    /// True if no other user but the system's can change what a folder holds, or put another folder in its place: it and those above it
    /// belong to this user or to the system, and are written by their owner alone; a shared folder above may be sticky.
    /// </summary>
    public static bool IsPrivate(string folder)
    {
        if (OperatingSystem.IsWindows()) return true;
        var real = RealPath.Of(folder);
        for (var place = real; place is not null; place = Path.GetDirectoryName(place))
        {
            if (Of(place) is not { } status || (status.Owner != 0 && status.Owner != User)) return false;
            if ((status.Mode & OthersWrite) != 0 && (place == real || (status.Mode & Sticky) == 0)) return false;
        }

        return Of(real)!.Value.Owner == User;
    }

    /// <summary>The runtime's own call, whose result has the same form on every system.</summary>
    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_Stat", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Stat(string path, ref byte status);

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_GetEUid")]
    private static partial uint EffectiveUser();
}
