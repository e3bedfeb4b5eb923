namespace Alebrije.Preprocessing;

/// <summary>Reason why a file cannot be written.</summary>
public enum UnwritableReason
{
    /// <summary>Another error of the disk; <see cref="UnwritableFileException.Detail"/> contains it.</summary>
    Other,

    /// <summary>A folder has this name.</summary>
    IsFolder,

    /// <summary>Access is denied.</summary>
    AccessDenied,

    /// <summary>The folder does not exist.</summary>
    NoFolder,

    /// <summary>The folder accepts no new files.</summary>
    ClosedFolder,

    /// <summary>The name is too long.</summary>
    LongName,

    /// <summary>There is too little free space.</summary>
    Full,

    /// <summary>The disk is read-only.</summary>
    ReadOnly,
}

/// <summary>A file cannot be written; the message names the requested file, never a temporary one.</summary>
public sealed class UnwritableFileException : IOException
{
    internal UnwritableFileException(string file, UnwritableReason reason, string detail, Exception inner)
        : base($"{file} cannot be written: {Words(file, reason, detail)}.", inner) =>
            (File, Reason, Detail) = (file, reason, detail);

    internal UnwritableFileException(string file, long free, long needed)
        : base($"{file} cannot be written: {DiskSpace.Text(needed)} are needed, and the disk has {DiskSpace.Text(free)} free.") =>
            (File, Reason, Detail, FreeBytes, NeededBytes) = (file, UnwritableReason.Full, "", free, needed);

    /// <summary>The requested file.</summary>
    public string File { get; }

    /// <summary>Kind of the reason.</summary>
    public UnwritableReason Reason { get; }

    /// <summary>Message of the operating system.</summary>
    public string Detail { get; }

    /// <summary>Bytes that were free, where the space was counted before anything was written.</summary>
    public long? FreeBytes { get; }

    /// <summary>Bytes that were needed at least, where the space was counted before anything was written.</summary>
    public long? NeededBytes { get; }

    /// <summary>The folder of the requested file.</summary>
    public string Folder => FolderOf(File);

    /// <summary>Refuses a file that cannot be written: opens it for writing and removes it again if it did not exist.</summary>
    /// <param name="file">Path of the file; an existing one is not changed.</param>
    /// <param name="leastBytes">Space that the file, and others next to it, take at least.</param>
    /// <exception cref="UnwritableFileException">It cannot be written.</exception>
    public static void ThrowIfUnwritable(string file, long leastBytes = 0)
    {
        ArgumentNullException.ThrowIfNull(file);
        var wasThere = System.IO.File.Exists(file) || new FileInfo(file).LinkTarget is not null;
        try
        {
            using (new FileStream(file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            {
            }

            if (!wasThere) System.IO.File.Delete(file);
            DiskSpace.Require(file, leastBytes);
        }
        catch (Exception e) when (WrittenFile.IsRefusal(e))
        {
            throw WrittenFile.Refusal(file, e);
        }
    }

    internal static string FolderOf(string file) => Path.GetDirectoryName(Path.GetFullPath(file)) ?? file;

    private static string Words(string file, UnwritableReason reason, string detail) => reason switch
    {
        UnwritableReason.IsFolder => "a folder has this name",
        UnwritableReason.AccessDenied => "access is denied",
        UnwritableReason.NoFolder => $"there is no folder {FolderOf(file)}",
        UnwritableReason.ClosedFolder => $"the folder {FolderOf(file)} takes no new files",
        UnwritableReason.LongName => "the name is too long",
        UnwritableReason.Full => "there is too little space on the disk",
        UnwritableReason.ReadOnly => "the disk is read-only",
        _ => detail,
    };
}
