using System.Threading.Channels;
using Alebrije.Pipelines;

namespace Alebrije.Search;

/// <summary>Keeps an index current: an update at the start, and after each change of files below its roots.</summary>
/// <param name="index">The index.</param>
/// <param name="model">The model of the embeddings.</param>
/// <param name="source">Name or path that the model was loaded by.</param>
public sealed class IndexWatch(PictureIndex index, ClipModel model, string? source = null)
{
    /// <summary>Time without a change before an update, so that copying a folder makes one update.</summary>
    public TimeSpan Quiet { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Time after which an update is made without a change: file systems of networks report none.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Watches until it is cancelled. While another process changes the index, an update waits.</summary>
    /// <param name="updated">Called after each update.</param>
    /// <param name="progress">Called after each batch of an update.</param>
    /// <param name="cancellation">Ends the watch; what is finished stays.</param>
    public async Task RunAsync(Action<IndexReport> updated,
        Action<IndexProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(updated);
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        var watchers = index.Roots.Where(root => Directory.Exists(root) || File.Exists(root))
            .Select(root => Watch(root, changes.Writer)).ToArray();
        try
        {
            while (true)
            {
                try
                {
                    updated(index.Update(model, source, progress, cancellation));
                }
                catch (IndexBusyException)
                {
                    await Task.Delay(Quiet, cancellation);
                    continue;
                }

                await NextAsync(changes.Reader, cancellation);
            }
        }
        finally
        {
            foreach (var watcher in watchers) watcher.Dispose();
        }
    }

    private async Task NextAsync(ChannelReader<bool> changes, CancellationToken cancellation)
    {
        using var interval = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        interval.CancelAfter(Interval);
        try
        {
            await changes.ReadAsync(interval.Token);
            while (true)
            {
                using var quiet = CancellationTokenSource.CreateLinkedTokenSource(interval.Token);
                quiet.CancelAfter(Quiet);
                await changes.ReadAsync(quiet.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Quiet for long enough.
        }
    }

    private static FileSystemWatcher Watch(string root, ChannelWriter<bool> changes)
    {
        var isFolder = Directory.Exists(root);
        var watcher = new FileSystemWatcher(isFolder ? root : Path.GetDirectoryName(root)!)
        {
            IncludeSubdirectories = isFolder,
            NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size,
        };
        void Changed(object sender, EventArgs change) => changes.TryWrite(true);
        watcher.Created += Changed;
        watcher.Changed += Changed;
        watcher.Deleted += Changed;
        watcher.Renamed += Changed;
        watcher.Error += Changed;
        watcher.EnableRaisingEvents = true;
        return watcher;
    }
}
