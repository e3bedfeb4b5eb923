using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Server.Jobs;
using Alebrije.Server.Models;
using Alebrije.Server.OpenAi;
using Alebrije.Server.Requests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Alebrije.Server.WebUi;

/// <summary><c>/sdapi/v1</c>: the endpoints with which clients of AUTOMATIC1111's web UI draw images.</summary>
internal sealed class WebUiEndpoints(
    ServerOptions options, ModelPool pool, Uploads uploads, ImageJobs jobs, ImageAnswers answers, WebUiJobs pending)
{
    private const int Previews = 4, MostInitial = 1;
    private const double UsualStrength = 0.75;

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/sdapi/v1/txt2img", (HttpContext context, WebUiEndpoints self) => self.DrawAsync(context));
        routes.MapPost("/sdapi/v1/img2img", (HttpContext context, WebUiEndpoints self) => self.RedrawAsync(context));
        routes.MapPost("/sdapi/v1/interrupt", (HttpContext context, WebUiEndpoints self) => self.Interrupt(context));
        routes.MapPost("/sdapi/v1/png-info", (HttpContext context, WebUiEndpoints self) => self.PngInfoAsync(context));
        routes.MapGet("/sdapi/v1/progress", (HttpContext context, WebUiJobs pending) => Results.Json(WebUiAnswers.Progress(
            pending.Of(context.Request), context.Request.Query["skip_current_image"].ToString() is not ("true" or "True" or "1")),
            ServerJson.Options));
        routes.MapGet("/sdapi/v1/sd-models", (ModelPool pool) => Results.Json(pool.Known().Select(model => new Dictionary<string, object?>
        {
            ["title"] = model.Name, ["model_name"] = model.Name, ["hash"] = null, ["sha256"] = null, ["filename"] = model.Name,
            ["config"] = null,
        }), ServerJson.Options));
        routes.MapGet("/sdapi/v1/samplers", () => Results.Json(GenerationRequest.Schedulers.Select(name => new
        {
            name, aliases = Array.Empty<string>(), options = new Dictionary<string, string>(),
        }), ServerJson.Options));
        routes.MapGet("/sdapi/v1/options", (ServerOptions options) => Results.Json(
            new { sd_model_checkpoint = options.Model, samples_format = "png" }, ServerJson.Options));
    }

    private async Task DrawAsync(HttpContext context)
    {
        var fields = await RequestBody.JsonAsync(context.Request).ConfigureAwait(false);
        var asked = WebUiRequest.Read(fields, fields.RequiredText("prompt"), options, pool);
        await SendAsync(context, fields, asked, () => jobs.Generate(Form(asked), asked.Requests(), null)).ConfigureAwait(false);
    }

    private async Task RedrawAsync(HttpContext context)
    {
        var fields = await RequestBody.JsonAsync(context.Request).ConfigureAwait(false);
        var initial = fields.Texts("init_images", MostInitial, int.MaxValue) ?? [];
        if (initial.Count == 0)
            throw new ApiException(400, "There is no image: send one in base64 in the list init_images.", "init_images", "missing_field");
        var asked = WebUiRequest.Read(fields, fields.Text("prompt") ?? "", options, pool);
        var image = await uploads.DecodeAsync(initial[0], "init_images", context.RequestAborted).ConfigureAwait(false);
        var isInverted = fields.Whole("inpainting_mask_invert", 0, 1) == 1;
        RgbImage? mask = null;
        if (fields.Text("mask", int.MaxValue) is { } given)
            mask = WebUiRequest.MaskOf(await uploads.DecodeAsync(given, "mask", context.RequestAborted).ConfigureAwait(false), isInverted);
        Func<Job> create;
        using (var lease = pool.Rent(asked.Model))
        {
            if (lease.Model.Pipeline.HasImageEncoder)
            {
                // The image's embedding is the start, so no share of steps is left to choose.
                create = () => mask is null && asked.Request.Prompt.Length == 0
                    ? jobs.Vary(Form(asked), asked.Request, image, asked.Count, null)
                    : jobs.Edit(Form(asked), asked.Request, image, mask, asked.Count, null);
            }
            else
            {
                var strength = Math.Max(0.01, fields.Number("denoising_strength", 0, 1) ?? UsualStrength);
                asked = asked with
                {
                    Request = asked.Request with
                    {
                        From = ImageInput.Of(image.ToRgb()), Mask = mask is null ? null : ImageInput.Of(mask), Strength = strength,
                    },
                };
                create = () => jobs.Generate(Form(asked), asked.Requests(), null);
            }
        }

        await SendAsync(context, fields, asked, create).ConfigureAwait(false);
    }

    private static JobForm Form(WebUiRequest asked) => new(asked.Model, asked.Size, Previews, null);

    private async Task SendAsync(HttpContext context, RequestFields fields, WebUiRequest asked, Func<Job> create)
    {
        ImageAnswers.Unknown(context, fields, isStrict: false);
        var job = answers.Begin(create());
        var own = pending.Add(context.Request, job, asked.Rounds);
        try
        {
            await job.Done.WaitAsync(context.RequestAborted).ConfigureAwait(false);
            var isInterrupted = own.IsInterrupted && job.State == JobState.Canceled;
            if (!isInterrupted) ImageAnswers.ThrowUnlessDone(job);
            IReadOnlyList<byte[]> images = !isInterrupted ? [.. job.Images.Select(image => image.Png)]
                : job.Latest("preview")?.Png is { } preview ? [preview] : [];
            var drawn = Completed(asked, job);
            await context.Response.WriteAsJsonAsync(WebUiAnswers.Images(asked, fields, drawn, job, images), ServerJson.Options,
                context.RequestAborted).ConfigureAwait(false);
        }
        finally
        {
            pending.Remove(own);
            job.Leave();
        }
    }

    /// <summary>The request with the model's defaults for its open fields.</summary>
    private GenerationRequest Completed(WebUiRequest asked, Job job)
    {
        using var lease = pool.Rent(asked.Model);
        var shown = job.Requests[0] with { Prompt = asked.Request.Prompt.Length > 0 ? asked.Request.Prompt : "image" };
        return lease.Model.Pipeline.Complete(shown) with { Prompt = asked.Request.Prompt };
    }

    /// <summary>Stops the client's own job between two steps; its request is answered with the last preview.</summary>
    private IResult Interrupt(HttpContext context)
    {
        if (pending.Of(context.Request) is { } current)
        {
            current.IsInterrupted = true;
            current.Job.Cancel();
        }

        return Results.Json(new Dictionary<string, object?>(), ServerJson.Options);
    }

    private async Task PngInfoAsync(HttpContext context)
    {
        var fields = await RequestBody.JsonAsync(context.Request).ConfigureAwait(false);
        var file = await uploads.BytesAsync(fields.RequiredText("image", int.MaxValue), "image", context.RequestAborted)
            .ConfigureAwait(false);
        ImageAnswers.Unknown(context, fields, isStrict: false);
        if (ImageHeader.Size(file) is null)
            throw new ApiException(400, "The file in image is not a readable image; send a PNG in base64.", "image", "invalid_image");
        var isPng = file.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G']);
        var texts = isPng ? PngText.Read(file, "the image in image") : new Dictionary<string, string>();
        await context.Response.WriteAsJsonAsync(WebUiAnswers.PngInfo(texts), ServerJson.Options, context.RequestAborted)
            .ConfigureAwait(false);
    }
}
