using System.Text.Json;
using Alebrije.Extensions.AI.Images;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Server.Models;
using Alebrije.Server.Requests;

namespace Alebrije.Server.WebUi;

/// <summary>Fields of <c>txt2img</c> and <c>img2img</c>, into the library's own request.</summary>
internal sealed record WebUiRequest
{
    private const string Overrides = "override_settings", Checkpoint = "sd_model_checkpoint";
    private static readonly string[] Schedules = ["karras"];

    /// <summary>Name of the model; null: the service's own.</summary>
    public string? Model { get; private init; }

    /// <summary>The request at its first seed.</summary>
    public required GenerationRequest Request { get; init; }

    public (int Width, int Height)? Size { get; private init; }

    public int BatchSize { get; private init; }

    public int Rounds { get; private init; }

    public bool SendsImages { get; private init; }

    public int Count => BatchSize * Rounds;

    /// <summary>Reads the fields that both share. Fields that this model has no use for stay unread, and are named as ignored.</summary>
    /// <exception cref="ApiException">An invalid value.</exception>
    public static WebUiRequest Read(RequestFields fields, string prompt, ServerOptions options, ModelPool pool)
    {
        var model = ModelOf(fields);
        var (batch, rounds) = (fields.Whole("batch_size", 1, options.MaxImages) ?? 1, fields.Whole("n_iter", 1, options.MaxImages) ?? 1);
        if (batch * rounds > options.MaxImages)
            throw ApiException.Field("batch_size", $"batch_size times n_iter is {batch * rounds}; at most {options.MaxImages} images are "
                + "drawn for a request.");
        var (width, height) = (Side(fields, "width"), Side(fields, "height"));
        if (width > 4 * height || height > 4 * width) throw ApiException.Field("width", "An image may be at most 4 to 1.");
        var request = new GenerationRequest
        {
            Prompt = prompt, Negative = fields.Text("negative_prompt") ?? "", Steps = fields.Whole("steps", 1, options.MaxSteps),
            Guidance = fields.Number("cfg_scale", 0, 100),
        };
        fields.IgnoreNulls("sampler_name", "sampler_index", "scheduler", Overrides);
        if (SamplerOf(fields, request, model, pool) is { } sampler)
        {
            fields.Ignore("sampler_name", "sampler_index", "scheduler");
            request = request with { Scheduler = sampler };
        }

        return new WebUiRequest
        {
            Model = model, BatchSize = batch, Rounds = rounds, SendsImages = fields.Truth("send_images") ?? true,
            Size = (width ?? height) is { } side ? (width ?? side, height ?? side) : null,
            Request = GenerationFields.Seeded(request, fields.Seed(), 1)[0],
        };
    }

    /// <summary>One request for each image.</summary>
    public IReadOnlyList<GenerationRequest> Requests() => GenerationFields.Seeded(Request, Request.Seed, Count);

    /// <summary>The mask of <c>img2img</c>, bright where the image is redrawn: its alpha, else its brightness.</summary>
    public static RgbImage MaskOf(PillowImage mask, bool isInverted)
    {
        // The library's own masks are bright where they are transparent; those of this interface where they are opaque.
        var (image, invert) = MaskImage.OfTransparency(mask) is { } transparent ? (transparent, !isInverted) : (mask.ToRgb(), isInverted);
        return invert ? new RgbImage(image.Width, image.Height, [.. image.Pixels.Select(value => (byte)(byte.MaxValue - value))]) : image;
    }

    private static int? Side(RequestFields fields, string name) => fields.Whole(name, 16, NativeSize.MostSide);

    /// <summary>The checkpoint of <c>override_settings</c>, without the hash behind it; other settings stay unread.</summary>
    private static string? ModelOf(RequestFields fields)
    {
        if (!fields.Values.TryGetValue(Overrides, out var settings) || settings.ValueKind == JsonValueKind.Null) return null;
        if (settings.ValueKind != JsonValueKind.Object) throw RequestFields.Wrong(Overrides, settings, "an object");
        if (settings.EnumerateObject().All(setting => setting.Name == Checkpoint)) fields.Ignore(Overrides);
        if (!settings.TryGetProperty(Checkpoint, out var name) || name.ValueKind == JsonValueKind.Null) return null;
        if (name.ValueKind != JsonValueKind.String) throw RequestFields.Wrong(Overrides, name, "a model's name");
        return name.GetString()!.Split(" [")[0].Trim();
    }

    /// <summary>The sampler, with the schedule where it names one, if the model draws with it; otherwise null.</summary>
    private static string? SamplerOf(RequestFields fields, GenerationRequest request, string? model, ModelPool pool)
    {
        string? name = null;
        foreach (var field in new[] { "sampler_name", "sampler_index" })
        {
            if (!fields.Values.TryGetValue(field, out var value) || value.ValueKind == JsonValueKind.Null) continue;
            if (value.ValueKind != JsonValueKind.String) throw RequestFields.Wrong(field, value, "a sampler's name");
            name ??= value.GetString();
        }

        if (string.IsNullOrEmpty(name)) return null;
        if (fields.Values.TryGetValue("scheduler", out var schedule) && schedule.ValueKind == JsonValueKind.String
            && Schedules.Contains(schedule.GetString(), StringComparer.OrdinalIgnoreCase)) name = $"{name} {schedule.GetString()}";
        try
        {
            using var lease = pool.Rent(model);
            var shown = request with { Scheduler = name, Prompt = "sampler" };
            shown.Check();
            return lease.Model.Pipeline.Complete(shown).Scheduler is null ? null : name;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }
}
