using System.Diagnostics;
using Alebrije.Extensions.AI;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Flamingo;

namespace Alebrije.Server.Models;

/// <summary>A model in memory: its pipeline, its CLIP and its chat, each opened at first use, with the speed of its images.</summary>
internal sealed class LoadedModel : IDisposable
{
    private readonly Lock gate = new();
    private readonly Func<ImagePipeline> open;
    private ImagePipeline? pipeline;
    private readonly Func<FlamingoPipeline> openChat;
    private ClipEmbeddingGenerator? clip;
    private FlamingoPipeline? flamingo;
    private FlamingoChatClient? chat;
    private double? secondsPerStep;
    private int usualSteps = 10;

    public LoadedModel(string name, string folder, Func<ImagePipeline> open, Func<FlamingoPipeline> openChat) =>
        (Name, Folder, this.open, this.openChat) = (name, folder, open, openChat);

    public string Name { get; }

    public string Folder { get; }

    /// <summary>Bytes of its files.</summary>
    public long Bytes { get; init; }

    /// <summary>Uses at the moment.</summary>
    public int Users { get; set; }

    /// <summary>End of its time in memory while it is not in use; null: none.</summary>
    public long? UnloadAt { get; set; }

    /// <summary>Time in memory after the last use; null: no limit.</summary>
    public TimeSpan? KeepAlive { get; set; }

    public long LoadedAt { get; } = Stopwatch.GetTimestamp();

    /// <summary>True if it draws images; opens its folder.</summary>
    public ImagePipeline Pipeline
    {
        get
        {
            lock (gate) return pipeline ??= open();
        }
    }

    /// <summary>CLIP of texts and images.</summary>
    public ClipEmbeddingGenerator Clip
    {
        get
        {
            lock (gate) return clip ??= new ClipEmbeddingGenerator(new ClipOptions { Model = Folder });
        }
    }

    /// <summary>True if it answers questions on images.</summary>
    public bool IsChat => FlamingoPipeline.IsFlamingo(Folder);

    /// <summary>Answers to questions on images.</summary>
    public FlamingoChatClient Chat
    {
        get
        {
            lock (gate) return chat ??= new FlamingoChatClient(flamingo ??= openChat());
        }
    }

    /// <summary>Estimated seconds of requests; null before the first measurement of a small model.</summary>
    public double? Seconds(IReadOnlyList<GenerationRequest> requests)
    {
        lock (gate)
        {
            if (secondsPerStep is { } each) return each * requests.Sum(request => request.Steps ?? usualSteps);
        }

        return Bytes < SmallModel ? null : Pipeline.Estimate(requests[0]).Seconds * requests.Count;
    }

    /// <summary>Takes the duration of finished images into the estimate.</summary>
    public void Measure(double seconds, IReadOnlyList<GenerationRequest> completed)
    {
        var steps = completed.Sum(request => request.Steps ?? usualSteps);
        if (steps == 0) return;
        lock (gate)
        {
            secondsPerStep = secondsPerStep is { } before ? (0.5 * before) + (0.5 * seconds / steps) : seconds / steps;
            if (completed[0].Steps is { } own) usualSteps = own;
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            pipeline?.Dispose();
            clip?.Dispose();
            chat?.Dispose();
            flamingo?.Dispose();
            (pipeline, clip, chat, flamingo) = (null, null, null, null);
        }
    }

    /// <summary>Models below this size draw in seconds: their first image is the measurement.</summary>
    private const long SmallModel = 512L << 20;
}
