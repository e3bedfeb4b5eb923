namespace Alebrije.Cli;

/// <summary>Remaining time of a run of many like pieces, from the time that the finished ones took.</summary>
/// <param name="total">Pieces of the run.</param>
/// <param name="before">Pieces that an earlier run finished, which took this one no time.</param>
/// <param name="time">Clock; null is the system's.</param>
internal sealed class RemainingTime(int total, int before = 0, TimeProvider? time = null)
{
    private readonly int earlier = before;
    private readonly TimeProvider clock = time ?? TimeProvider.System;
    private readonly long start = (time ?? TimeProvider.System).GetTimestamp();

    /// <summary>Finished pieces, those of an earlier run with them.</summary>
    public int Done { get; private set; } = before;

    /// <summary>Counts finished pieces.</summary>
    public void Add(int count) => Done += count;

    /// <summary>Remaining time; null before the first piece is finished.</summary>
    public TimeSpan? Left => Done == earlier ? null : clock.GetElapsedTime(start) * ((double)(total - Done) / (Done - earlier));

    /// <summary>", about 3 min left"; empty before the first piece is finished and after the last.</summary>
    public string Sentence(Words words) => Left is not { TotalSeconds: >= 1 } left ? "" : words["progress.time-left", Short(left)];

    private static string Short(TimeSpan time) => time.TotalSeconds < 90 ? $"{Math.Ceiling(time.TotalSeconds):F0} s"
        : time.TotalMinutes < 90 ? $"{Math.Ceiling(time.TotalMinutes):F0} min" : $"{time.TotalHours:F1} h";
}
