using Alebrije.Preprocessing;

namespace Alebrije.Search;

/// <summary>An index is being changed by another process, or by another call of this one.</summary>
public sealed class IndexBusyException : IOException
{
    internal IndexBusyException(string folder, Exception inner)
        : base($"The index {folder} is being changed by another process; wait until it is finished, or stop it.", inner) => Folder = folder;

    /// <summary>The folder of the index.</summary>
    public string Folder { get; }
}

/// <summary>The right to change an index: one holder at a time; the system takes it from a process that is killed.</summary>
internal sealed class IndexLock : IDisposable
{
    private const string Name = "index.lock";

    private readonly FileStream stream;

    private IndexLock(FileStream stream) => this.stream = stream;

    /// <exception cref="IndexBusyException">Another process has it.</exception>
    /// <exception cref="UnwritableFileException">The disk is full or read-only.</exception>
    public static IndexLock Take(string folder)
    {
        var path = Path.Combine(folder, Name);
        try
        {
            return new IndexLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException))
        {
            var refusal = WrittenFile.Refusal(path, e);
            throw refusal.Reason is UnwritableReason.Other ? new IndexBusyException(folder, e) : refusal;
        }
    }

    public void Dispose() => stream.Dispose();
}
