namespace Alebrije.Preprocessing;

/// <summary>
/// Writes files as a whole (<see cref="UnfinishedFile"/>); an error names the requested file and the reason, never a temporary file.
/// </summary>
internal static class WrittenFile
{
    /// <summary>Codes of a full disk and of a used up quota: of Unix, of Linux and macOS, and of Windows.</summary>
    private static readonly int[] Full = [28, OperatingSystem.IsMacOS() ? 69 : 122, unchecked((int)0x80070070), unchecked((int)0x80070027)];

    /// <summary>Codes of a disk that is not written to: of Unix and of Windows.</summary>
    private static readonly int[] ReadOnly = [30, unchecked((int)0x80070013)];

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

    /// <summary>Adds a text as UTF-8 to the end of a file: the whole text or, where the disk is full, nothing of it.</summary>
    /// <exception cref="UnwritableFileException">It cannot be written.</exception>
    public static void Append(string path, string text)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
            var before = stream.Length;
            try
            {
                stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
            }
            catch (IOException)
            {
                stream.SetLength(before);
                throw;
            }
        }
        catch (Exception e) when (IsRefusal(e))
        {
            throw Refusal(path, e);
        }
    }

    /// <summary>Copies a file; an existing one is replaced.</summary>
    /// <exception cref="UnwritableFileException">It cannot be written.</exception>
    public static void Copy(string source, string path)
    {
        using var from = RegularFile.Open(source);
        Write(path, from, (stream, bytes) => bytes.CopyTo(stream));
    }

    /// <summary>Makes a folder and those above it; one that is there stays as it is.</summary>
    /// <exception cref="UnwritableFileException">It cannot be made.</exception>
    public static DirectoryInfo MakeFolder(string path)
    {
        try
        {
            return Directory.CreateDirectory(path);
        }
        catch (Exception e) when (IsRefusal(e))
        {
            throw Refusal(path, e);
        }
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
        var cause = error is UnwritableFileException { InnerException: { } inner } ? inner : error;
        var reason = cause switch
        {
            _ when Full.Contains(cause.HResult) => UnwritableReason.Full,
            _ when ReadOnly.Contains(cause.HResult) => UnwritableReason.ReadOnly,
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
