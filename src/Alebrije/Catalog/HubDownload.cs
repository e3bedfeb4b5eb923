using System.Net;
using System.Security.Cryptography;

namespace Alebrije.Catalog;

/// <summary>
/// Fetches one file into a blob of the cache. It grows under <c>HASH.incomplete</c>, resumes where it stopped, and is hashed while written;
/// it gets its own name only when size and hash are right.
/// </summary>
internal sealed class HubDownload(HubClient client, HubRepository repository, string commit, HubFile file)
{
    private const int ProgressThatCounts = 1 << 20;
    private readonly byte[] buffer = new byte[1 << 17];

    /// <summary>True if a cancelled or failed download leaves its part on the disk.</summary>
    public bool KeepsPart { get; init; } = true;

    /// <summary>True if something of the model is on the disk before the first byte arrives.</summary>
    public bool FollowsOthers { get; init; }

    /// <param name="blob">Path of the blob.</param>
    /// <param name="onBytes">Called with the number of bytes present.</param>
    /// <param name="cancellation">Stops it; the fetched part is kept.</param>
    /// <exception cref="HubException">It cannot be fetched, or differs from the list.</exception>
    public async Task RunAsync(string blob, Action<long> onBytes, CancellationToken cancellation)
    {
        var partial = blob + ".incomplete";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(blob)!);
            using (var growing = new GrowingFile(partial, file))
            {
                try
                {
                    await FillAsync(growing, onBytes, cancellation);
                }
                catch (WrongFileException e)
                {
                    growing.Dispose();
                    File.Delete(partial);
                    throw new HubException(e.Message);
                }

                growing.Finish();
            }

            File.Move(partial, blob, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HubException($"{partial} cannot be written: {e.Message.TrimEnd('.')}; "
                + $"the fetched part is kept, and the same command continues from there.", e);
        }
    }

    private async Task FillAsync(GrowingFile growing, Action<long> onBytes, CancellationToken cancellation)
    {
        onBytes(growing.Length);
        await growing.HashWhatIsThereAsync(buffer, cancellation);
        var (failures, resumed) = (0, growing.Length > 0);
        while (true)
        {
            onBytes(growing.Length);
            if (growing.Length == file.Bytes)
            {
                if (growing.IsRight) return;
                if (!resumed)
                    throw new WrongFileException($"{file.Path} of {repository} arrived with another "
                        + $"hash than the hub lists, so it was deleted; try again. If the error persists, the file is changed on the way.");
                // What an earlier run left may have been wrong: once more from the start.
                resumed = false;
                growing.Restart();
            }

            var before = growing.Length;
            try
            {
                await AppendAsync(growing, onBytes, cancellation);
                if (growing.Length < file.Bytes)
                    throw new TransientHubException($"the connection ended after {growing.Length} of {file.Bytes} bytes");
            }
            catch (TransientHubException e)
            {
                failures = growing.Length - before >= ProgressThatCounts ? 1 : failures + 1;
                await client.WaitAsync(e, failures, FollowsOthers || (KeepsPart && growing.Length > 0), cancellation);
            }
        }
    }

    /// <summary>Appends the bytes of one response, or begins again where the server does.</summary>
    private async Task AppendAsync(GrowingFile growing, Action<long> onBytes, CancellationToken cancellation)
    {
        using var response = await client.OpenFileAsync(repository, commit, file, growing.Length, cancellation);
        var range = response.Content.Headers.ContentRange;
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable
            || (response.StatusCode == HttpStatusCode.PartialContent
                && (range?.From != growing.Length || (range.HasLength && range.Length != file.Bytes))))
        {
            growing.Restart();
            throw new TransientHubException($"the server returned another part of {file.Path} than requested");
        }

        if (response.StatusCode != HttpStatusCode.PartialContent) growing.Restart();
        var declared = response.Content.Headers.ContentLength;
        if (declared is { } announced && announced != file.Bytes - growing.Length)
            throw new WrongFileException($"The server announces {announced} "
                + $"bytes for {file.Path} where the hub's list has {file.Bytes - growing.Length} to come; nothing of it was kept.");

        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        var rate = client.Rate();
        while (await client.ReadAsync(body, rate, buffer, cancellation) is > 0 and var read)
        {
            if (growing.Length + read > file.Bytes)
                throw new WrongFileException(
                    $"The server sends more than the {file.Bytes} bytes that {file.Path} has by the hub's list; it was deleted.");
            await growing.AppendAsync(buffer.AsMemory(0, read), cancellation);
            onBytes(growing.Length);
        }
    }

    /// <summary>The file under its temporary name, and the hash of what is in it.</summary>
    private sealed class GrowingFile : IDisposable
    {
        private readonly FileStream stream;
        private readonly HubFile file;
        private IncrementalHash hash;

        public GrowingFile(string path, HubFile file)
        {
            this.file = file;
            stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            if (stream.Length > file.Bytes) stream.SetLength(0);
            hash = file.StartHash();
        }

        public long Length => stream.Length;
        public bool IsRight => file.Matches(hash);

        public async Task HashWhatIsThereAsync(byte[] buffer, CancellationToken cancellation)
        {
            while (await stream.ReadAsync(buffer, cancellation) is > 0 and var read) hash.AppendData(buffer, 0, read);
        }

        public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
        {
            await stream.WriteAsync(bytes, cancellation);
            hash.AppendData(bytes.Span);
        }

        public void Restart()
        {
            stream.SetLength(0);
            hash.Dispose();
            hash = file.StartHash();
        }

        public void Finish() => stream.Flush(flushToDisk: true);

        public void Dispose()
        {
            hash.Dispose();
            stream.Dispose();
        }
    }

    /// <summary>The bytes received are not the file's: none is kept.</summary>
    private sealed class WrongFileException(string message) : Exception(message);
}
