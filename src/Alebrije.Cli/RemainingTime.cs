namespace Alebrije.Cli;

/// <summary>Remaining time of a run of similar items, from the time of the finished ones.</summary>
/// <param name="total">Items of the run.</param>
/// <param name="before">Items finished by an earlier run, at no cost in this one.</param>
/// <param name="time">Clock; null is the system's.</param>
internal sealed class RemainingTime(int total, int before = 0, TimeProvider? time = null)
{
    private readonly int earlier = before;
    private readonly TimeProvider clock = time ?? TimeProvider.System;
    private readonly long start = (time ?? TimeProvider.System).GetTimestamp();

    /// <summary>Finished items, including those of an earlier run.</summary>
    public int Done { get; private set; } = before;

    /// <summary>Counts finished items.</summary>
    public void Add(int count) => Done += count;

    /// <summary>Remaining time; null before the first item is finished.</summary>
    public TimeSpan? Left => Done == earlier ? null : clock.GetElapsedTime(start) * ((double)(total - Done) / (Done - earlier));

    /// <summary>", about 3 min left"; empty before the first item is finished and after the last.</summary>
    public string Sentence(Words words) => Left is not { TotalSeconds: >= 1 } left ? "" : words["progress.time-left", Short(left)];

    private static string Short(TimeSpan time) => time.TotalSeconds < 90 ? $"{Math.Ceiling(time.TotalSeconds):F0} s"
        : time.TotalMinutes < 90 ? $"{Math.Ceiling(time.TotalMinutes):F0} min" : $"{time.TotalHours:F1} h";
}
