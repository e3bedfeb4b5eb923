using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Server.Models;
using Alebrije.Server.Native;
using Microsoft.Extensions.AI;

namespace Alebrije.Server.Studio;

/// <summary>CLIP of the service's models for the pages; null names the default model.</summary>
internal sealed class StudioClip(ModelPool pool)
{
    /// <summary>Embeddings of unit length: first of the images, then of the texts.</summary>
    public async Task<float[][]> EmbedAsync(IReadOnlyList<RgbImage> images, IReadOnlyList<string> texts,
        string? model = null, CancellationToken cancellation = default)
    {
        using var lease = await Task.Run(() => pool.Rent(model), cancellation).ConfigureAwait(false);
        List<AIContent> contents = [.. images.Select(image => new DataContent(image.ToPng(), "image/png"))];
        contents.AddRange(texts.Select(text => new TextContent(text)));
        return await Task.Run(() => ClipEndpoints.EmbedAsync(lease.Model, contents, cancellation), cancellation).ConfigureAwait(false);
    }

    /// <summary>Runs something on the model, off the page's thread.</summary>
    public Task<T> UseAsync<T>(Func<ClipModel, T> use, string? model = null) => Task.Run(() =>
    {
        using var lease = pool.Rent(model);
        return use((ClipModel)lease.Model.Clip.GetService(typeof(ClipModel))!);
    });
}
