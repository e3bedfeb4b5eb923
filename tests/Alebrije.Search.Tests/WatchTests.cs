namespace Alebrije.Search.Tests;

/// <summary>An index that follows the changes of its folders.</summary>
public sealed class WatchTests : Folders
{
    [Fact]
    public async Task Watch_FollowsNewAndDeletedFiles()
    {
        Write(0, 2);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        stop.CancelAfter(TimeSpan.FromSeconds(60));
        var reports = new List<IndexReport>();
        var watch = new IndexWatch(index, Model) { Quiet = TimeSpan.FromMilliseconds(200) };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watch.RunAsync(report =>
        {
            reports.Add(report);
            if (report.Items == 2 && reports.Count == 1) Write(5, 1, Path.Combine(Photos, "new"));
            if (report.Items == 3) File.Delete(Path.Combine(Photos, "0000.png"));
            if (reports.Count > 1 && report.Items == 2) stop.Cancel();
        }, null, stop.Token));
        Assert.Equal([2, 3, 2], reports.Select(report => report.Items).Where((items, i) => i == 0 || items != reports[i - 1].Items));
    }
}
