using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Alebrije.Server.Telemetry;

/// <summary>Counters of the service in Prometheus' text form, and the source of its spans.</summary>
internal sealed class ServerMetrics
{
    /// <summary>Source of spans: one for a batch of jobs, one for each of its stages.</summary>
    public static readonly ActivitySource Source = new("Alebrije.Server");

    private static readonly double[] Buckets = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

    private readonly ConcurrentDictionary<string, double> counters = new(StringComparer.Ordinal);
    private readonly Lock gate = new();
    private readonly long[] waits = new long[Buckets.Length + 1], durations = new long[Buckets.Length + 1];
    private double waitSum, durationSum;

    public void Request(string route, int status) => Count($"alebrije_requests_total{{route=\"{route}\",status=\"{status}\"}}", 1);

    public void Refused() => Count("alebrije_jobs_refused_total", 1);

    public void Embedded(int count) => Count("alebrije_embeddings_total", count);

    public void Step(string stage) => Count($"alebrije_steps_total{{stage=\"{stage}\"}}", 1);

    public void Waited(double seconds) => Observe(waits, ref waitSum, seconds);

    public void Finished(string state, double seconds, int images)
    {
        Count($"alebrije_jobs_total{{state=\"{state}\"}}", 1);
        Count("alebrije_images_total", images);
        Observe(durations, ref durationSum, seconds);
    }

    /// <summary>The text of <c>/metrics</c>.</summary>
    /// <param name="gauges">Values of the moment, by name.</param>
    public string Text(IEnumerable<(string Name, double Value)> gauges)
    {
        var text = new StringBuilder();
        foreach (var family in counters.OrderBy(each => each.Key, StringComparer.Ordinal).GroupBy(each => each.Key.Split('{')[0]))
        {
            text.Append(CultureInfo.InvariantCulture, $"# TYPE {family.Key} counter\n");
            foreach (var (name, value) in family) text.Append(CultureInfo.InvariantCulture, $"{name} {value}\n");
        }

        foreach (var (name, value) in gauges)
            text.Append(CultureInfo.InvariantCulture, $"# TYPE {name} gauge\n{name} {value}\n");
        lock (gate)
        {
            Histogram(text, "alebrije_job_wait_seconds", waits, waitSum);
            Histogram(text, "alebrije_job_duration_seconds", durations, durationSum);
        }

        return text.ToString();
    }

    private static void Histogram(StringBuilder text, string name, long[] counts, double sum)
    {
        text.Append(CultureInfo.InvariantCulture, $"# TYPE {name} histogram\n");
        long total = 0;
        for (var i = 0; i < Buckets.Length; i++)
            text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{le=\"{Buckets[i]}\"}} {total += counts[i]}\n");
        total += counts[^1];
        text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{le=\"+Inf\"}} {total}\n{name}_sum {sum}\n{name}_count {total}\n");
    }

    private void Observe(long[] counts, ref double sum, double seconds)
    {
        var place = Array.FindIndex(Buckets, bound => seconds <= bound);
        lock (gate)
        {
            counts[place < 0 ? ^1 : place]++;
            sum += seconds;
        }
    }

    private void Count(string name, double value) => counters.AddOrUpdate(name, value, (_, before) => before + value);
}

/// <summary>Spans of the stages of one batch: entering a stage ends the one before.</summary>
internal sealed class StageSpans(ServerMetrics metrics) : IDisposable
{
    private Activity? span;
    private string? stage;

    public void Enter(string name)
    {
        metrics.Step(name);
        if (stage == name) return;
        span?.Dispose();
        (stage, span) = (name, ServerMetrics.Source.StartActivity(name));
    }

    public void Dispose() => span?.Dispose();
}
