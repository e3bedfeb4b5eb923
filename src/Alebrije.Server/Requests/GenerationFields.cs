using Alebrije.Extensions.AI.Images;
using Alebrije.Pipelines;
using Alebrije.Server.Models;

namespace Alebrije.Server.Requests;

/// <summary>Fields of a generation that all front doors share, into the library's own request.</summary>
internal sealed class GenerationFields(ServerOptions options)
{
    /// <summary>Images are requests that differ in their seed alone.</summary>
    /// <param name="fields">Fields of the body.</param>
    /// <param name="prompt">The prompt; empty for variations.</param>
    /// <param name="count">Number of images.</param>
    public IReadOnlyList<GenerationRequest> Read(RequestFields fields, string prompt, int count)
    {
        var prior = fields.Text("prior", 40);
        var kind = PriorKind.Diffusion;
        if (prior is not null && !PriorNames.TryParse(prior, out kind))
            throw ApiException.Field("prior", $"There is no prior '{RequestFields.Short(prior)}'; "
                + $"there are {string.Join(", ", PriorNames.All)}.");
        var most = options.MaxSteps;
        var request = new GenerationRequest
        {
            Prompt = prompt, Negative = fields.Text("negative_prompt") ?? "", Prior = kind,
            Steps = fields.Whole("num_inference_steps", 1, most) ?? fields.Whole("steps", 1, most),
            Guidance = fields.Number("guidance_scale", 0, 100) ?? fields.Number("guidance", 0, 100),
            PriorSteps = fields.Whole("prior_steps", 2, most), PriorGuidance = fields.Number("prior_guidance_scale", 0, 100),
            Scheduler = fields.Text("scheduler", 80), Eta = fields.Number("eta", 0, 1),
        };
        return Seeded(request, fields.Seed(), count);
    }

    /// <summary>A request under as many seeds as there are images, one after the other.</summary>
    public static IReadOnlyList<GenerationRequest> Seeded(GenerationRequest request, ulong? seed, int count)
    {
        var first = seed ?? (ulong)Random.Shared.NextInt64(1L << 40);
        return [.. Enumerable.Range(0, count).Select(i => request with { Seed = unchecked(first + (ulong)i) })];
    }

    /// <summary>The requests at the size that the model draws itself.</summary>
    public static IReadOnlyList<GenerationRequest> Sized(IReadOnlyList<GenerationRequest> requests, NativeSize size) =>
        size.Native is not { } side ? requests
        : [.. requests.Select(request => side.Width == side.Height
            ? request with { Size = side.Width } : request with { Width = side.Width, Height = side.Height })];
}
