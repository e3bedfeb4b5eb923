using Alebrije.Datasets;
using Alebrije.Search;

namespace Alebrije.Cli.Commands;

/// <summary>Sum of the updates of an index, one for each of its models: a file is counted by the first that meets it.</summary>
internal sealed class IndexTotal
{
    private readonly List<string> models = [];
    private readonly Dictionary<string, SkippedPicture> skipped = new(StringComparer.Ordinal);
    private readonly HashSet<string> missing = new(StringComparer.Ordinal), others = new(StringComparer.Ordinal);

    public IndexTotal(params IndexReport[] reports)
    {
        foreach (var report in reports) Add(report);
    }

    public string Model => string.Join(", ", models);

    public int Items { get; private set; }

    public int Added { get; private set; }

    public int Changed { get; private set; }

    public int Moved { get; private set; }

    public int Removed { get; private set; }

    public int Embedded { get; private set; }

    public IEnumerable<SkippedPicture> Skipped => skipped.Values;

    public IEnumerable<string> OtherKinds => others;

    public IReadOnlyList<string> MissingRoots => [.. missing.Order(StringComparer.Ordinal)];

    public void Add(IndexReport report)
    {
        models.Add(report.Model);
        (Items, Embedded) = (report.Items, Embedded + report.Embedded);
        (Added, Changed) = (Added + report.Added.Count, Changed + report.Changed.Count);
        (Moved, Removed) = (Moved + report.Moved.Count, Removed + report.Removed.Count);
        foreach (var one in report.Skipped) skipped.TryAdd(one.File, one);
        missing.UnionWith(report.MissingRoots);
        others.UnionWith(report.OtherKinds);
    }
}
