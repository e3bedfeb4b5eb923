namespace Alebrije.Preprocessing;

/// <summary>Writes files, and says in one sentence why one cannot be written: the file that was asked for, never a temporary one.</summary>
internal static class WrittenFile
{
    /// <summary>Writes a text as UTF-8 without a mark; an existing file is replaced.</summary>
    /// <exception cref="IOException">It cannot be written; one sentence.</exception>
    public static void Write(string path, string text) => Write(path, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>Writes a file; an existing one is replaced.</summary>
    /// <exception cref="IOException">It cannot be written; one sentence.</exception>
    public static void Write(string path, byte[] bytes) => Write(path, stream => stream.Write(bytes));

    /// <summary>Writes a file; an existing one is replaced.</summary>
    /// <exception cref="IOException">It cannot be written; one sentence.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None);
            write(stream);
        }
        catch (Exception e) when (IsRefusal(e))
        {
            throw Refusal(path, e);
        }
    }

    /// <summary>Whether an error is the disk's.</summary>
    public static bool IsRefusal(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>The error of a file that cannot be written; one that names another file already stays as it is.</summary>
    /// <param name="path">The file that was asked for.</param>
    /// <param name="error">The disk's error.</param>
    /// <param name="temporary">Name under which it was being written, if another.</param>
    public static IOException Refusal(string path, Exception error, string? temporary = null)
    {
        if (error is RefusedFileException known && known.File != temporary) return known;
        var cause = error is RefusedFileException ? error.InnerException! : error;
        return new RefusedFileException(path, Sentence(path, cause, temporary), cause);
    }

    /// <summary>"FILE cannot be written: reason."</summary>
    private static string Sentence(string path, Exception refusal, string? temporary)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? path;
        var reason = refusal switch
        {
            _ when Directory.Exists(path) => "a folder has this name",
            UnauthorizedAccessException => "access is denied",
            FileNotFoundException or DirectoryNotFoundException => Directory.Exists(folder) ? $"the folder {folder} takes no new files" : $"there is no folder {folder}",
            PathTooLongException => "the name is too long",
            _ => (temporary is null ? refusal.Message : refusal.Message.Replace(temporary, path, StringComparison.Ordinal)).Split('\n')[0].TrimEnd('.', ' '),
        };
        return $"{path} cannot be written: {reason}.";
    }

    private sealed class RefusedFileException(string file, string message, Exception inner) : IOException(message, inner)
    {
        public string File => file;
    }
}
