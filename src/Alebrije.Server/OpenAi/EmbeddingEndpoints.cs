using System.Runtime.InteropServices;
using System.Text.Json;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Server.Models;
using Alebrije.Server.Requests;
using Alebrije.Server.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.AI;

namespace Alebrije.Server.OpenAi;

/// <summary><c>/v1/embeddings</c> of texts, token ids and images in one space, and <c>/v1/models</c>.</summary>
internal sealed class EmbeddingEndpoints(ModelPool pool, Uploads uploads, ServerMetrics metrics)
{
    private const int MostInputs = 2048, MostTokens = 8192;

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/embeddings", (HttpContext context, EmbeddingEndpoints self) => self.EmbedAsync(context));
        routes.MapGet("/v1/models", (ModelPool pool) => Results.Json(new
        {
            @object = "list", data = Names(pool).Select(Describe).ToArray(),
        }, ServerJson.Options));
        routes.MapGet("/v1/models/{*id}", (string id, ModelPool pool) => Names(pool).Contains(id)
            ? Results.Json(Describe(id), ServerJson.Options)
            : throw new ApiException(404, $"There is no model '{RequestFields.Short(id)}'; GET /v1/models lists them.", "model",
                "model_not_found"));
    }

    private static string[] Names(ModelPool pool) => [.. pool.Known().Select(model => model.Name), ModelPool.DallE2];

    private static object Describe(string name) => new { id = name, @object = "model", created = 1_764_288_000, owned_by = "alebrije" };

    private async Task EmbedAsync(HttpContext context)
    {
        var fields = await RequestBody.JsonAsync(context.Request).ConfigureAwait(false);
        var (model, format) = (fields.Text("model", 200), fields.Choice("encoding_format", "float", "base64") ?? "float");
        var dimensions = fields.Whole("dimensions", 1, 65536);
        var (strict, keepAlive) = (fields.Truth("strict") ?? false, fields.Number("keep_alive", -1, 1e9));
        fields.Ignore("user");
        var input = fields.Raw("input") ?? throw new ApiException(
            400, "The field input is missing; send a text or a list.", "input", "missing_field");
        ImageAnswers.Unknown(context, fields, strict);
        using var lease = pool.Rent(model, keepAlive);
        var clip = lease.Model.Clip;
        var contents = await ContentsAsync(input, () => Tokenizer(clip), context.RequestAborted).ConfigureAwait(false);
        var rows = await clip.GenerateAsync(contents, null, context.RequestAborted).ConfigureAwait(false);
        metrics.Embedded(rows.Count);
        var data = rows.Select((row, i) => new
        {
            @object = "embedding", index = i, embedding = Value(Cut(row.Vector, dimensions), format),
        });
        await context.Response.WriteAsJsonAsync(new
        {
            @object = "list", data = data.ToArray(), model = lease.Model.Name,
            usage = new { prompt_tokens = rows.Usage?.InputTokenCount ?? 0, total_tokens = rows.Usage?.TotalTokenCount ?? 0 },
        }, ServerJson.Options, context.RequestAborted).ConfigureAwait(false);
    }

    private async Task<List<AIContent>> ContentsAsync(JsonElement input, Func<ClipTokenizer> tokenizer, CancellationToken cancellation)
    {
        if (input.ValueKind == JsonValueKind.String) return [Text(input.GetString()!)];
        if (input.ValueKind == JsonValueKind.Object) return [await ImageAsync(input, cancellation).ConfigureAwait(false)];
        if (input.ValueKind != JsonValueKind.Array) throw RequestFields.Wrong(
            "input", input, "a text, a list of texts, token ids or images");
        if (input.GetArrayLength() is 0 or > MostInputs)
            throw ApiException.Field("input", $"The field input has {input.GetArrayLength()} entries; 1 to {MostInputs} are allowed.");
        if (input[0].ValueKind == JsonValueKind.Number) return [Tokens(input, tokenizer())];
        var contents = new List<AIContent>();
        foreach (var item in input.EnumerateArray())
            contents.Add(item.ValueKind switch
            {
                JsonValueKind.String => Text(item.GetString()!),
                JsonValueKind.Array => Tokens(item, tokenizer()),
                JsonValueKind.Object => await ImageAsync(item, cancellation).ConfigureAwait(false),
                _ => throw RequestFields.Wrong("input", item, "a text, token ids, or an object with text or image"),
            });
        return contents;
    }

    private static TextContent Text(string text) => text.Length is > 0 and <= RequestFields.MostText ? new TextContent(text)
        : throw ApiException.Field("input", $"A text has {text.Length} characters; 1 to {RequestFields.MostText} are allowed.");

    /// <summary>Token ids are read as the text that they stand for.</summary>
    private static TextContent Tokens(JsonElement ids, ClipTokenizer tokenizer)
    {
        if (ids.GetArrayLength() is 0 or > MostTokens)
            throw ApiException.Field("input", $"A list of token ids has {ids.GetArrayLength()} entries; 1 to {MostTokens} are allowed.");
        var numbers = new List<int>();
        foreach (var id in ids.EnumerateArray())
        {
            if (id.ValueKind != JsonValueKind.Number || !id.TryGetInt32(out var number) || number < 0 || number >= tokenizer.VocabularySize)
                throw ApiException.Field("input", $"{RequestFields.Short(id.GetRawText())} is not a token of this model; "
                    + $"ids lie between 0 and {tokenizer.VocabularySize - 1}. Send texts instead.");
            numbers.Add(number);
        }

        return new TextContent(tokenizer.Decode(numbers));
    }

    private async Task<AIContent> ImageAsync(JsonElement item, CancellationToken cancellation)
    {
        if (item.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String) return Text(text.GetString()!);
        if (!item.TryGetProperty("image", out var image) || image.ValueKind != JsonValueKind.String)
            throw ApiException.Field("input", "An object of input needs text or image: {\"image\": \"data:image/png;base64,...\"}.");
        var decoded = await uploads.DecodeAsync(image.GetString()!, "input", cancellation).ConfigureAwait(false);
        return new DataContent(decoded.ToRgb().ToPng(), "image/png");
    }

    private static ClipTokenizer Tokenizer(Alebrije.Extensions.AI.ClipEmbeddingGenerator clip) =>
        (clip.GetService(typeof(Pipelines.ClipModel)) as Pipelines.ClipModel)?.Tokenizer as ClipTokenizer
        ?? throw ApiException.Field("input", "This model does not accept token ids of CLIP; send texts.");

    /// <summary>The first numbers at unit length again, as OpenAI's models of several dimensions give them.</summary>
    private static ReadOnlyMemory<float> Cut(ReadOnlyMemory<float> row, int? dimensions)
    {
        if (dimensions is not { } count || count == row.Length) return row;
        if (count > row.Length)
            throw ApiException.Field("dimensions", $"The embeddings have {row.Length} numbers; set dimensions to {row.Length} or fewer.");
        var cut = row[..count].ToArray();
        var norm = Math.Sqrt(cut.Sum(x => (double)x * x));
        return norm == 0 ? cut : cut.Select(x => (float)(x / norm)).ToArray();
    }

    private static object Value(ReadOnlyMemory<float> row, string format) =>
        format == "float" ? row.ToArray() : Convert.ToBase64String(MemoryMarshal.AsBytes(row.Span));
}
