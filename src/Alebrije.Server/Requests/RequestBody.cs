using System.Text.Json;
using Alebrije.Preprocessing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Alebrije.Server.Requests;

/// <summary>An uploaded file of a form, in memory.</summary>
/// <param name="Field">Name of its field, without <c>[]</c>.</param>
/// <param name="Bytes">The file.</param>
internal sealed record UploadedFile(string Field, byte[] Bytes);

/// <summary>Body of a request: a JSON object, or a form with files.</summary>
internal sealed record RequestBody(RequestFields Fields, IReadOnlyList<UploadedFile> Files)
{
    private const int MostFields = 64, MostFiles = 16;

    /// <summary>Reads a JSON object.</summary>
    /// <exception cref="ApiException">The body is not a JSON object, or has another media type.</exception>
    public static async Task<RequestFields> JsonAsync(HttpRequest request)
    {
        if (!request.HasJsonContentType())
            throw new ApiException(415, "The body has to be JSON: send the header Content-Type: application/json.", null,
                "unsupported_media_type");
        try
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body, request.HttpContext.RequestAborted).ConfigureAwait(false);
            using var document = JsonText.Parse(body.GetBuffer().AsMemory(0, (int)body.Length),
                new JsonDocumentOptions { MaxDepth = ServerJson.MostDepth });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new ApiException(400, "The body is JSON but not an object; send {\"prompt\": \"...\"} or the like.", null,
                    "invalid_json");
            var values = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (!values.TryAdd(property.Name, property.Value.Clone()))
                    throw ApiException.Field(RequestFields.Short(property.Name), "A field occurs twice; send it once.");
                if (values.Count > MostFields)
                    throw new ApiException(400, $"The body has more than {MostFields} fields.", null, "too_many_fields");
            }

            return new RequestFields(values);
        }
        catch (JsonException)
        {
            throw new ApiException(400, "The body is not valid JSON; send an object such as {\"prompt\": \"a lion\"}.", null,
                "invalid_json");
        }
    }

    /// <summary>Reads a form of several parts, files in memory.</summary>
    /// <param name="request">The request.</param>
    /// <param name="most">Largest body in bytes.</param>
    /// <exception cref="ApiException">The body is not such a form, or has too many parts.</exception>
    public static async Task<RequestBody> FormAsync(HttpRequest request, long most)
    {
        if (request.ContentType?.StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase) != true)
            throw new ApiException(415, "The body has to be a form with files: Content-Type: multipart/form-data.", null,
                "unsupported_media_type");
        var limit = (int)Math.Min(most, int.MaxValue);
        var options = new FormOptions
        {
            MemoryBufferThreshold = limit, BufferBodyLengthLimit = most, MultipartBodyLengthLimit = most,
            ValueCountLimit = MostFields, ValueLengthLimit = 4 * RequestFields.MostText, KeyLengthLimit = 256,
            MultipartHeadersCountLimit = 16, MultipartHeadersLengthLimit = 16 * 1024,
        };
        IFormCollection form;
        try
        {
            form = await new FormFeature(request, options).ReadFormAsync(request.HttpContext.RequestAborted).ConfigureAwait(false);
        }
        catch (Exception e) when (e is InvalidDataException or (IOException and not BadHttpRequestException) or InvalidOperationException)
        {
            var tooLarge = e.Message.Contains("limit", StringComparison.OrdinalIgnoreCase);
            throw new ApiException(tooLarge ? 413 : 400, tooLarge
                ? $"The form is too large: at most {most} bytes and {MostFields} fields." : "The form is damaged or cut short.",
                null, tooLarge ? "too_large" : "invalid_form");
        }

        if (form.Files.Count > MostFiles) throw new ApiException(400, $"The form has more than {MostFiles} files.", null, "too_many_files");
        var values = form.ToDictionary(value => value.Key,
            value => JsonSerializer.SerializeToElement(value.Value.Count > 0 ? value.Value[0] : ""), StringComparer.Ordinal);
        var files = new List<UploadedFile>();
        foreach (var file in form.Files)
        {
            using var bytes = new MemoryStream((int)file.Length);
            await file.CopyToAsync(bytes, request.HttpContext.RequestAborted).ConfigureAwait(false);
            var name = file.Name.EndsWith("[]", StringComparison.Ordinal) ? file.Name[..^2] : file.Name;
            files.Add(new UploadedFile(name, bytes.ToArray()));
        }

        return new RequestBody(new RequestFields(values) { IsForm = true }, files);
    }
}
