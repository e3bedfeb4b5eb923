using System.Text.Json.Serialization;

namespace Alebrije.Pipelines;

/// <summary>Kind of prior: the map from a text embedding to an image embedding.</summary>
public enum PriorKind
{
    /// <summary>The diffusion prior (Ramesh et al., 2022, §2.2).</summary>
    Diffusion,

    /// <summary>A linear map fitted in closed form (ridge regression), the honest baseline.</summary>
    Linear,

    /// <summary>None: the decoder is given the text embedding as it is.</summary>
    None,

    /// <summary>A prior transformer that answers in one step, without time (ECLIPSE; Patel et al., 2024).</summary>
    OneStep,

    /// <summary>Codes of the embedding drawn one after the other (Ramesh et al., 2022, §2.2).</summary>
    Autoregressive,
}

/// <summary>Names of the priors.</summary>
public static class PriorNames
{
    private static readonly Dictionary<string, PriorKind> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        ["diffusion"] = PriorKind.Diffusion, ["autoregressive"] = PriorKind.Autoregressive,
            ["one-step"] = PriorKind.OneStep, ["linear"] = PriorKind.Linear,
        ["none"] = PriorKind.None,
    };

    /// <summary>All names, the most thorough way first.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Known.Keys];

    /// <summary>A kind's name, such as <c>one-step</c>.</summary>
    public static string Of(PriorKind kind) => Known.First(name => name.Value == kind).Key;

    /// <summary>The kind of a name.</summary>
    public static bool TryParse(string? name, out PriorKind kind) => Known.TryGetValue(name ?? "", out kind);
}

/// <summary>Settings of a generation. Constants of a checkpoint are not included; they come with it.</summary>
public sealed record GenerationRequest
{
    /// <summary>Most rows or columns, in pixels.</summary>
    internal const int MostSide = 2048;

    /// <summary>Text prompt, not empty.</summary>
    public required string Prompt { get; init; }

    /// <summary>Negative prompt; reaches the decoder only.</summary>
    public string Negative { get; init; } = "";

    /// <summary>Seed of all random values; the same seed gives the same image.</summary>
    public ulong Seed { get; init; }

    /// <summary>Steps of the decoder, 1 to 1000; null takes the model's own number.</summary>
    public int? Steps { get; init; }

    /// <summary>Guidance scale of the decoder, 1 (none) and above; null takes the model's own.</summary>
    public double? Guidance { get; init; }

    /// <summary>Kind of prior that makes the image embedding.</summary>
    public PriorKind Prior { get; init; }

    /// <summary>Steps of the diffusion prior, 2 to 1000; null takes the model's own number.</summary>
    public int? PriorSteps { get; init; }

    /// <summary>
    /// Guidance scale of the diffusion or autoregressive prior, 1 (none) and above; null takes the prior's or the model's own.
    /// </summary>
    public double? PriorGuidance { get; init; }

    /// <summary>
    /// Embeddings that the prior draws, of which the one nearest to the text is kept, 1 to 64; the paper keeps the better of two.
    /// </summary>
    public int PriorCandidates { get; init; } = 1;

    /// <summary>
    /// Side of the image in pixels: that of the model's upsampler, or a multiple of the autoencoder's factor that the decoder draws
    /// itself; null takes the decoder's own.
    /// </summary>
    public int? Size { get; init; }

    /// <summary>
    /// DDIM's eta from 0 (the noise it starts from decides everything) to 1; null samples as the model's own sampler does.
    /// </summary>
    public double? Eta { get; init; }

    /// <summary>CLIP guidance towards the prompt; null: none.</summary>
    public ClipGuidance? ClipGuidance { get; init; }

    /// <summary>Steps of the upsampler where <see cref="Size"/> is its output size, 2 to 1000; null takes the model's own number.</summary>
    public int? UpsamplerSteps { get; init; }

    /// <summary>Rows in pixels, where they differ from <see cref="Size"/>; null takes <see cref="Size"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Height { get; init; }

    /// <summary>Columns in pixels, where they differ from <see cref="Size"/>; null takes <see cref="Size"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Width { get; init; }

    /// <summary>Initial image, noised by <see cref="Strength"/>; the small image for upscalers. Null starts from noise.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ImageInput? From { get; init; }

    /// <summary>Mask of <see cref="From"/>, bright where it is repainted; null repaints all of it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ImageInput? Mask { get; init; }

    /// <summary>Share of steps from <see cref="From"/>: 0 (the image) to 1 (noise); null: the model's own, or 1 with a mask.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Strength { get; init; }

    /// <summary>
    /// Sampler of the decoder by its name here, in diffusers or in web interfaces, such as <c>euler-a</c>, <c>EulerDiscreteScheduler</c> or
    /// "DPM++ 2M Karras"; null takes the model's own.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Scheduler { get; init; }

    /// <summary>Names of all samplers.</summary>
    internal static IReadOnlyList<string> Schedulers => Diffusion.SamplerNames.Known;

    /// <summary>
    /// From 0 (none) to 1: share by which the standard deviation of the guided prediction is rescaled (Lin et al., 2023, §3.4); null: none.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Rescale { get; init; }

    /// <summary>Stable Diffusion: last blocks of the text encoder that are skipped, from 0; null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ClipSkip { get; init; }

    /// <summary>Stable Diffusion: LoRA files, added to the weights in memory; null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<LoraInput>? Loras { get; init; }

    /// <summary>Stable Diffusion: textual inversions, whose tokens prompts may hold; null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<EmbeddingInput>? Embeddings { get; init; }

    /// <summary>
    /// Stable Diffusion: true reads prompts that are longer than the text encoder in pieces, as web interfaces do; false cuts them.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool LongPrompt { get; init; }

    /// <summary>
    /// Timestep, 0 to 999, at which the image embedding, or the small image of an upscaler, is noised; null takes the model's own.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? NoiseLevel { get; init; }

    /// <summary>
    /// File of a depth map, light where things are near, for models that draw along one (Kandinsky 2.2's ControlNet); null for all others.
    /// </summary>
    public string? DepthMap { get; init; }

    /// <summary>
    /// True draws the first guess alone: the regression from image embedding and text that the denoiser starts from, blurred where they
    /// leave a choice. For models that have one, such as mini.
    /// </summary>
    public bool OnlyGuess { get; init; }

    /// <summary>Checks the values alone, not whether the size fits the model.</summary>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public void Check() => Check(promptNeeded: true);

    /// <summary>As <see cref="Check()"/>, for uses that need no prompt.</summary>
    internal void Check(bool promptNeeded)
    {
        if (promptNeeded && string.IsNullOrWhiteSpace(Prompt)) throw new ArgumentException("The prompt is empty; say what to draw.");
        Range(Steps, 1, 1000, "steps");
        Range(PriorSteps, 2, 1000, "prior steps");
        Range(UpsamplerSteps, 2, 1000, "upsampler steps");
        Range(PriorCandidates, 1, 64, "prior candidates");
        Scale(Guidance, "guidance");
        Scale(PriorGuidance, "prior guidance");
        Scale(ClipGuidance?.Scale, "CLIP guidance");
        if (Scheduler is { } sampler && Diffusion.SamplerNames.Find(sampler) is null)
            throw new ArgumentException(Diffusion.SamplerNames.Refusal(sampler));
        if (Scheduler is not null && Eta is not null)
            throw new ArgumentException("Eta belongs to DDIM, and another sampler was given (--scheduler); leave one of them out.");
        Range(ClipSkip, 0, 100, "skipped blocks");
        Range(Height, 1, MostSide, "rows");
        Range(Width, 1, MostSide, "columns");
        if (NoiseLevel is < 0 or > 999) throw new ArgumentException($"The noise level is {NoiseLevel}; it has to lie between 0 and 999.");
        if (Strength is { } strength && !(strength is > 0 and <= 1))
            throw new ArgumentException(
                $"The strength is {strength}; it has to lie above 0 (the image itself) and be at most 1 (noise alone).");
        if (Rescale is { } rescale && !(rescale is >= 0 and <= 1))
            throw new ArgumentException($"The rescaling of guidance is {rescale}; it has to lie between 0 (none) and 1.");
        if (Strength is not null && From is null)
            throw new ArgumentException("A strength was given, but no initial image (--from); give one, or leave the strength out.");
        if (Mask is not null && From is null)
            throw new ArgumentException("A mask was given, but no initial image (--from); give one, or leave the mask out.");
        if (Loras?.FirstOrDefault(lora => !(Math.Abs(lora.Scale) <= 100)) is { } odd)
        {
            throw new ArgumentException(
                $"The scale of the LoRA {odd.File} is {odd.Scale}; it has to lie between -100 and 100, and 1 is as it was trained.");
        }

        if (Eta is { } eta && !(eta is >= 0 and <= 1))
            throw new ArgumentException($"Eta is {eta}; it has to lie between 0 (no noise is put back) and 1 (as much as DDPM).");
    }

    private static void Range(int? value, int least, int most, string name)
    {
        if (value < least || value > most)
            throw new ArgumentException($"The number of {name} is {value}; it has to lie between {least} and {most}.");
    }

    internal static void Scale(double? value, string name)
    {
        if (value is { } scale && !(scale is >= 0 and <= 100))
            throw new ArgumentException($"The scale of {name} is {scale}; it has to lie between 0 and 100, and 1 means none.");
    }
}

/// <summary>
/// Diffusion guided by CLIP, taken literally: the gradient of the cosine between prompt and predicted image steers the sampler.
/// </summary>
/// <param name="Scale">Strength from 0 to 100; 0.3 is a good start.</param>
/// <param name="Alone">True if it replaces the image embedding instead of being added to it.</param>
public sealed record ClipGuidance(double Scale, bool Alone = false);

/// <summary>Progress of a pipeline.</summary>
/// <param name="Stage"><c>prior</c>, <c>decoder</c>, <c>upsampler</c> or <c>picture</c>.</param>
/// <param name="Step">Steps done in this stage.</param>
/// <param name="Of">Steps of this stage.</param>
public sealed record GenerationProgress(string Stage, int Step, int Of)
{
    /// <summary>
    /// Decodes the images that the step predicts, one for each of the batch; null for stages without them. Callable during the callback
    /// alone.
    /// </summary>
    [JsonIgnore]
    public Func<IReadOnlyList<Preprocessing.Imaging.RgbImage>>? Predicted { get; init; }

    /// <summary>True for steps that divide a stage into equal parts.</summary>
    /// <param name="previews">Number of such steps in a stage.</param>
    internal bool IsPreview(int previews) => Step < Of && Step * (previews + 1) / Of != (Step - 1) * (previews + 1) / Of;
}

/// <summary>An image and the settings that made it.</summary>
/// <param name="Image">The image.</param>
/// <param name="Request">The request, with every default filled in.</param>
/// <param name="ClipScore">Cosine between the prompt's and the image's embedding; null when the model has no image encoder.</param>
/// <param name="Seconds">Seconds spent per stage: <c>text</c>, <c>prior</c>, <c>decoder</c> and, where it was used,
/// <c>upsampler</c>.</param>
public sealed record GenerationResult(
    Preprocessing.Imaging.RgbImage Image, GenerationRequest Request, double? ClipScore, IReadOnlyDictionary<string, double> Seconds)
{
    /// <summary>Name of the folder that the prior came from; null when it was the model's own.</summary>
    public string? PriorFrom { get; init; }

    /// <summary>
    /// Name of the CLIP that guided it (<see cref="ImagePipelineOptions.JudgeFolder"/>); null where none from elsewhere did.
    /// </summary>
    public string? Judge { get; init; }

    /// <summary>Floating-point formats used by the generation.</summary>
    public PipelinePrecision? Precision { get; init; }

    /// <summary>Threads that computed it.</summary>
    public int? Threads { get; init; }

    /// <summary>Notes of the run for its user; empty as a rule.</summary>
    public IReadOnlyList<RunNote> Notes { get; init; } = [];

    /// <summary>The single file that the model was loaded from, hashed on first use; null for folders.</summary>
    public ModelFile? ModelFile => Single?.Value;

    internal Lazy<ModelFile>? Single { get; init; }
}
