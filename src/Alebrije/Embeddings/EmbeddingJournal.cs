using System.Runtime.InteropServices;
using System.Text.Json;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;

namespace Alebrije.Embeddings;

/// <summary>
/// Results of a long embedding run, one line an image, so that the same command resumes. An image whose length or time has
/// changed is embedded again; a truncated line is dropped, and so is the whole journal if it belongs to another
/// embedding space.
/// </summary>
public sealed class EmbeddingJournal : IDisposable
{
    private readonly Dictionary<string, Line> finished = new(StringComparer.Ordinal);
    private readonly StreamWriter writer;
    private readonly string file;
    private bool isRefused;

    private EmbeddingJournal(string file, EmbeddingSpace space)
    {
        this.file = file;
        var lines = File.Exists(file) ? Read(file, space) : [];
        foreach (var line in lines) finished[line.Path] = line;
        Known = finished.Count;

        // Rewritten, so that nothing follows half a line, and kept locked, so that a second run is refused.
        var fresh = new UnfinishedFile(file);
        try
        {
            writer = new StreamWriter(fresh.Stream);
            writer.WriteLine(space.ToString());
            foreach (var line in finished.Values) writer.WriteLine(JsonSerializer.Serialize(line));
            writer.Flush();
            fresh.Finish(keepOpen: true);
            if (OperatingSystem.IsWindows())
                writer = new StreamWriter(new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.None));
        }
        catch
        {
            fresh.Dispose();
            throw;
        }
    }

    /// <summary>Images that an earlier run had finished.</summary>
    public int Known { get; }

    /// <summary>Opens a journal, or begins one.</summary>
    /// <param name="file">Its file.</param>
    /// <param name="space">Of the embeddings that are made now.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static EmbeddingJournal Open(string file, EmbeddingSpace space)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        ArgumentNullException.ThrowIfNull(space);
        try
        {
            return new EmbeddingJournal(file, space);
        }
        catch (Exception e) when (WrittenFile.IsRefusal(e))
        {
            throw WrittenFile.Refusal(file, e, UnfinishedFile.NameOf(file));
        }
    }

    /// <summary>The embedding of an image as it lies on the disk now, or null.</summary>
    public float[]? Find(string path) => finished.TryGetValue(Path.GetFullPath(path), out var line)
        && line.Fits(new FileInfo(path)) ? line.Values() : null;

    /// <summary>Adds finished images and puts them on the disk.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Add(IEnumerable<(string Path, float[] Embedding)> pictures)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        try
        {
            foreach (var (path, embedding) in pictures)
            {
                var info = new FileInfo(path);
                writer.WriteLine(JsonSerializer.Serialize(new Line(info.FullName,
                    info.Length, info.LastWriteTimeUtc.Ticks, Convert.ToBase64String(MemoryMarshal.AsBytes(embedding.AsSpan())))));
            }

            writer.Flush();
        }
        catch (Exception e) when (WrittenFile.IsRefusal(e))
        {
            isRefused = true;
            throw WrittenFile.Refusal(file, e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            writer.Dispose();
        }
        catch (IOException) when (isRefused)
        {
            // The lines that were refused are still in its memory.
        }
    }

    private static List<Line> Read(string file, EmbeddingSpace space)
    {
        var lines = RegularFile.ReadLines(file);
        var kept = new List<Line>();
        foreach (var (i, text) in lines.Index())
        {
            if (i == 0)
            {
                if (text != space.ToString()) break;
                continue;
            }

            try
            {
                if (JsonSerializer.Deserialize<Line>(text) is { Path: not null } line && line.Values().Length == space.Dimensions)
                    kept.Add(line);
            }
            catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
            {
                // Cut short when the run was stopped.
            }
        }

        return kept;
    }

    private sealed record Line(string Path, long Bytes, long Modified, string Embedding)
    {
        public bool Fits(FileInfo info) => info.Exists && info.Length == Bytes && info.LastWriteTimeUtc.Ticks == Modified;

        public float[] Values() => MemoryMarshal.Cast<byte, float>(Convert.FromBase64String(Embedding)).ToArray();
    }
}
