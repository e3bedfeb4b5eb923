using System.Diagnostics;
using System.Text.RegularExpressions;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Estimates;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Server.Requests;
using Alebrije.Tensors;
using Alebrije.Weights;
using Microsoft.Extensions.Hosting;

namespace Alebrije.Server.Models;

/// <summary>A model in use; disposal ends the use.</summary>
internal sealed class ModelLease(LoadedModel model, Action end) : IDisposable
{
    private Action? end = end;

    public LoadedModel Model { get; } = model;

    public void Dispose() => Interlocked.Exchange(ref end, null)?.Invoke();
}

/// <summary>Models by name, loaded on demand under the free memory, and unloaded after their time.</summary>
internal sealed partial class ModelPool(ServerOptions options) : BackgroundService
{
    /// <summary>Name of OpenAI's retired model: the default model under its limits.</summary>
    public const string DallE2 = "dall-e-2";

    private const double RetrySeconds = 5;

    private readonly Lock gate = new();
    private readonly Dictionary<string, LoadedModel> loaded = new(StringComparer.Ordinal);
    private readonly ModelCatalog catalog = ModelCatalog.Create();

    /// <summary>Names of all models on this disk.</summary>
    public IReadOnlyList<CatalogModel> Known() => catalog.List();

    /// <summary>Models in memory, the oldest first.</summary>
    public IReadOnlyList<LoadedModel> Loaded
    {
        get
        {
            lock (gate) return [.. loaded.Values.OrderBy(model => model.LoadedAt)];
        }
    }

    /// <summary>A model for one use. It stays in memory until the use ends, and for its keep-alive afterwards.</summary>
    /// <param name="name">Its name; null or dall-e-2 is the default.</param>
    /// <param name="keepAlive">Seconds that replace the service's own; negative: no limit.</param>
    /// <exception cref="ApiException">There is no such model (404), or memory is short (503).</exception>
    public ModelLease Rent(string? name, double? keepAlive = null)
    {
        name = name is null or "" or DallE2 or "default" ? options.Model : name;
        // The service's own model may be a path; those of requests are names.
        if (name != options.Model && name != options.ChatModel && (!Name().IsMatch(name) || !catalog.Has(name))) throw Missing(name);
        lock (gate)
        {
            if (!loaded.TryGetValue(name, out var model)) loaded[name] = model = Open(name);
            model.Users++;
            model.UnloadAt = null;
            if (keepAlive is { } seconds) model.KeepAlive = seconds < 0 ? null : TimeSpan.FromSeconds(Math.Min(seconds, 1e8));
            return new ModelLease(model, () => End(model));
        }
    }

    /// <summary>A model that answers questions on images, for one use.</summary>
    /// <param name="name">Its name; null is the service's own.</param>
    /// <param name="keepAlive">Seconds that replace the service's own; negative: no limit.</param>
    /// <exception cref="ApiException">There is no such model, or it is not a chat model (404), or memory is short (503).</exception>
    public ModelLease RentChat(string? name, double? keepAlive = null)
    {
        name = name is null or "" or "default" ? options.ChatModel : name;
        if (name == options.ChatModel && !catalog.Has(name) && !Directory.Exists(name)) throw NoChat("No model on this disk supports chat");
        var lease = Rent(name, keepAlive);
        if (lease.Model.IsChat) return lease;
        lease.Dispose();
        throw NoChat($"The model {RequestFields.Short(name)} does not support chat");
    }

    private static ApiException NoChat(string beginning) => new(404, beginning + ": fetch a Flamingo ('alebrije models pull "
        + "openflamingo-3b') or train one (docs/training.md), and name it as model.", "model", "no_chat_model");

    /// <summary>Releases the memory of a model.</summary>
    /// <returns>False if it is not loaded.</returns>
    /// <exception cref="ApiException">It is in use.</exception>
    public bool Unload(string name)
    {
        lock (gate)
        {
            if (!loaded.TryGetValue(name, out var model)) return false;
            if (model.Users > 0) throw ApiException.Busy($"{name} is in use; cancel its jobs or try again.", "model_in_use", RetrySeconds);
            Remove(model);
            return true;
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        lock (gate)
        {
            foreach (var model in loaded.Values) model.Dispose();
            loaded.Clear();
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        await using var end = stoppingToken.Register(timer.Dispose);
        while (await timer.WaitForNextTickAsync(CancellationToken.None).ConfigureAwait(false))
        {
            lock (gate)
            {
                var now = Stopwatch.GetTimestamp();
                foreach (var model in loaded.Values.Where(model => model.Users == 0 && model.UnloadAt <= now).ToArray()) Remove(model);
            }
        }
    }

    private LoadedModel Open(string name)
    {
        string folder;
        try
        {
            folder = catalog.Find(name);
        }
        catch (CheckpointNotFoundException e)
        {
            throw new ApiException(404, e.Message, "model", "model_not_found");
        }

        TorchRuntime.Initialize(options.Threads);
        var bytes = catalog.List().FirstOrDefault(each => each.Name == name)?.Bytes ?? 0;
        MakeRoom(name, bytes);
        var companions = catalog.CompanionsOf(name);
        return new LoadedModel(name, folder,
            () => Checked(name, ImagePipeline.Load(folder, new ImagePipelineOptions { CompanionFolders = companions })),
            () => companions is [var language, var vision] ? FlamingoPipeline.Load(folder, language, vision)
                : FlamingoPipeline.Load(folder))
        {
            Bytes = bytes, KeepAlive = options.KeepAlive,
        };
    }

    /// <summary>Unloads idle models, the longest unused first, until a new one fits; refuses it where that is not enough.</summary>
    private void MakeRoom(string name, long bytes)
    {
        while (bytes > ModelMemory.Available())
        {
            var idle = loaded.Values.Where(model => model.Users == 0).OrderBy(model => model.UnloadAt ?? long.MaxValue).FirstOrDefault()
                ?? throw Short(name, bytes, ModelMemory.Available());
            Remove(idle);
        }
    }

    /// <summary>A pipeline whose images fit into the free memory by its estimate.</summary>
    private static ImagePipeline Checked(string name, ImagePipeline pipeline)
    {
        try
        {
            var estimate = pipeline.Estimate(new GenerationRequest { Prompt = "estimate" }, timed: false);
            return estimate.Fits ? pipeline : throw Short(name, estimate.PeakBytes, estimate.FreeBytes);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // A model that needs an image or a depth map has no estimate of a text alone.
            return pipeline;
        }
        catch
        {
            pipeline.Dispose();
            throw;
        }
    }

    /// <summary>A model that does not fit into the free memory.</summary>
    private static ApiException Short(string name, long needed, long free) => ApiException.Busy(
        $"{name} needs {needed / (double)(1L << 30):0.0} GiB of memory and {free / (double)(1L << 30):0.0} GiB are free: "
        + "unload a model (DELETE /api/v1/models/loaded/NAME), or name a smaller one.", "not_enough_memory", RetrySeconds);

    private void End(LoadedModel model)
    {
        lock (gate)
        {
            if (--model.Users > 0) return;
            model.UnloadAt = model.KeepAlive is { } time
                ? Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency) : null;
            if (model.KeepAlive == TimeSpan.Zero) Remove(model);
        }
    }

    private void Remove(LoadedModel model)
    {
        loaded.Remove(model.Name);
        model.Dispose();
    }

    private static ApiException Missing(string name) => new(404,
        $"There is no model '{RequestFields.Short(name)}' on this disk; GET /v1/models lists them, 'alebrije models pull' fetches others.",
        "model", "model_not_found");

    [GeneratedRegex(@"^[A-Za-z0-9][\w.\-]{0,95}(/[A-Za-z0-9_][\w.\-]{0,95})?$", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
