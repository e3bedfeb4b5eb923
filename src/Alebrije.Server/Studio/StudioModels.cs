using System.Diagnostics;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Server.Models;

namespace Alebrije.Server.Studio;

/// <summary>Use of a model on a page.</summary>
internal enum StudioUse
{
    /// <summary>Drawing from text.</summary>
    Draw,

    /// <summary>Embeddings of texts and images in one space.</summary>
    Embed,

    /// <summary>Captions and answers about images.</summary>
    Describe,
}

/// <summary>The models that the service lists, by the pages that they fit.</summary>
internal sealed class StudioModels(ModelPool pool, ServerOptions options)
{
    /// <summary>Time for which a listing of the disk is reused.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private (long At, ILookup<StudioUse, string> Names)? seen;

    /// <summary>Names of the models for a use, the service's own first.</summary>
    public IReadOnlyList<string> For(StudioUse use)
    {
        lock (gate)
        {
            if (seen is not { } look || Stopwatch.GetElapsedTime(look.At) > Fresh)
                seen = look = (Stopwatch.GetTimestamp(), Look());
            return [.. look.Names[use]];
        }
    }

    /// <summary>The requested model where it fits the use; otherwise the service's own, or the first that fits.</summary>
    public string Choose(StudioUse use, string? asked)
    {
        var fitting = For(use);
        return asked is not null && fitting.Contains(asked) ? asked : fitting.Count == 0 || fitting.Contains(options.Model) ? options.Model
            : fitting[0];
    }

    private ILookup<StudioUse, string> Look()
    {
        var known = pool.Known();
        var uses = known.SelectMany(model => UsesOf(model).Select(use => (Use: use, model.Name)));
        // The service's own model may be a path, which is not listed; its kind is checked when it is used.
        if (known.All(model => model.Name != options.Model))
            uses = new[] { StudioUse.Draw, StudioUse.Embed }.Select(use => (Use: use, Name: options.Model)).Concat(uses);
        return uses.OrderByDescending(pair => pair.Name == options.Model).ToLookup(pair => pair.Use, pair => pair.Name);
    }

    private static IEnumerable<StudioUse> UsesOf(CatalogModel model)
    {
        if (model.ClassName == ModelKinds.Flamingo)
        {
            yield return StudioUse.Describe;
            yield break;
        }

        if (model.Kind == ModelKinds.TextToImage) yield return StudioUse.Draw;
        if (ClipModel.IsIn(model.Folder)) yield return StudioUse.Embed;
    }
}
