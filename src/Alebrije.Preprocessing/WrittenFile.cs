namespace Alebrije.Preprocessing;

/// <summary>
/// Writes files as a whole (<see cref="UnfinishedFile"/>); an error names the requested file and the reason, never a temporary file.
/// </summary>
internal static class WrittenFile
{
    /// <summary>Writes a text as UTF-8 without a byte order mark; an existing file is replaced.</summary>
    /// <exception cref="UnwritableFileException">It cannot be written.</exception>
    public static void Write(string path, string text) => Write(path, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>Writes a file; an existing one is replaced.</summary>
    /// <exception cref="UnwritableFileException">It cannot be written.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes) => Write(path, bytes, (stream, all) => stream.Write(all));

    /// <summary>Writes a file; an existing one is replaced.</summary>
    /// <param name="path">The file.</param>
    /// <param name="state">Passed to <paramref name="write"/>; may be a span.</param>
    /// <param name="write">Writes into the open file.</param>
    /// <param name="flushToDisk">True if the bytes are on the disk before the file is put in place.</param>
    /// <exception cref="UnwritableFileException">It cannot be written.</exception>
    public static void Write<TState>(string path, TState state, Action<Stream, TState> write, bool flushToDisk = false)
        where TState : allows ref struct
    {
        var temporary = UnfinishedFile.NameOf(path);
        try
        {
            using var file = new UnfinishedFile(path, flushToDisk);
            temporary = file.Name;
            write(file.Stream, state);
            file.Finish();
        }
        catch (Exception e) when (IsRefusal(e))
        {
            throw Refusal(path, e, temporary);
        }
    }

    /// <summary>Writes a file; an existing one is replaced.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes into the open file.</param>
    /// <exception cref="UnwritableFileException">It cannot be written.</exception>
    public static async Task WriteAsync(string path, Func<Stream, Task> write)
    {
        var temporary = UnfinishedFile.NameOf(path);
        try
        {
            using var file = new UnfinishedFile(path);
            temporary = file.Name;
            await write(file.Stream);
            file.Finish();
        }
        catch (Exception e) when (IsRefusal(e))
        {
            throw Refusal(path, e, temporary);
        }
    }

    /// <summary>Copies a file; an existing one is replaced.</summary>
    /// <exception cref="UnwritableFileException">It cannot be written.</exception>
    public static void Copy(string source, string path)
    {
        using var from = RegularFile.Open(source);
        Write(path, from, (stream, bytes) => bytes.CopyTo(stream));
    }

    /// <summary>True for an error of the disk.</summary>
    public static bool IsRefusal(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>The error of a file that cannot be written; one that already names another file is not changed.</summary>
    /// <param name="path">The requested file.</param>
    /// <param name="error">The disk's error.</param>
    /// <param name="temporary">Temporary name under which it was written, if any.</param>
    public static UnwritableFileException Refusal(string path, Exception error, string? temporary = null)
    {
        if (error is UnwritableFileException known && known.File != temporary) return known;
        var cause = error is UnwritableFileException ? error.InnerException! : error;
        var reason = cause switch
        {
            _ when Directory.Exists(path) => UnwritableReason.IsFolder,
            UnauthorizedAccessException => UnwritableReason.AccessDenied,
            FileNotFoundException or DirectoryNotFoundException =>
                Directory.Exists(UnwritableFileException.FolderOf(path)) ? UnwritableReason.ClosedFolder : UnwritableReason.NoFolder,
            PathTooLongException => UnwritableReason.LongName,
            _ => UnwritableReason.Other,
        };
        var detail = (temporary is null ? cause.Message : cause.Message.Replace(temporary, path, StringComparison.Ordinal))
            .Split('\n')[0].TrimEnd('.', ' ');
        return new UnwritableFileException(path, reason, detail, cause);
    }
}
