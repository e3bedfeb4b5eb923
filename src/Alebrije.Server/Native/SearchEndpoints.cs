using System.Globalization;
using System.Text.Json;
using Alebrije.Extensions.AI.Images;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing;
using Alebrije.Search;
using Alebrije.Server.Models;
using Alebrije.Server.Requests;
using Alebrije.Server.Studio;
using Microsoft.AspNetCore.Routing;

namespace Alebrije.Server.Native;

/// <summary>
/// <c>/api/v1/search</c>: the index of <c>alebrije index</c> by texts and images, added and subtracted. Images of a query are sent, never
/// named by a path.
/// </summary>
internal sealed class SearchEndpoints(Uploads uploads) : IDisposable
{
    private const int MostParts = 16, MostResults = 200, MostCharacters = 2000, ThumbnailSide = 224, MostSearches = 2;
    private const double MostWeight = 100;

    private readonly SemaphoreSlim gate = new(MostSearches, MostSearches);

    public static void Map(IEndpointRouteBuilder routes) =>
        ModelRoutes.Post<SearchEndpoints>(routes, "/api/v1/search", self => self.SearchAsync);

    public void Dispose() => gate.Dispose();

    /// <summary>Images of the index, the best first.</summary>
    public async Task<object> SearchAsync(RequestFields fields, LoadedModel model, CancellationToken cancellation)
    {
        using var files = new TemporaryFiles();
        var parts = new List<QueryPart>();
        if (fields.Text("text", MostCharacters) is { } text) parts.Add(Text(text, 1, "text"));
        if (fields.Text("image", int.MaxValue) is { } image)
            parts.Add(await ImageAsync(image, 1, "image", files, cancellation).ConfigureAwait(false));
        foreach (var (name, sign) in new[] { ("plus", 1), ("minus", -1) })
        {
            foreach (var item in Items(fields, name))
                parts.Add(await PartAsync(item, sign, name, files, cancellation).ConfigureAwait(false));
        }

        if (!parts.Any(part => part.Weight > 0))
            throw new ApiException(400, "There is nothing to look for: send text, image or plus; minus alone is not enough.", "text",
                "missing_field");
        var query = new SearchQuery(parts)
        {
            Top = fields.Whole("top", 1, MostResults) ?? 20, FalseAlarmRate = fields.Number("false_alarm_rate", 0, 1) ?? 0.01,
        };
        var thumbnails = fields.Truth("thumbnails") ?? false;
        await gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return await Task.Run(() => Answer(model, query, thumbnails, cancellation), cancellation).ConfigureAwait(false);
        }
        finally
        {
            gate.Release();
        }
    }

    private static object Answer(LoadedModel model, SearchQuery query, bool thumbnails, CancellationToken cancellation)
    {
        try
        {
            using var index = PictureIndex.Open(PictureIndex.DefaultFolder);
            var found = index.Search((ClipModel)model.Clip.GetService(typeof(ClipModel))!, query, cancellation);
            return new
            {
                model = model.Name, found.Searched, found.BelowCut, found.Cut, found.FalseAlarmRate,
                results = found.Results.Select(result => new
                {
                    result.File, result.Copies, result.Score, result.Relevance,
                    date = result.Picture.Date.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture),
                    result.Picture.Width, result.Picture.Height, result.Picture.Latitude, result.Picture.Longitude,
                    result.Picture.Camera, result.Picture.Label,
                    thumbnail = thumbnails && SearchPage.Thumbnail(result.File, ThumbnailSide) is { } small
                        ? Figures.Uri(small.ToPng()) : null,
                }).ToArray(),
            };
        }
        catch (FileNotFoundException)
        {
            throw new ApiException(404, "There is no index of images yet: 'alebrije index add FOLDER' makes one.", null, "no_index");
        }
        catch (OtherSpaceException e)
        {
            throw new ApiException(400, ErrorSentence.Of(e), "model", "other_space");
        }
        catch (InvalidDataException e)
        {
            throw new ApiException(503, ErrorSentence.Of(e), null, "damaged_index") { RetryAfter = 60 };
        }
    }

    /// <summary>Entries of a list, or the one value that stands for it.</summary>
    private static IReadOnlyList<JsonElement> Items(RequestFields fields, string name)
    {
        if (fields.Raw(name) is not { } value) return [];
        if (value.ValueKind != JsonValueKind.Array) return [value];
        return value.GetArrayLength() <= MostParts ? [.. value.EnumerateArray()]
            : throw ApiException.Field(name, $"The field {name} has {value.GetArrayLength()} entries; at most {MostParts} are allowed.");
    }

    private async Task<QueryPart> PartAsync(JsonElement item, int sign, string name, TemporaryFiles files, CancellationToken cancellation)
    {
        if (item.ValueKind == JsonValueKind.String) return Text(item.GetString()!, sign, name);
        if (item.ValueKind != JsonValueKind.Object) throw Expected(name, item);
        var weight = 1.0;
        if (item.TryGetProperty("weight", out var given)
            && (given.ValueKind != JsonValueKind.Number || !given.TryGetDouble(out weight) || !(weight > 0 && weight <= MostWeight)))
            throw ApiException.Field(name, $"A weight of {name} is {RequestFields.Short(given.GetRawText())}; it has to lie above 0 and at "
                + $"most {MostWeight}.");
        if (item.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String)
            return Text(text.GetString()!, sign * weight, name);
        if (item.TryGetProperty("image", out var image) && image.ValueKind == JsonValueKind.String)
            return await ImageAsync(image.GetString()!, sign * weight, name, files, cancellation).ConfigureAwait(false);
        throw Expected(name, item);
    }

    private static ApiException Expected(string name, JsonElement item) =>
        RequestFields.Wrong(name, item, "a text, or an object with text or image and perhaps weight");

    private static QueryPart Text(string text, double weight, string name) =>
        !string.IsNullOrWhiteSpace(text) && text.Length <= MostCharacters ? new QueryPart(text.Trim(), weight)
        : throw ApiException.Field(name, $"A text of {name} has {text.Trim().Length} characters; 1 to {MostCharacters} are allowed.");

    private async Task<QueryPart> ImageAsync(string image, double weight, string name, TemporaryFiles files, CancellationToken cancellation)
    {
        var decoded = await uploads.DecodeAsync(image, name, cancellation).ConfigureAwait(false);
        return new QueryPart(files.Add(decoded.ToRgb()), weight, IsImage: true);
    }
}
