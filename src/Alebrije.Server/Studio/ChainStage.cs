using Alebrije.Pipelines;
using Alebrije.Server.Jobs;

namespace Alebrije.Server.Studio;

/// <summary>A stage of the chain in the figure: tokens, text, prior, image, guess, decoder, picture.</summary>
/// <param name="Key">Key of its texts.</param>
/// <param name="Part">The traced stage that it shows.</param>
internal sealed record ChainStage(string Key, TracedStage Part)
{
    private const int ShownNumbers = 96;

    private string? cells;

    /// <summary>Images of several steps.</summary>
    public IReadOnlyList<TracedStage> Series { get; init; } = [];

    /// <summary>Ids of tokens.</summary>
    public int[] Ids { get; init; } = [];

    /// <summary>Frames of a replay.</summary>
    public int Frames => Series.Count > 0 ? Series.Count : Key == "prior" && Part.Values.Length > 0 ? (int)Part.Shape[0] : 1;

    /// <summary>Its numbers as cells.</summary>
    public string Cells => cells ??= Figures.Cells(Part.Values);

    /// <summary>Its first numbers as a text.</summary>
    public string Numbers => string.Join("  ", Part.Values.Take(ShownNumbers).Select(value => StudioWords.Number(value)))
        + (Part.Values.Length > ShownNumbers ? " …" : "");

    public string ShapeText => string.Join(" × ", Part.Shape);

    /// <summary>The stages of a run that the model has, in order.</summary>
    public static IReadOnlyList<ChainStage> Of(TracedRun run)
    {
        var by = run.Stages.DistinctBy(stage => stage.Name).ToDictionary(stage => stage.Name, StringComparer.Ordinal);
        var chain = new List<ChainStage>();
        if (by.TryGetValue("tokens", out var tokens))
            chain.Add(new("tokens", tokens)
            {
                Ids = by.TryGetValue("token ids", out var ids) ? [.. ids.Values.Select(id => (int)id)] : [],
            });
        Add("text", "text embedding");
        if (by.TryGetValue("prior trajectory", out var trajectory)) chain.Add(new("prior", trajectory));
        else if (by.TryGetValue("image embedding", out var made)) chain.Add(new("prior", made with { Values = [], Norm = null }));
        Add("image", "image embedding");
        Add("guess", "first guess");
        TracedStage[] steps = [.. run.Stages.Where(stage => stage.Name.StartsWith("predicted picture ", StringComparison.Ordinal))];
        if (steps.Length > 0) chain.Add(new("decoder", by.GetValueOrDefault("latents") ?? steps[^1]) { Series = steps });
        Add("picture", "picture");
        return chain;

        void Add(string key, string name)
        {
            if (by.TryGetValue(name, out var stage)) chain.Add(new(key, stage));
        }
    }

    /// <summary>Further values of the stage with their names.</summary>
    public IEnumerable<(string Name, string Value)> Facts(StudioWords words, TracedRun run)
    {
        var (result, request) = (run.Result, run.Result.Request);
        switch (Key)
        {
            case "tokens":
                yield return (words["chain.count"], $"{Part.Tokens.Count}");
                break;
            case "prior":
                yield return (words["imagine.prior"], words[$"prior.{PriorNames.Of(request.Prior)}"]);
                if (Part.Values.Length > 0) yield return (words["imagine.prior-steps"], $"{Part.Shape[0]}");
                break;
            case "image" when Part.Noted("cosine_to_text") is [var cosine]:
                yield return (words["chain.to-text"], StudioWords.Number(cosine));
                break;
            case "decoder":
                yield return (words["imagine.steps"], $"{request.Steps}");
                yield return (words["imagine.guidance"], $"{request.Guidance}");
                break;
            case "picture" when result.ClipScore is { } score:
                yield return (words["imagine.score"], StudioWords.Number(score));
                break;
        }

        if (Part.Values.Length > 0)
        {
            yield return (words["chain.range"],
                $"{StudioWords.Number(Part.Values.Min(), 2)} … {StudioWords.Number(Part.Values.Max(), 2)}");
            yield return (words["chain.mean"], StudioWords.Number(Part.Values.Average()));
        }

        var key = Key switch { "text" => "text", "prior" => "prior", "decoder" => "decoder", _ => "" };
        if (result.Seconds.TryGetValue(key, out var seconds)) yield return (words["chain.seconds"], $"{StudioWords.Number(seconds, 2)} s");
    }
}
