using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;
using Alebrije.Server.Requests;
using Microsoft.AspNetCore.Components.Forms;

namespace Alebrije.Server.Studio;

/// <summary>An image on a page.</summary>
/// <param name="Name">Its label: the file's name.</param>
/// <param name="Image">The image, at most <see cref="StudioShelves.Side"/> pixels wide and high.</param>
/// <param name="Embedding">Of the whole image, unit length.</param>
internal sealed record StudioImage(string Name, RgbImage Image, float[] Embedding)
{
    private string? uri;

    /// <summary>A small version as data URL.</summary>
    public string Uri => uri ??= Thumbnail.DataUri(Image, 160);
}

/// <summary>Images of each page, for the time of a visit.</summary>
internal sealed class StudioShelves(Uploads uploads, StudioClip clip, ServerOptions options)
{
    /// <summary>Longest side of a kept image.</summary>
    public const int Side = 512;

    /// <summary>Most images of a page.</summary>
    public const int Most = 32;

    /// <summary>Images that come with the studio: scenes of EmojiWorld.</summary>
    private static readonly string[] Samples = ["lion", "cat", "dog", "banana", "car", "bicycle", "house", "pizza"];

    /// <summary>Raised after images were added.</summary>
    public event Action? Added;

    private readonly Dictionary<string, List<StudioImage>> shelves = new(StringComparer.Ordinal);

    private readonly Dictionary<string, string> models = new(StringComparer.Ordinal);

    public List<StudioImage> this[string name] => shelves.TryGetValue(name, out var shelf) ? shelf : shelves[name] = [];

    /// <summary>Adds uploaded files.</summary>
    /// <returns>Errors of files that were refused.</returns>
    public async Task<IReadOnlyList<Exception>> AddAsync(string shelf, IReadOnlyList<IBrowserFile> files,
        CancellationToken cancellation = default)
    {
        var (errors, images) = (new List<Exception>(), new List<(string Name, RgbImage Image)>());
        foreach (var file in files)
        {
            try
            {
                if (file.Size > options.MaxBodyBytes)
                    throw new ApiException(413, $"The file {file.Name} has {file.Size} bytes; at most {options.MaxBodyBytes} are allowed.");
                using var bytes = new MemoryStream();
                await using (var stream = file.OpenReadStream(options.MaxBodyBytes, cancellation))
                    await stream.CopyToAsync(bytes, cancellation).ConfigureAwait(false);
                var decoded = await Task.Run(() => uploads.Decode(bytes.ToArray(), file.Name).ToRgbOnWhite(), cancellation)
                    .ConfigureAwait(false);
                images.Add((Path.GetFileNameWithoutExtension(file.Name), decoded));
            }
            catch (Exception e) when (e is ApiException or IOException)
            {
                errors.Add(e);
            }
        }

        await AddAsync(shelf, images, cancellation).ConfigureAwait(false);
        return errors;
    }

    /// <summary>Adds images in memory.</summary>
    public async Task AddAsync(string shelf, IReadOnlyList<(string Name, RgbImage Image)> images, CancellationToken cancellation = default)
    {
        var room = Math.Max(0, Most - this[shelf].Count);
        var taken = images.Take(room).ToArray();
        if (taken.Length == 0) return;
        var rows = await clip.EmbedAsync([.. taken.Select(image => image.Image)], [], models.GetValueOrDefault(shelf), cancellation)
            .ConfigureAwait(false);
        this[shelf].AddRange(taken.Zip(rows, (image, row) => new StudioImage(image.Name, Thumbnail.Fit(image.Image, Side), row)));
        Added?.Invoke();
    }

    /// <summary>Sets the model that embeds the images of a shelf; its present images are embedded again.</summary>
    public async Task UseAsync(string shelf, string model)
    {
        if (models.TryGetValue(shelf, out var before) && before == model) return;
        var images = this[shelf];
        if (images.Count > 0)
        {
            var rows = await clip.EmbedAsync([.. images.Select(image => image.Image)], [], model).ConfigureAwait(false);
            StudioImage[] anew = [.. images.Zip(rows, (image, row) => image with { Embedding = row })];
            images.Clear();
            images.AddRange(anew);
        }

        models[shelf] = model;
    }

    /// <summary>Adds the first of the images that come with the studio.</summary>
    public Task AddSamplesAsync(string shelf, StudioWords words, int count = int.MaxValue) =>
        AddAsync(shelf, [.. Samples.Take(count).Select(name => (words[$"sample.{name}"], Sample(name)))]);

    private static RgbImage Sample(string name)
    {
        using var stream = typeof(StudioShelves).Assembly.GetManifestResourceStream($"studio/samples/{name}.png")!;
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return RgbImage.FromBytes(bytes.ToArray(), name);
    }
}
