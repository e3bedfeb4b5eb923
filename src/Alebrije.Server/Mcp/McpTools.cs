using System.ComponentModel;
using System.Text.Json;
using Alebrije.Server.Jobs;
using Alebrije.Server.Models;
using Alebrije.Server.Native;
using Alebrije.Server.OpenAi;
using Alebrije.Server.Requests;
using Alebrije.Server.Security;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Alebrije.Server.Mcp;

/// <summary>Tools of <c>/mcp</c>: the service's own endpoints under their own limits, called with their own fields.</summary>
[McpServerToolType]
internal sealed class McpTools(
    ServerOptions options, ModelPool pool, ImageJobs jobs, ImageAnswers answers, ClipEndpoints clip, SearchEndpoints search)
{
    [McpServerTool(Name = "imagine", Title = "Draw an image", ReadOnly = true, OpenWorld = false)]
    [Description("Draws an image of a text on this machine and returns it as PNG.")]
    public Task<CallToolResult> ImagineAsync(
        [Description("The text to draw.")] string prompt,
        [Description("Seed; the same seed gives the same image. Left out: a random one.")] long? seed = null,
        [Description("Steps of the decoder; left out: the model's default.")] int? steps = null,
        [Description("Size such as 256x256; left out: the model's default.")] string? size = null,
        [Description("What the image should not show.")] string? negative_prompt = null,
        [Description("Name of a model on this machine; left out: the service's own.")] string? model = null,
        CancellationToken cancellation = default) => GuardedAsync(async () =>
    {
        var fields = Fields(("prompt", prompt), ("seed", seed), ("num_inference_steps", steps), ("size", size),
            ("negative_prompt", negative_prompt), ("model", model));
        var asked = ImageOptions.Read(fields, options);
        var requests = new GenerationFields(options).Read(fields, asked.Prompt(fields), asked.Count);
        var job = await Task.Run(() => answers.Begin(jobs.Generate(JobForm.Of(asked), requests, null)), cancellation).ConfigureAwait(false);
        try
        {
            await job.Done.WaitAsync(cancellation).ConfigureAwait(false);
            ImageAnswers.ThrowUnlessDone(job);
            return new CallToolResult
            {
                Content =
                [
                    ImageContentBlock.FromBytes(job.Images[0].Png, "image/png"),
                    new TextContentBlock { Text = ServerJson.Text(new { job.Model, job.Images[0].Seed, job.Images[0].ClipScore }) },
                ],
            };
        }
        finally
        {
            job.Leave();
        }
    });

    [McpServerTool(Name = "describe", Title = "Describe an image by labels", ReadOnly = true, OpenWorld = false)]
    [Description("Compares an image with labels by CLIP, without training, and returns the probability of each label.")]
    public Task<CallToolResult> DescribeAsync(
        [Description("The image in base64, or as a data URL.")] string image,
        [Description("Labels such as lion, tree, bicycle.")] string[] labels,
        [Description("Sentences with {} in place of the label; left out: 'a photo of a {}' and the like.")] string[]? templates = null,
        [Description("Name of a model on this machine; left out: the service's own.")] string? model = null,
        CancellationToken cancellation = default) => GuardedAsync(async () => Text(await ModelRoutes.AnswerAsync(pool,
            Fields(("images", new[] { image }), ("labels", labels), ("templates", templates), ("model", model)), clip.ClassifyAsync,
            cancellation).ConfigureAwait(false)));

    [McpServerTool(Name = "search", Title = "Search the indexed images", ReadOnly = true, OpenWorld = false)]
    [Description("Searches the images of 'alebrije index' on this machine by text and by an image; further texts are added or subtracted.")]
    public Task<CallToolResult> SearchAsync(
        [Description("Text to search for.")] string? text = null,
        [Description("An image to search similar images for, in base64 or as a data URL.")] string? image = null,
        [Description("Further texts to search for.")] string[]? plus = null,
        [Description("Texts for content that the images should not show.")] string[]? minus = null,
        [Description("Maximum number of results, 1 to 200; left out: 20.")] int? top = null,
        CancellationToken cancellation = default) => GuardedAsync(async () => Text(await ModelRoutes.AnswerAsync(pool,
            Fields(("text", text), ("image", image), ("plus", plus), ("minus", minus), ("top", top)), search.SearchAsync, cancellation)
            .ConfigureAwait(false)));

    private static CallToolResult Text(object answer) =>
        new() { Content = [new TextContentBlock { Text = ServerJson.Text(answer) }] };

    private static RequestFields Fields(params (string Name, object? Value)[] given) => new(given.Where(field => field.Value is not null)
        .ToDictionary(field => field.Name, field => JsonSerializer.SerializeToElement(field.Value), StringComparer.Ordinal));

    /// <summary>Refusals are answers of the tool, in the sentence that HTTP gives.</summary>
    private static async Task<CallToolResult> GuardedAsync(Func<Task<CallToolResult>> run)
    {
        try
        {
            return await run().ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException && RequestGuard.Refusal(e) is { Status: not 500 } refusal)
        {
            var retry = refusal.RetryAfter is { } seconds ? $" Ask again in {seconds} s." : "";
            return new CallToolResult { IsError = true, Content = [new TextContentBlock { Text = refusal.Message + retry }] };
        }
    }
}
