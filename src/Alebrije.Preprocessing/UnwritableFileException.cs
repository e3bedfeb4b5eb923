namespace Alebrije.Preprocessing;

/// <summary>Reason why a file cannot be written.</summary>
public enum UnwritableReason
{
    /// <summary>Another reason of the disk's, such as that it is full; <see cref="UnwritableFileException.Detail"/> has it.</summary>
    Other,

    /// <summary>A folder has this name.</summary>
    IsFolder,

    /// <summary>Access is denied.</summary>
    AccessDenied,

    /// <summary>There is no folder to write it in.</summary>
    NoFolder,

    /// <summary>The folder takes no new files.</summary>
    ClosedFolder,

    /// <summary>The name is too long.</summary>
    LongName,
}

/// <summary>A file cannot be written: one sentence that names the file that was asked for, never a temporary one.</summary>
public sealed class UnwritableFileException : IOException
{
    internal UnwritableFileException(string file, UnwritableReason reason, string detail, Exception inner) : base($"{file} cannot be written: {Words(file, reason, detail)}.", inner) =>
        (File, Reason, Detail) = (file, reason, detail);

    /// <summary>The file that was asked for.</summary>
    public string File { get; }

    /// <summary>Kind of the reason.</summary>
    public UnwritableReason Reason { get; }

    /// <summary>Words of the system about it.</summary>
    public string Detail { get; }

    /// <summary>The folder that it was to be written in.</summary>
    public string Folder => FolderOf(File);

    /// <summary>Refuses a file that cannot be written: it is opened for writing, and what was not there is taken away again.</summary>
    /// <param name="file">Path of the file; one that exists stays as it is.</param>
    /// <exception cref="UnwritableFileException">It cannot be written.</exception>
    public static void ThrowIfUnwritable(string file)
    {
        ArgumentNullException.ThrowIfNull(file);
        var wasThere = System.IO.File.Exists(file) || new FileInfo(file).LinkTarget is not null;
        try
        {
            using (new FileStream(file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            {
            }

            if (!wasThere) System.IO.File.Delete(file);
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
        _ => detail,
    };
}
