using System.Numerics.Tensors;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Server.Models;
using Alebrije.Server.Requests;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.AI;

namespace Alebrije.Server.Native;

/// <summary>Answers of CLIP: similarity of images and texts, zero-shot classes, principal components, tokens.</summary>
internal sealed class ClipEndpoints(Uploads uploads)
{
    private const int MostImages = 64, MostTexts = 256;

    public static void Map(IEndpointRouteBuilder routes)
    {
        ModelRoutes.Post<ClipEndpoints>(routes, "/api/v1/similarity", self => self.SimilarityAsync);
        ModelRoutes.Post<ClipEndpoints>(routes, "/api/v1/classify", self => self.ClassifyAsync);
        ModelRoutes.Post<ClipEndpoints>(routes, "/api/v1/pca", self => self.PcaAsync);
        ModelRoutes.Post<ClipEndpoints>(routes, "/api/v1/tokenize", self => self.TokenizeAsync);
    }

    /// <summary>Cosines [images][texts], and the probabilities of each image's texts.</summary>
    private async Task<object> SimilarityAsync(RequestFields fields, LoadedModel model, CancellationToken cancellation)
    {
        var (images, texts) = (await ImagesAsync(fields, cancellation).ConfigureAwait(false), Texts(fields, "texts"));
        var rows = await EmbedAsync(model, [.. images, .. texts.Select(text => new TextContent(text))], cancellation).ConfigureAwait(false);
        var scale = ((ClipModel)model.Clip.GetService(typeof(ClipModel))!).LogitScale;
        var cosines = rows[..images.Count].Select(
            image => rows[images.Count..].Select(text => (double)TensorPrimitives.CosineSimilarity(image, text)).ToArray()).ToArray();
        return new { model = model.Name, texts, cosines, probabilities = cosines.Select(row => ZeroShot.Softmax(row, scale)).ToArray() };
    }

    /// <summary>Probabilities of labels for each image.</summary>
    public async Task<object> ClassifyAsync(RequestFields fields, LoadedModel model, CancellationToken cancellation)
    {
        var (images, labels) = (await ImagesAsync(fields, cancellation).ConfigureAwait(false), Texts(fields, "labels"));
        var templates = fields.Texts("templates", 100, 1000) ?? ZeroShotSet.Simple;
        var clip = (ClipModel)model.Clip.GetService(typeof(ClipModel))!;
        var names = labels.SelectMany(label => templates.Select(
            template => template.Replace("{}", label, StringComparison.Ordinal))).ToArray();
        if (names.Length > 10_000) throw ApiException.Field("templates", "There are more than 10000 labels times templates.");
        var embedded = await EmbedAsync(model, [.. names.Select(name => new TextContent(name))], cancellation).ConfigureAwait(false);
        var (place, scale) = (0, clip.LogitScale);
        var classifier = ZeroShotClassifier.Create(labels, templates, texts => embedded[place..(place += texts.Count)]);
        var rows = await EmbedAsync(model, images, cancellation).ConfigureAwait(false);
        return new
        {
            model = model.Name, labels,
            images = rows.Select(row =>
            {
                var cosines = classifier.Cosines(row);
                var probabilities = ZeroShot.Softmax(cosines, scale);
                return new { label = labels[ZeroShot.TopK(probabilities, 1)[0]], cosines, probabilities };
            }).ToArray(),
        };
    }

    /// <summary>Coordinates of images and texts on their first principal components.</summary>
    private async Task<object> PcaAsync(RequestFields fields, LoadedModel model, CancellationToken cancellation)
    {
        var images = fields.Has("images") ? await ImagesAsync(fields, cancellation).ConfigureAwait(false) : [];
        var texts = fields.Has("texts") ? Texts(fields, "texts") : [];
        if (images.Count + texts.Count < 3) throw ApiException.Field("texts", "Components need three images and texts or more.");
        var components = Math.Min(fields.Whole("components", 1, 16) ?? 2, images.Count + texts.Count - 1);
        var rows = await EmbedAsync(model, [.. images, .. texts.Select(text => new TextContent(text))], cancellation).ConfigureAwait(false);
        var fit = PrincipalComponents.Fit(rows, components);
        var points = rows.Select(row => fit.Transform(row)).ToArray();
        return new { model = model.Name, images = points[..images.Count], texts = points[images.Count..], fit.VarianceRatio };
    }

    private Task<object> TokenizeAsync(RequestFields fields, LoadedModel model, CancellationToken cancellation)
    {
        var text = fields.RequiredText("text");
        var tokenizer = ClipModel.LoadTokenizer(model.Folder);
        var ids = tokenizer.Encode(text);
        return Task.FromResult<object>(new
        {
            model = model.Name, clean = tokenizer.Clean(text), ids, tokens = tokenizer.Tokens(text), ids.Length,
            max_length = tokenizer.MaxLength, truncated = ids.Length > tokenizer.MaxLength,
        });
    }

    private static IReadOnlyList<string> Texts(RequestFields fields, string name)
    {
        var texts = fields.Texts(name, MostTexts, 2000) ?? [];
        if (texts.Count == 0 || texts.Any(string.IsNullOrWhiteSpace))
            throw new ApiException(400, $"The field {name} is missing or has an empty text; send a list of texts.", name, "missing_field");
        if (name == "labels" && texts.Distinct(StringComparer.Ordinal).Count() < texts.Count)
            throw ApiException.Field(name, "A label occurs twice; each class needs a different name.");
        return texts;
    }

    private async Task<List<AIContent>> ImagesAsync(RequestFields fields, CancellationToken cancellation)
    {
        var images = fields.Texts("images", MostImages, int.MaxValue) ?? [];
        if (images.Count == 0)
            throw new ApiException(400, "The field images is missing; send a list of images in base64.", "images", "missing_field");
        var contents = new List<AIContent>();
        foreach (var image in images)
        {
            var decoded = await uploads.DecodeAsync(image, "images", cancellation).ConfigureAwait(false);
            contents.Add(new DataContent(decoded.ToRgb().ToPng(), "image/png"));
        }

        return contents;
    }

    /// <summary>Embeddings of unit length.</summary>
    internal static async Task<float[][]> EmbedAsync(
        LoadedModel model, IReadOnlyList<AIContent> contents, CancellationToken cancellation) =>
        [.. (await model.Clip.GenerateAsync(contents, null, cancellation).ConfigureAwait(false)).Select(row => row.Vector.ToArray())];
}
