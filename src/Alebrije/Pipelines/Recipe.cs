using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;

namespace Alebrije.Pipelines;

/// <summary>Settings that made an image, read from its file.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="PriorFrom">Name of the model or folder that its prior came from; null for the model's own.</param>
/// <param name="Request">Request to <c>imagine</c>, or null.</param>
/// <param name="Experiment">Request for an experiment, or null.</param>
/// <param name="Picture">Number of the experiment's image; null for its sheet.</param>
public sealed record PictureRecipe(string Model, string? PriorFrom, GenerationRequest? Request, PictureExperiment? Experiment, int? Picture)
{
    /// <summary>Name of the CLIP that guided it; null for the model's own, or none.</summary>
    public string? Judge { get; init; }

    /// <summary>Floating-point formats used by the generation; null if the file does not contain them.</summary>
    public PipelinePrecision? Precision { get; init; }

    /// <summary>Threads that computed it; null where the file does not contain it.</summary>
    public int? Threads { get; init; }

    /// <summary>The single file that the model was; null for folders.</summary>
    public ModelFile? ModelFile { get; init; }

    /// <summary>Refuses another file than that of the recipe.</summary>
    /// <param name="given">The file that is loaded now; null: a folder, whose name stands for it.</param>
    /// <exception cref="InvalidDataException">Its hash is another one.</exception>
    public void CheckModel(ModelFile? given)
    {
        if (ModelFile is { } then && given is { } now && !then.Sha256.Equals(now.Sha256, StringComparison.OrdinalIgnoreCase))
            throw new InvalidDataException(
                $"{now.File} has changed since the recipe was written: its SHA-256 is {now.Sha256}, not {then.Sha256}.");
    }
}

/// <summary>Metadata in an image's file on its generation: a line that other tools read, and the full record as JSON.</summary>
public static class Recipe
{
    /// <summary>Keyword of the text chunk that other tools read.</summary>
    public const string ParametersKeyword = "parameters";

    /// <summary>Keyword of the text chunk that holds the whole recipe as JSON.</summary>
    public const string JsonKeyword = "alebrije";

    /// <summary>Reads the recipe of an image's file.</summary>
    /// <param name="path">A PNG file.</param>
    /// <exception cref="InvalidDataException">It holds no recipe, or one of a kind that cannot be drawn again.</exception>
    public static PictureRecipe Read(string path)
    {
        if (!PngText.Read(path).TryGetValue(JsonKeyword, out var json))
            throw new InvalidDataException(
                $"{path} holds no recipe: images that this program writes have one, until another program saves them again.");
        try
        {
            var recipe = JsonSerializer.Deserialize<PictureRecipe>(json, JsonForms.Line);
            if (recipe is { Threads: < 1 or > TorchRuntime.MostThreads })
                throw new InvalidDataException(
                    $"{path} holds a recipe of {recipe.Threads} threads; from 1 to {TorchRuntime.MostThreads} are possible.");
            if (recipe is { Model.Length: > 0 } && (recipe.Request is not null || recipe.Experiment is not null)) return recipe;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} holds a damaged recipe, or one of another version.", e);
        }

        throw new InvalidDataException(
            $"{path} holds a recipe of another kind (upscale): draw the image that it was made of again, and enlarge that.");
    }

    /// <summary>
    /// Text chunks for the PNG of a result. The same request gives the same bytes on the same kind of machine with as many threads: no
    /// time, no name.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Of(string model, GenerationResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var request = result.Request;
        var negative = request.Negative.Length > 0 ? $"\nNegative prompt: {request.Negative}" : "";
        var (size, file) = ($"{result.Image.Width}x{result.Image.Height}", result.ModelFile);
        var hash = file is null ? "" : $"Model hash: {file.ShortHash}, ";
        return new Dictionary<string, string>
        {
            [ParametersKeyword] = string.Create(CultureInfo.InvariantCulture,
                $"{request.Prompt}{negative}\nSteps: {request.Steps}, CFG scale: "
                    + $"{request.Guidance}, Seed: {request.Seed}, Size: {size}, {hash}Model: {model}"),
            [JsonKeyword] = Json(model, file, (result.PriorFrom, result.Judge), new { result.Precision, result.Threads, request }),
        };
    }

    /// <summary>Text chunks for the PNG of one image of an experiment, or of its sheet.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="result">The result to describe.</param>
    /// <param name="picture">Number of the image, from 0; null for the sheet.</param>
    public static IReadOnlyDictionary<string, string> Of(string model, ExperimentResult result, int? picture)
    {
        ArgumentNullException.ThrowIfNull(result);
        return new Dictionary<string, string>
        {
            [JsonKeyword] = Json(model, result.ModelFile, (result.PriorFrom, null),
                new { result.Precision, result.Threads, experiment = result.Experiment, picture }),
        };
    }

    /// <summary>Text chunks for the PNG of an enlarged image, the source's own recipe with them.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="result">The image.</param>
    /// <param name="source">Text chunks of the file that it was made of; empty where it had none.</param>
    public static IReadOnlyDictionary<string, string> Of(string model, UpscaleResult result, IReadOnlyDictionary<string, string> source)
    {
        ArgumentNullException.ThrowIfNull(result);
        ArgumentNullException.ThrowIfNull(source);
        var (request, small) = (result.Request, result.Request.Picture);
        var line = string.Create(CultureInfo.InvariantCulture,
            $"Upscale: {result.Factor}, Steps: {request.Steps}, Seed: {request.Seed}, "
                + $"Size: {result.Image.Width}x{result.Image.Height}, Model: {model}");
        return new Dictionary<string, string>
        {
            [ParametersKeyword] = source.TryGetValue(ParametersKeyword, out var before) ? $"{before}\n{line}" : line,
            [JsonKeyword] = JsonSerializer.Serialize(
                new
                {
                    software = "Alebrije", model,
                    upscale = new { result.Factor, request.Prompt, request.Steps, request.Seed, small.Width, small.Height },
                    source = source.TryGetValue(JsonKeyword, out var recipe) ? Parsed(recipe) : null,
                }, JsonForms.Line),
        };
    }

    /// <summary>The model and the request, as one object.</summary>
    private static string Json(string model, ModelFile? file, (string? Prior, string? Judge) from, object rest)
    {
        var recipe = new JsonObject { ["software"] = "Alebrije", ["model"] = model };
        if (file is not null) recipe["model_file"] = JsonSerializer.SerializeToNode(file, JsonForms.Line);
        if (from.Prior is { } prior) recipe["prior_from"] = prior;
        if (from.Judge is { } judge) recipe["judge"] = judge;
        foreach (var (name, value) in JsonSerializer.SerializeToNode(rest, JsonForms.Line)!.AsObject()) recipe[name] = value?.DeepClone();
        return recipe.ToJsonString(JsonForms.Line);
    }

    /// <summary>A recipe as JSON; any other text stays a text.</summary>
    private static JsonElement? Parsed(string recipe)
    {
        try
        {
            using var document = JsonText.Parse(recipe);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return JsonSerializer.SerializeToElement(recipe, JsonForms.Line);
        }
    }
}
