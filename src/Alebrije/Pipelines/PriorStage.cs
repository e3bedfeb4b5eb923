using Alebrije.Diffusion;
using Alebrije.Models.Priors;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>How one run of a prior goes.</summary>
/// <param name="Steps">Steps of its sampler.</param>
/// <param name="Guidance">Guidance scale; 1 and below: none.</param>
internal sealed record PriorRun(int Steps, double Guidance)
{
    /// <summary>[batch, features]: an embedding to start from instead of noise, with <see cref="Strength"/>; null starts from noise.</summary>
    public Tensor? Start { get; init; }

    /// <summary>From 0 (the start itself) to 1 (noise alone): the share of the steps that are taken from a start.</summary>
    public double Strength { get; init; } = 1;

    /// <summary>Told after every step: steps done, of.</summary>
    public Action<int, int>? Report { get; init; }

    /// <summary>Gets every step's sample.</summary>
    public ICollection<Tensor>? After { get; init; }

    /// <summary>Gets the trajectory when given.</summary>
    public GenerationTrace? Trace { get; init; }

    /// <summary>Looked at before every step.</summary>
    public CancellationToken Cancellation { get; init; }
}

/// <summary>Samples image embeddings of texts from a diffusion prior (Ramesh et al., 2022, §2.2).</summary>
/// <param name="prior">The network.</param>
/// <param name="schedulerConfig">Its sampler.</param>
internal sealed class PriorStage(Component<PriorTransformer> prior, SchedulerConfig schedulerConfig, int features) : IDisposable
{
    /// <summary>Reads the sampler and prepares the network of a pipeline's folder.</summary>
    public static PriorStage Of(PipelineFolder folder, string priorName, string schedulerName, bool keep)
    {
        var config = PriorTransformerConfig.Read(folder.Of(priorName));
        return new PriorStage(new Component<PriorTransformer>(() => folder.Load(priorName, () => new PriorTransformer(config)), keep),
            SchedulerConfig.Load(folder.Of(schedulerName)), config.EmbeddingDim);
    }

    /// <summary>Numbers of an image embedding.</summary>
    public int Features => features;

    /// <summary>Draws image embeddings.</summary>
    /// <param name="texts">Of a batch.</param>
    /// <param name="empty">What is guided away from: the empty text, one or as many; it is needed with guidance only.</param>
    /// <param name="noise">One draw to begin with, and one for every step but the last.</param>
    /// <param name="run">Steps and guidance.</param>
    /// <returns>[batch, features] on CLIP's scale</returns>
    public Tensor Sample(PriorConditions texts, PriorConditions? empty, Noise noise, PriorRun run)
    {
        using var loan = prior.Borrow();
        using var scope = NewDisposeScope();
        var network = loan.Value;
        using var scheduler = Schedulers.Create(schedulerConfig);
        scheduler.SetTimesteps(run.Steps);
        var batch = texts.TextEmbedding.shape[0];
        var first = 0;
        Tensor start;
        if (run.Start is { } embedding)
        {
            first = Sampling.FirstStep(run.Steps, run.Strength);
            start = scheduler.AddNoise(embedding.expand(batch, -1), noise.Randn(batch, features), first);
        }
        else
        {
            start = Sampling.Begin(scheduler, noise, batch, features);
        }

        var guided = run.Guidance > 1;
        var conditions = guided ? texts.After(Repeated(empty ?? throw new ArgumentException("Guidance needs the empty text's encodings."), batch)) : texts;
        Denoiser denoiser = (x, t) => network.call(x, t, conditions);
        var (samples, cosines) = (new List<Tensor>(), new List<double>());
        var options = new SamplingOptions
        {
            Start = first,
            Progress = p =>
            {
                run.Report?.Invoke(p.Step, p.Of);
                run.After?.Add(p.Sample.clone().DetachFromDisposeScope());
                if (run.Trace is null) return;
                samples.Add(p.Sample.clone().MoveToOuterDisposeScope());
                cosines.Add(Models.Clip.ClipNetwork.Cosine(network.PostProcessLatents(p.Original), texts.TextEmbedding));
            },
        };
        var x = Sampling.Run(scheduler, guided ? Guidance.ClassifierFree(denoiser, run.Guidance) : denoiser, start, noise, options, run.Cancellation);
        run.Trace?.Add("prior trajectory", stack(samples), new { cosine_of_predicted_embedding_to_text = cosines, timesteps = scheduler.Timesteps });
        return network.PostProcessLatents(x).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => prior.Dispose();

    private static PriorConditions Repeated(PriorConditions one, long batch) => one.TextEmbedding.shape[0] == batch
        ? one
        : new PriorConditions(one.TextEmbedding.expand(batch, -1), one.TextEncodings!.expand(batch, -1, -1), one.TextMask!.expand(batch, -1));
}
