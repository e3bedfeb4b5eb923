using System.Globalization;
using System.Text.Json;
using Alebrije.Pipelines;
using Alebrije.Server.Jobs;
using Alebrije.Server.Requests;

namespace Alebrije.Server.WebUi;

/// <summary>Answers in the shapes of AUTOMATIC1111's web UI; values that it writes as null stay.</summary>
internal static class WebUiAnswers
{
    private const string Negative = "Negative prompt: ";

    /// <summary>Images, the fields of the request, and a JSON text that describes the images.</summary>
    /// <param name="asked">The request.</param>
    /// <param name="fields">Its fields as they came.</param>
    /// <param name="drawn">The request with the model's own values.</param>
    /// <param name="job">The job.</param>
    /// <param name="images">Files of the images.</param>
    public static Dictionary<string, object?> Images(
        WebUiRequest asked, RequestFields fields, GenerationRequest drawn, Job job, IReadOnlyList<byte[]> images)
    {
        var (width, height) = job.Images is [var first, ..] ? (first.Image.Width, first.Image.Height)
            : job.Size.Asked ?? job.Size.Native ?? (drawn.Width ?? drawn.Size ?? 0, drawn.Height ?? drawn.Size ?? 0);
        var parameters = fields.Values.Where(value => value.Key is not ("init_images" or "mask"))
            .ToDictionary(value => value.Key, value => (object?)value.Value, StringComparer.Ordinal);
        foreach (var (name, value) in new (string, object?)[]
        {
            ("prompt", drawn.Prompt), ("negative_prompt", drawn.Negative), ("seed", drawn.Seed), ("steps", drawn.Steps),
            ("cfg_scale", drawn.Guidance), ("width", width), ("height", height), ("batch_size", asked.BatchSize),
            ("n_iter", asked.Rounds),
        })
            parameters[name] = parameters.TryGetValue(name, out var given) && given is JsonElement { ValueKind: not JsonValueKind.Null }
                ? given : value;
        return new Dictionary<string, object?>
        {
            ["images"] = asked.SendsImages ? images.Select(Convert.ToBase64String).ToArray() : [],
            ["parameters"] = parameters,
            ["info"] = ServerJson.Text(Info(asked, drawn, job, (width, height), images.Count)),
        };
    }

    /// <summary>Progress of a job, or that of a service that draws nothing for this client.</summary>
    public static Dictionary<string, object?> Progress(WebUiJob? current, bool withImage)
    {
        var job = current?.Job;
        var latest = job?.Latest("progress");
        var share = latest is { Of: > 0 } ? Share(latest) : 0;
        var seconds = job is null ? 0 : System.Diagnostics.Stopwatch.GetElapsedTime(job.CreatedAt).TotalSeconds;
        var preview = withImage ? job?.Latest("preview")?.Png : null;
        return new Dictionary<string, object?>
        {
            ["progress"] = share, ["eta_relative"] = share > 0 ? (seconds / share) - seconds : 0,
            ["state"] = new Dictionary<string, object?>
            {
                ["skipped"] = false, ["interrupted"] = current?.IsInterrupted ?? false, ["stopping_generation"] = false,
                ["job"] = job?.Id ?? "", ["job_count"] = current?.Rounds ?? 0,
                ["job_timestamp"] = Timestamp(job?.Created ?? DateTimeOffset.UtcNow), ["job_no"] = 0,
                ["sampling_step"] = latest?.Step ?? 0, ["sampling_steps"] = latest?.Of ?? 0,
            },
            ["current_image"] = preview is null ? null : Convert.ToBase64String(preview), ["textinfo"] = latest?.Stage,
        };
    }

    /// <summary>Text of a PNG, its other texts, and the fields of the text.</summary>
    public static Dictionary<string, object?> PngInfo(IReadOnlyDictionary<string, string> texts)
    {
        var info = texts.GetValueOrDefault(Recipe.ParametersKeyword) ?? "";
        return new Dictionary<string, object?>
        {
            ["info"] = info, ["items"] = texts.Where(text => text.Key != Recipe.ParametersKeyword).ToDictionary(),
            ["parameters"] = Parameters(info),
        };
    }

    /// <summary>Prompt, negative prompt and the values of the last line, as the web UI takes them from its text.</summary>
    internal static Dictionary<string, string> Parameters(string info)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        if (info.Length == 0) return found;
        var lines = info.Trim().Split('\n');
        // The last line holds the values where it has at least three of them, as the web UI decides it too.
        var hasValues = lines[^1].Split(", ").Count(value => value.Contains(": ", StringComparison.Ordinal)) >= 3;
        var texts = hasValues ? lines[..^1] : lines;
        var negative = Array.FindIndex(texts, line => line.Trim().StartsWith(Negative.Trim(), StringComparison.Ordinal));
        found["Prompt"] = string.Join('\n', negative < 0 ? texts : texts[..negative]).Trim();
        found["Negative prompt"] = negative < 0 ? "" : string.Join('\n', texts[negative..]).Trim()[Negative.Trim().Length..].Trim();
        if (!hasValues) return found;
        foreach (var value in lines[^1].Split(", "))
        {
            var colon = value.IndexOf(": ", StringComparison.Ordinal);
            if (colon > 0) found[value[..colon].Trim()] = value[(colon + 2)..].Trim();
        }

        if (found.TryGetValue("Size", out var size) && size.Split('x') is [var width, var height])
            (found["Size-1"], found["Size-2"]) = (width, height);
        return found;
    }

    private static Dictionary<string, object?> Info(
        WebUiRequest asked, GenerationRequest drawn, Job job, (int Width, int Height) size, int images)
    {
        var seeds = Enumerable.Range(0, images).Select(i => unchecked(drawn.Seed + (ulong)i)).ToArray();
        var texts = Enumerable.Range(0, images).Select(i =>
            job.Images.Count > i && job.Images[i].Text.TryGetValue(Recipe.ParametersKeyword, out var own) ? own
            : Line(drawn, seeds[i], size, job.Model)).ToArray();
        return new Dictionary<string, object?>
        {
            ["prompt"] = drawn.Prompt, ["all_prompts"] = Enumerable.Repeat(drawn.Prompt, images), ["negative_prompt"] = drawn.Negative,
            ["all_negative_prompts"] = Enumerable.Repeat(drawn.Negative, images), ["seed"] = drawn.Seed, ["all_seeds"] = seeds,
            ["subseed"] = drawn.Seed, ["all_subseeds"] = seeds, ["subseed_strength"] = 0, ["width"] = size.Width,
            ["height"] = size.Height, ["sampler_name"] = drawn.Scheduler, ["cfg_scale"] = drawn.Guidance, ["steps"] = drawn.Steps,
            ["batch_size"] = asked.BatchSize, ["restore_faces"] = false, ["face_restoration_model"] = null,
            ["sd_model_name"] = job.Model, ["sd_model_hash"] = null, ["sd_vae_name"] = null, ["sd_vae_hash"] = null,
            ["seed_resize_from_w"] = -1, ["seed_resize_from_h"] = -1, ["denoising_strength"] = drawn.Strength,
            ["extra_generation_params"] = new Dictionary<string, string>(), ["index_of_first_image"] = 0, ["infotexts"] = texts,
            ["styles"] = Array.Empty<string>(), ["job_timestamp"] = Timestamp(job.Created), ["clip_skip"] = (drawn.ClipSkip ?? 0) + 1,
            ["is_using_inpainting_conditioning"] = false, ["version"] = $"Alebrije {typeof(Recipe).Assembly.GetName().Version}",
        };
    }

    /// <summary>The line of an image whose file has no recipe: one of an experiment.</summary>
    private static string Line(GenerationRequest drawn, ulong seed, (int Width, int Height) size, string model)
    {
        var negative = drawn.Negative.Length > 0 ? $"\n{Negative}{drawn.Negative}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{drawn.Prompt}{negative}\nSteps: {drawn.Steps}, CFG scale: {drawn.Guidance}, "
            + $"Seed: {seed}, Size: {size.Width}x{size.Height}, Model: {model}");
    }

    /// <summary>Share of a job that is done: the decoder's steps are most of it.</summary>
    private static double Share(JobEvent latest)
    {
        const double before = 0.05, decoder = 0.85;
        var done = (double)latest.Step / latest.Of;
        return latest.Stage switch
        {
            "decoder" => before + (decoder * done),
            "upsampler" or "picture" => before + decoder + ((1 - before - decoder) * done),
            _ => before * done,
        };
    }

    private static string Timestamp(DateTimeOffset time) => time.ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture);
}
