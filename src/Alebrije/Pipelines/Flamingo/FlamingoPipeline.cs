using Alebrije.Models.Flamingo;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Flamingo;

/// <summary>
/// Flamingo (Alayrac et al., 2022): continues texts in which images stand, so that a few examples in the text are enough to learn a task
/// from. Reads OpenFlamingo's checkpoints over the folders of their language models and image towers, without any remote code. Not safe for
/// several threads at once.
/// </summary>
public sealed class FlamingoPipeline : IDisposable
{
    private readonly FlamingoFolder folder;
    private readonly ClipModelParts vision;
    private readonly FlamingoNetwork network;
    private readonly ByteLevelTokenizer? tokenizer;
    private readonly ScalarType type;
    private readonly int endToken;
    private readonly Lazy<ClipModel> clip;

    private FlamingoPipeline(FlamingoFolder folder, Precision precision, Action<RunNote>? note)
    {
        this.folder = folder;
        _ = LanguageConfig.Read(folder.Language);
        tokenizer = folder.LoadTokenizer();
        endToken = tokenizer?.EndId ?? IdOf(folder.Config.EocTokenId, FlamingoPrompt.EndToken);
        var mediaToken = tokenizer?.IdOf(FlamingoPrompt.ImageToken) ?? IdOf(folder.Config.MediaTokenId, FlamingoPrompt.ImageToken);
        if (!Path.Exists(folder.Vision))
            throw new CheckpointNotFoundException($"the image tower is missing: there is no {folder.Vision}; put a CLIP there.");
        vision = ClipModelParts.Load(folder.Vision);
        try
        {
            if (vision.Image is not { Network.Config: { IsTransformer: true } sizes })
                throw new WeightsException($"{folder.Vision} has no vision transformer, which Flamingo reads images with.");
            Grid = sizes.Grid;
            // Beside matrices of int8, gated blocks keep the format that they have without.
            type = Processor.ScalarType(precision == Precision.Int8 ? Precision.Auto : precision, LanguageParameters(folder));
            network = folder.LoadNetwork(sizes.HiddenSize, mediaToken, type);
            network.Pack(quantised: precision == Precision.Int8);
        }
        catch
        {
            vision.Dispose();
            throw;
        }

        clip = new Lazy<ClipModel>(() => new ClipModel(vision, Precision.Auto, note));
    }

    /// <summary>The model's name: that of its folder.</summary>
    public string Name => CheckpointFolder.NameOf(folder.Path);

    /// <summary>Tokens of a prompt and its continuation at most.</summary>
    public int ContextLength => network.Language.ContextLength;

    /// <summary>Images of a prompt at most; null: as many as its tokens hold.</summary>
    public int? MaxImages => folder.Config.MaxImages;

    /// <summary>Patches along a side of an image.</summary>
    public int Grid { get; }

    /// <summary>True if a folder contains a Flamingo.</summary>
    public static bool IsFlamingo(string folder) => FlamingoFolder.Is(folder);

    /// <summary>Loads a model.</summary>
    /// <param name="folder">A folder with <c>flamingo.json</c>, the trained tensors, the language model and the image tower.</param>
    /// <param name="precision">
    /// Number format of the language model; <see cref="Precision.Auto"/> keeps small ones in float32, <see cref="Precision.Int8"/> holds
    /// the language model's own matrices as 8-bit integers.
    /// </param>
    /// <param name="note">Called with assumptions made where the files give no value; may be null.</param>
    /// <exception cref="CheckpointNotFoundException">A part is missing.</exception>
    /// <exception cref="WeightsException">A file is damaged, or tensors do not fit the configuration; the first eight of a kind are
    /// listed.</exception>
    /// <exception cref="NotSupportedException">The precision is int8, and the processor has no instructions for it.</exception>
    public static FlamingoPipeline Load(string folder, Precision precision = Precision.Auto, Action<RunNote>? note = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        TorchRuntime.Initialize();
        if (precision == Precision.Int8) OneDnn.RequireInt8();
        using var guard = no_grad();
        return new FlamingoPipeline(FlamingoFolder.Open(folder), precision, note);
    }

    /// <summary>Loads a published checkpoint whose folder has no <c>flamingo.json</c>, over the folders of its parts.</summary>
    /// <param name="folder">A folder with <c>checkpoint.pt</c>.</param>
    /// <param name="language">Folder of the language model.</param>
    /// <param name="vision">Folder or file of the image tower.</param>
    /// <inheritdoc cref="Load(string, Precision, Action{RunNote}?)"/>
    public static FlamingoPipeline Load(
        string folder, string language, string vision, Precision precision = Precision.Auto, Action<RunNote>? note = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentException.ThrowIfNullOrEmpty(language);
        ArgumentException.ThrowIfNullOrEmpty(vision);
        TorchRuntime.Initialize();
        if (precision == Precision.Int8) OneDnn.RequireInt8();
        using var guard = no_grad();
        return new FlamingoPipeline(FlamingoFolder.Open(folder, (language, vision)), precision, note);
    }

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">Text and images.</param>
    /// <param name="options">Search, length, temperature; null: the defaults.</param>
    /// <param name="onText">Called with each new piece of text; with several beams, with the whole text at the end. May be null.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <exception cref="ArgumentException">Images and their marks differ in number, or the prompt exceeds the context.</exception>
    public FlamingoAnswer Generate(
        FlamingoPrompt prompt, FlamingoOptions? options = null, Action<string>? onText = null, CancellationToken cancellation = default)
    {
        var stream = onText is null ? null : new TextStream(Texts, onText);
        var answer = Generate([prompt], options, stream is null ? null : (_, row) => stream.Show(row), cancellation)[0];
        stream?.Finish(answer);
        return answer;
    }

    /// <summary>Continues several prompts side by side, padded on the left.</summary>
    /// <inheritdoc cref="Generate(FlamingoPrompt, FlamingoOptions?, Action{string}?, CancellationToken)"/>
    /// <param name="prompts">Prompts.</param>
    /// <param name="options">Search, length, temperature; null: the defaults.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    public IReadOnlyList<FlamingoAnswer> Generate(
        IReadOnlyList<FlamingoPrompt> prompts, FlamingoOptions? options = null, CancellationToken cancellation = default) =>
        Generate(prompts, options, onToken: null, cancellation);

    /// <summary>
    /// Log-likelihoods of given answers: sums of their tokens' log-probabilities after the prompt. The most likely one is the class of an
    /// image (Alayrac et al., 2022, §3.1).
    /// </summary>
    /// <param name="prompt">Text and images.</param>
    /// <param name="answers">Answers, as they would continue the text; none may be empty.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>[answers] natural logarithms.</returns>
    /// <exception cref="ArgumentException">An answer is empty, or the prompt does not fit.</exception>
    public double[] Score(FlamingoPrompt prompt, IReadOnlyList<string> answers, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(answers);
        var rows = answers.Select(answer => Texts.Encode(answer)).ToArray();
        if (Array.FindIndex(rows, row => row.Length == 0) is >= 0 and var empty)
            throw new ArgumentException($"Answer {empty + 1} is empty; a likelihood needs one token or more.", nameof(answers));
        if (rows.Length == 0) return [];
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        return AnswerScores.Compute(network, Prepare([prompt], rows.Max(row => row.Length)), rows, cancellation);
    }

    /// <summary>Gates of all blocks.</summary>
    public IReadOnlyList<FlamingoGates> Gates() => [.. network.Language.Decoders.Select((layer, i) => (layer.Gate, i))
        .Where(pair => pair.Gate is not null).Select(pair => pair.Gate!.Gates() is var gates
            ? new FlamingoGates(pair.i, gates.Attention, gates.FeedForward) : null!)];

    /// <summary>The attention by which an answer was generated.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="answer">The answer to it.</param>
    public FlamingoTrace Trace(FlamingoPrompt prompt, FlamingoAnswer answer)
    {
        ArgumentNullException.ThrowIfNull(answer);
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var ids = Encode(prompt, answer.Tokens.Count);
        var patches = prompt.Images.Count == 0 ? null : Patches(prompt.Images).unsqueeze(0);
        return new FlamingoTrace(Gates(), Grid, AnswerGlances.Compute(network, ids, patches?.to(type), answer));
    }

    /// <summary>Embeddings of images by the image tower, for the retrieval of examples (RICES).</summary>
    /// <param name="images">Images of any size.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>[images][dimensions], unit length.</returns>
    public float[][] EmbedImages(IReadOnlyList<RgbImage> images, CancellationToken cancellation = default) =>
        clip.Value.EmbedImages(images, progress: null, cancellation);

    /// <summary>Input of the image tower: resized and cropped.</summary>
    public RgbImage Seen(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return vision.Image!.Processor.PrepareBytes(image.ToPillow());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (clip.IsValueCreated) clip.Value.Dispose();
        else vision.Dispose();
        network.Dispose();
        FreedMemory.Return();
    }

    /// <summary>The network.</summary>
    internal FlamingoNetwork Network => network;

    /// <summary>Id that ends a text.</summary>
    internal int EndId => endToken;

    /// <summary>Text to ids.</summary>
    /// <exception cref="InvalidOperationException">The language model's folder has no tokenizer.</exception>
    internal ByteLevelTokenizer Texts => tokenizer ?? throw new InvalidOperationException(
        $"{folder.Language} has no {ByteLevelTokenizer.FileName}; texts cannot be read or written without it.");

    /// <summary>Tokens of patches of prepared images.</summary>
    /// <param name="pixels">[batch, 3, size, size], normalised.</param>
    /// <returns>[batch, patches, width] float32</returns>
    internal Tensor Patches(Tensor pixels) => vision.Image!.Network.Patches(pixels, folder.Config.PatchNorm, ScalarType.Float32);

    /// <summary>Resampled images.</summary>
    /// <param name="patches">[batch, images, patches, width]</param>
    /// <returns>[batch, images, latents, width] in the language model's type.</returns>
    internal Tensor Resample(Tensor patches) => network.Resample(patches.to(type));

    /// <summary>Continues rows of ids.</summary>
    internal GeneratedRow[] Decode(
        DecodingInput input, FlamingoOptions options, Action<int, GeneratedRow>? onToken = null, CancellationToken cancellation = default)
    {
        var pad = tokenizer?.PadId ?? endToken;
        return options.Beams == 1 ? TextDecoding.Run(network, input, (endToken, pad), options, onToken, cancellation)
            : [.. Enumerable.Range(0, (int)input.Ids.shape[0]).Select(i => BeamSearch.Run(network, new DecodingInput(
                input.Ids.narrow(0, i, 1), input.Mask.narrow(0, i, 1), input.Media?.narrow(0, i, 1)), endToken, options, cancellation))];
    }

    private FlamingoAnswer[] Generate(IReadOnlyList<FlamingoPrompt> prompts,
        FlamingoOptions? options, Action<int, GeneratedRow>? onToken, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        options ??= new FlamingoOptions();
        options.Check();
        if (prompts.Count == 0) return [];
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        return [.. Decode(Prepare(prompts, options.MaxTokens), options, onToken, cancellation).Select(Answer)];
    }

    private FlamingoAnswer Answer(GeneratedRow row)
    {
        var tokens = row.Tokens.Select(token => new FlamingoToken(
            token.Id, Texts.Contains(token.Id) ? Texts.Decode([token.Id], keepSpecial: true) : "", token.LogProbability)).ToArray();
        return new FlamingoAnswer(TextStream.TextOf(Texts, row).Trim(), tokens, row.Ended);
    }

    /// <summary>Ids and resampled images of prompts; images of several prompts are padded with zeros at the end.</summary>
    private DecodingInput Prepare(IReadOnlyList<FlamingoPrompt> prompts, int more)
    {
        using var scope = NewDisposeScope();
        var rows = prompts.Select(prompt => Encode(prompt, more)).ToArray();
        var length = rows.Max(row => row.Length);
        int[] Row(int[] row, Func<int, int> of, int pad) => [.. Enumerable.Repeat(pad, length - row.Length), .. row.Select(of)];
        var ids = TokenTensors.Ids([.. rows.Select(row => Row(row, id => id, Texts.PadId))]);
        var mask = TokenTensors.Ids([.. rows.Select(row => Row(row, _ => 1, 0))]);
        var media = Media(prompts);
        return new DecodingInput(ids.MoveToOuterDisposeScope(), mask.MoveToOuterDisposeScope(), media?.MoveToOuterDisposeScope());
    }

    private Tensor? Media(IReadOnlyList<FlamingoPrompt> prompts)
    {
        var most = prompts.Max(prompt => prompt.Images.Count);
        if (most == 0) return null;
        var all = Resample(Patches([.. prompts.SelectMany(prompt => prompt.Images)]).unsqueeze(0))[0];    // [images, latents, width]
        var none = zeros([1, .. all.shape[1..]], dtype: all.dtype);
        var from = 0;
        var padded = new List<Tensor>();
        foreach (var count in prompts.Select(prompt => prompt.Images.Count))
        {
            padded.Add(cat([all.narrow(0, from, count), none.expand(most - count, -1, -1)]));
            from += count;
        }

        return stack(padded);                                                                // [prompts, images, latents, width]
    }

    /// <returns>[images, patches, width] float32</returns>
    private Tensor Patches(IReadOnlyList<RgbImage> images)
    {
        var (processor, size) = (vision.Image!.Processor, vision.Image.Size);
        var pixels = images.Select(image => tensor(processor.Prepare(image.ToPillow()), [3, size, size]));
        return Patches(stack([.. pixels]));
    }

    private int[] Encode(FlamingoPrompt prompt, int more)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        if (prompt.Marks != prompt.Images.Count)
            throw new ArgumentException($"The text has {prompt.Marks} marks {FlamingoPrompt.ImageToken} and the prompt "
                + $"{prompt.Images.Count} images; every image needs its mark.", nameof(prompt));
        if (MaxImages is { } most && prompt.Images.Count > most)
            throw new ArgumentException($"The prompt has {prompt.Images.Count} images and {Name} reads {most}, the examples included; "
                + "give fewer examples.", nameof(prompt));
        var ids = Texts.Encode(prompt.Text);
        if (ids.Length == 0) throw new ArgumentException("The prompt is empty; the model continues a text.", nameof(prompt));
        if (ids.Length + more > ContextLength)
            throw new ArgumentException($"The prompt has {ids.Length} tokens with {prompt.Images.Count} images and {more} are to follow, "
                + $"but the context of {Name} holds {ContextLength}; give fewer or shorter examples.", nameof(prompt));
        return ids;
    }

    private static int IdOf(int? id, string token) => id ?? throw new WeightsException(
        $"{FlamingoConfig.FileName} gives {token} no id, and the language model's folder has no {ByteLevelTokenizer.FileName} "
        + "to take it from.");

    /// <summary>Parameters of the language model, from the shapes in its files.</summary>
    private static long LanguageParameters(FlamingoFolder folder)
    {
        using var weights = CheckpointFolder.OpenWeights(folder.Language);
        return weights.Names.Sum(name => weights.Describe(name).Count);
    }
}

/// <summary>Text of a growing row of tokens, piece by piece: bytes of an unfinished character wait for the rest.</summary>
internal sealed class TextStream(ByteLevelTokenizer tokenizer, Action<string> onText)
{
    private const char Unfinished = '\uFFFD';
    private string shown = "";

    public void Show(GeneratedRow row) =>
        Emit(TextOf(tokenizer, row).TrimStart().TrimEnd(Unfinished));

    /// <summary>Text of a row; an id without a token has none, as in transformers' decoding.</summary>
    public static string TextOf(ByteLevelTokenizer tokenizer, GeneratedRow row) =>
        tokenizer.Decode([.. row.Tokens.Select(token => token.Id).Where(tokenizer.Contains)]);

    public void Finish(FlamingoAnswer answer)
    {
        if (answer.Text.Length > shown.Length) Emit(answer.Text);
    }

    private void Emit(string text)
    {
        if (text.Length <= shown.Length || !text.StartsWith(shown, StringComparison.Ordinal)) return;
        onText(text[shown.Length..]);
        shown = text;
    }
}
