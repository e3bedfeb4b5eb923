using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableDiffusion;

/// <summary>LoRAs and textual inversions that were opened for a model and fit it, all of them or none.</summary>
internal sealed class Adapters : IDisposable
{
    private readonly List<LoraFile> loras = [];
    private readonly List<TextualInversion> words = [];
    private readonly Dictionary<string, Dictionary<string, List<(LoraFile, LoraAddition)>>> additions = new(StringComparer.Ordinal);
    private readonly IReadOnlyList<TokenTower> towers = [];

    private Adapters(AdapterInputs inputs) => Inputs = inputs;

    private Adapters(AdapterInputs inputs, PipelineFolder folder, IReadOnlyDictionary<string, ClipTokenizer> tokenizers) : this(inputs)
    {
        try
        {
            if (inputs.Loras.Count > 0)
            {
                var targets = new LoraTargets(folder);
                foreach (var input in inputs.Loras) Add(LoraFile.Open(input, targets));
            }

            var isXl = tokenizers.ContainsKey("text_encoder_2");
            towers =
            [
                .. tokenizers.Keys.Order(StringComparer.Ordinal).Select(name => new TokenTower(
                    name, folder.Config<ClipTextConfig>(name).HiddenSize,
                    !isXl ? null : name == "text_encoder_2" ? "clip_g" : "clip_l")),
            ];
            foreach (var input in inputs.Embeddings)
            {
                words.Add(TextualInversion.Read(input, towers, folder.Name));
                Check(words[^1], tokenizers.Values);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Those of a model as it was published.</summary>
    public static Adapters None { get; } = new(AdapterInputs.None);

    /// <summary>Files, scales and tokens.</summary>
    public AdapterInputs Inputs { get; }

    /// <summary>Tokens with vectors of their own.</summary>
    public IReadOnlyList<TextualInversion> Words => words;

    /// <summary>Opens the files of a request and matches them with a model.</summary>
    /// <param name="inputs">The files.</param>
    /// <param name="folder">The model.</param>
    /// <param name="tokenizers">Its tokenizers, by the component of their text encoder.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file has another hash than the recipe's.</exception>
    /// <exception cref="WeightsException">A file is damaged, of another kind, or does not fit the model.</exception>
    public static Adapters Open(AdapterInputs inputs, PipelineFolder folder, IReadOnlyDictionary<string, ClipTokenizer> tokenizers) =>
        inputs.IsEmpty ? None : new Adapters(inputs, folder, tokenizers);

    /// <summary>Weight edits (<see cref="StateDictOptions.Edits"/>): W + sum of factor · up · down in float64, then float32.</summary>
    public IReadOnlyDictionary<string, Func<Tensor, Tensor>>? Edits(string component) => additions.GetValueOrDefault(component)
        ?.ToDictionary(weight => weight.Key, weight => (Func<Tensor, Tensor>)(original => Added(original, weight.Value)));

    /// <summary>Vectors of all tokens for a text encoder, [vectors, width], one token after the other; null: none.</summary>
    public Tensor? Rows(string component)
    {
        var tower = towers.Select(each => each.Component).ToList().IndexOf(component);
        return words.Count == 0 || tower < 0 ? null : cat([.. words.Select(word => word.Vectors[tower])]);
    }

    /// <summary>A tokenizer that finds the tokens.</summary>
    /// <param name="tokenizer">The model's own.</param>
    /// <param name="first">Id of the first vector: the rows of the text encoder's table.</param>
    public ClipTokenizer Extend(ClipTokenizer tokenizer, int first)
    {
        var added = new List<AddedToken>();
        foreach (var word in words)
        {
            added.Add(new AddedToken(word.Token, first, Normalized: false) { Count = word.Count });
            first += word.Count;
        }

        return tokenizer.With(added);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var lora in loras) lora.Dispose();
        foreach (var word in words) word.Dispose();
    }

    private static Tensor Added(Tensor original, List<(LoraFile File, LoraAddition Addition)> all)
    {
        using var scope = NewDisposeScope();
        var sum = original.to(ScalarType.Float64, copy: true);
        foreach (var (file, addition) in all) sum.add_(file.Delta(addition));
        return sum.to(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    private void Add(LoraFile lora)
    {
        loras.Add(lora);
        foreach (var addition in lora.Additions.Where(addition => addition.Factor != 0))
        {
            var (component, weight) = (addition.Target.Component, addition.Target.Weight);
            if (!additions.TryGetValue(component, out var weights)) additions.Add(component, weights = []);
            if (!weights.TryGetValue(weight, out var all)) weights.Add(weight, all = []);
            all.Add((lora, addition));
        }
    }

    private void Check(TextualInversion word, IEnumerable<ClipTokenizer> tokenizers)
    {
        const string rule = "and each token stands for one thing; name another behind the file (--embedding FILE:TOKEN)";
        if (string.IsNullOrWhiteSpace(word.Token))
            throw new WeightsException($"{word.File} has an empty token; name one behind the file (--embedding FILE:TOKEN).");
        if (tokenizers.Min(tokenizer => tokenizer.MaxLength) - 2 is var room && word.Count > room)
        {
            throw new WeightsException(
                $"{word.File} has {word.Count} vectors, and a text has room for {room}; name another file, {TextualInversion.Option}.");
        }

        if (tokenizers.Any(tokenizer => tokenizer.Symbols.Contains(word.Token)))
            throw new WeightsException($"The token '{word.Token}' of {word.File} is in the model's vocabulary already, {rule}.");
        if (words.SkipLast(1).FirstOrDefault(other => Names(other).Intersect(Names(word)).Any()) is { } twin)
            throw new WeightsException($"{twin.File} and {word.File} both have the token '{word.Token}', {rule}.");

        static IEnumerable<string> Names(TextualInversion word) =>
            Enumerable.Range(0, word.Count).Select(i => i == 0 ? word.Token : $"{word.Token}_{i}");
    }
}
