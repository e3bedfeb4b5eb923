using System.Security.Cryptography;
using System.Text;
using Alebrije.Extensions.AI.Images;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Server.Requests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Alebrije.Server.OpenAi;

/// <summary><c>/v1/images</c>: generations, variations, edits, and the files that answers name.</summary>
internal sealed class ImageEndpoints(ServerOptions options, Uploads uploads, ImageJobs jobs, ImageAnswers answers)
{
    private const int MostImages = 8;

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/images/generations", (HttpContext context, ImageEndpoints self) => self.GenerateAsync(context));
        routes.MapPost("/v1/images/variations", (HttpContext context, ImageEndpoints self) => self.VaryAsync(context));
        routes.MapPost("/v1/images/edits", (HttpContext context, ImageEndpoints self) => self.EditAsync(context));
        routes.MapGet("/v1/images/files/{name}", (string name, FileStore files) => files.Find(name) is var (bytes, type)
            ? Results.Bytes(bytes, type)
            : throw new ApiException(404, "There is no such image; images are served for an hour.", null, "not_found"));
    }

    private async Task GenerateAsync(HttpContext context)
    {
        var fields = await RequestBody.JsonAsync(context.Request).ConfigureAwait(false);
        var asked = ImageOptions.Read(fields, options);
        var requests = Requests(fields, asked, asked.Prompt(fields));
        ImageAnswers.Unknown(context, fields, asked.IsStrict);
        var key = Key(context, fields, []);
        await answers.SendAsync(context, asked, key, () => jobs.Generate(JobForm.Of(asked), requests, key), "image_generation")
            .ConfigureAwait(false);
    }

    private async Task VaryAsync(HttpContext context)
    {
        var (fields, files) = await RequestBody.FormAsync(context.Request, options.MaxBodyBytes).ConfigureAwait(false);
        var asked = ImageOptions.Read(fields, options);
        var request = Requests(fields, asked, fields.Text("prompt") ?? "")[0];
        ImageAnswers.Unknown(context, fields, asked.IsStrict);
        var images = Images(files, asked);
        if (images.Count > 1) throw ApiException.Field("image", "A variation takes one image; send several to /v1/images/edits.");
        var key = Key(context, fields, files);
        await answers.SendAsync(context, asked, key, () => jobs.Vary(JobForm.Of(asked), request, images[0], asked.Count, key),
            "image_variation").ConfigureAwait(false);
    }

    private async Task EditAsync(HttpContext context)
    {
        var (fields, files) = await RequestBody.FormAsync(context.Request, options.MaxBodyBytes).ConfigureAwait(false);
        var asked = ImageOptions.Read(fields, options);
        var request = Requests(fields, asked, asked.Prompt(fields))[0];
        ImageAnswers.Unknown(context, fields, asked.IsStrict);
        var images = Images(files, asked);
        var mask = MaskOf(files, images, asked);
        var key = Key(context, fields, files);
        await answers.SendAsync(context, asked, key, () => images.Count > 1
            ? jobs.Mix(JobForm.Of(asked), request, images, asked.Count, key)
            : jobs.Edit(JobForm.Of(asked), request, images[0], mask, asked.Count, key), "image_edit").ConfigureAwait(false);
    }

    private IReadOnlyList<Pipelines.GenerationRequest> Requests(RequestFields fields, ImageOptions asked, string prompt)
    {
        var requests = new GenerationFields(options).Read(fields, prompt, asked.Count);
        return asked.Quality == "low" && requests[0].Steps is null
            ? [.. requests.Select(request => request with { Steps = LowSteps })] : requests;
    }

    private const int LowSteps = 5;

    private List<PillowImage> Images(IReadOnlyList<UploadedFile> files, ImageOptions asked)
    {
        var images = files.Where(file => file.Field == "image").ToArray();
        if (images.Length == 0)
            throw new ApiException(400, "There is no image: send a file in the field image.", "image", "missing_field");
        if (images.Length > MostImages) throw ApiException.Field("image", $"At most {MostImages} images are mixed.");
        var decoded = images.Select(file => uploads.Decode(file.Bytes, "image")).ToList();
        if (asked.IsDallE2 && decoded.Any(image => image.Width != image.Height))
            throw ApiException.Field("image", $"The image is {decoded[0].Width} x {decoded[0].Height}; dall-e-2 takes square ones.");
        return decoded;
    }

    /// <summary>The redrawn part, bright: the transparent part of the mask, or of the image itself; null: all of it.</summary>
    private RgbImage? MaskOf(IReadOnlyList<UploadedFile> files, List<PillowImage> images, ImageOptions asked)
    {
        var given = files.Where(file => file.Field == "mask").ToArray();
        if (given.Length > 1) throw ApiException.Field("mask", "There are several masks; send one.");
        if (given.Length == 0) return MaskImage.OfTransparency(images[0]);
        if (images.Count > 1) throw ApiException.Field("mask", "A mask belongs to one image; send one image, or leave the mask out.");
        var mask = uploads.Decode(given[0].Bytes, "mask");
        if (asked.IsDallE2 && (mask.Width != images[0].Width || mask.Height != images[0].Height))
            throw ApiException.Field("mask", $"The mask is {mask.Width} x {mask.Height}, the image {images[0].Width} x {images[0].Height}; "
                + "dall-e-2 takes masks of the image's size.");
        if (MaskImage.OfTransparency(mask) is { } transparent) return transparent;
        // Masks without transparency are bright where the image is redrawn, as those of other services.
        return mask.Mode is PixelMode.Rgba or PixelMode.GreyAlpha
            ? throw ApiException.Field("mask", "The mask is opaque everywhere, so nothing would be drawn; make the part transparent.")
            : mask.ToRgb();
    }

    /// <summary>Identity of a request: address, caller, fields and files.</summary>
    private static string Key(HttpContext context, RequestFields fields, IReadOnlyList<UploadedFile> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{context.Request.Path}\n{context.Request.Headers.Authorization}\n{fields.Canonical}\n"));
        foreach (var file in files)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.Field} {file.Bytes.Length}\n"));
            hash.AppendData(file.Bytes);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
