using System.Globalization;
using System.Text.RegularExpressions;
using Alebrije.Models.Flamingo;
using Alebrije.Nn;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Flamingo;

/// <summary>
/// A Flamingo's folder: <c>flamingo.json</c>, the trained tensors (<c>checkpoint.pt</c> as OpenFlamingo publishes it, or
/// <c>checkpoint.safetensors</c>), a language model's folder and an image tower.
/// </summary>
internal sealed partial class FlamingoFolder
{
    /// <summary>Token of padding.</summary>
    public const string PadToken = "<PAD>";

    /// <summary>File of the trained tensors, as this project's trainer writes it.</summary>
    public const string CheckpointName = "checkpoint.safetensors";

    private const string Latents = "perceiver.latents";
    private static readonly string[] CheckpointNames = [CheckpointName, "checkpoint.pt"];

    private FlamingoFolder(string path, FlamingoConfig config) => (Path, Config) = (path, config);

    public string Path { get; }

    public FlamingoConfig Config { get; }

    /// <summary>Folder of the language model.</summary>
    public string Language => System.IO.Path.GetFullPath(System.IO.Path.Combine(Path, Config.Language));

    /// <summary>Folder or file of the image tower.</summary>
    public string Vision => System.IO.Path.GetFullPath(System.IO.Path.Combine(Path, Config.Vision));

    /// <summary>True if a folder is a Flamingo's.</summary>
    public static bool Is(string path) => Directory.Exists(path)
        && (File.Exists(System.IO.Path.Combine(path, FlamingoConfig.FileName)) || CheckpointOf(path) is not null);

    /// <summary>Opens a Flamingo's folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="parts">
    /// Folders of language model and image tower of a published checkpoint, where its own folder has no configuration; or null.
    /// </param>
    /// <exception cref="CheckpointNotFoundException">There is no such folder, or none of a Flamingo.</exception>
    public static FlamingoFolder Open(string path, (string Language, string Vision)? parts = null)
    {
        if (!Directory.Exists(path)) throw new CheckpointNotFoundException($"there is no folder {path}.");
        if (!Is(path)) throw new CheckpointNotFoundException(
            $"{path} is not a Flamingo: it has neither {FlamingoConfig.FileName} nor {string.Join(" nor ", CheckpointNames)}.");
        return new FlamingoFolder(path, parts is { } given && !File.Exists(System.IO.Path.Combine(path, FlamingoConfig.FileName))
            ? PublishedConfig(path, given.Language, given.Vision) : ReadConfig(path));
    }

    /// <summary>The language model's tokenizer with Flamingo's tokens; null if its folder has none.</summary>
    /// <exception cref="WeightsException">The ids of the tokens are not those of the configuration.</exception>
    public ByteLevelTokenizer? LoadTokenizer()
    {
        if (!ByteLevelTokenizer.IsIn(Language)) return null;
        string[] more = [FlamingoPrompt.EndToken, FlamingoPrompt.ImageToken, PadToken];
        var tokenizer = ByteLevelTokenizer.Load(Language).With(more, FlamingoPrompt.EndToken, PadToken);
        foreach (var (token, wanted) in new[] { (more[0], Config.EocTokenId), (more[1], Config.MediaTokenId) })
            if (wanted is { } id && tokenizer.IdOf(token) != id)
                throw new WeightsException($"{Path}: {FlamingoConfig.FileName} gives {token} the id {id}, but the tokenizer of "
                    + $"{Language} gives it {tokenizer.IdOf(token)}; the language model is another one.");
        return tokenizer;
    }

    /// <summary>
    /// Builds the network and loads its weights strictly: the trained tensors from the checkpoint, all others from the language model's
    /// folder.
    /// </summary>
    /// <param name="mediaWidth">Width of a patch of the image tower.</param>
    /// <param name="mediaToken">Id of <c>&lt;image&gt;</c>.</param>
    /// <param name="type">Type of the weights in memory.</param>
    /// <exception cref="CheckpointNotFoundException">A part is missing.</exception>
    /// <exception cref="WeightsException">Tensors are missing, unexpected, or of another shape; the first eight of a kind are
    /// listed.</exception>
    public FlamingoNetwork LoadNetwork(long mediaWidth, int mediaToken, ScalarType type)
    {
        var language = LanguageConfig.Read(Language);
        var options = language.FileOptions;
        var path = CheckpointOf(Path) ?? throw new CheckpointNotFoundException(
            $"{Path} has no trained tensors; looked for {string.Join(" and ", CheckpointNames)}.");
        using var checkpoint = CheckpointFolder.OpenWeights(path);
        using var below = CheckpointFolder.OpenWeights(Language);
        using var trained = new RenamedSource(checkpoint, new StateDictOptions
        {
            Prefix = PrefixOf(checkpoint),
            Ignored = ["lang_encoder.old_decoder_blocks.*", "lang_encoder.gated_cross_attn_layers.*",
                .. options.Ignored.Select(name => FlamingoNetwork.LanguagePrefix + name)],
            Renames = [(@"\.decoder_layer\.", "."), .. options.Renames],
        });
        using var frozen = new RenamedSource(below, options with { Renames = [.. options.Renames, ("^", FlamingoNetwork.LanguagePrefix)] });
        using var both = new OverlaidSource(trained, frozen);
        var table = FlamingoNetwork.LanguagePrefix + language.TokenTable;
        if (both.Contains(table)) language = language.WithVocabulary((int)both.Describe(table).Shape[0]);
        if (mediaToken >= language.VocabularySize)
            throw new WeightsException($"{both.Location}: the table of tokens has {language.VocabularySize} rows, and "
                + $"{FlamingoPrompt.ImageToken} has the id {mediaToken}; the checkpoint's embeddings are missing, or of another model.");
        using var skip = WeightInit.Skip(type, WeightLimit.Of(Language, both.Location, (both.Elements, both.Names.Count),
            sentence => new WeightsException(sentence)));
        var network = ComponentCatalog.Configured(Language,
            () => new FlamingoNetwork(Config, language, mediaWidth) { MediaToken = mediaToken });
        try
        {
            StateDict.Load(network, both);
        }
        catch
        {
            network.Dispose();
            throw;
        }

        network.eval();
        return network;
    }

    /// <summary>Sizes of a published checkpoint: those of all of them, with the layers of the gated blocks by their names.</summary>
    private static FlamingoConfig PublishedConfig(string path, string language, string vision)
    {
        using var checkpoint = CheckpointFolder.OpenWeights(CheckpointOf(path)!);
        var first = checkpoint.Names.Select(name => GatedLayer().Match(name)).Where(match => match.Success)
            .Select(match => int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)).DefaultIfEmpty(0).Min();
        return new FlamingoConfig
        {
            CrossAttnEveryNLayers = first + 1, PatchNorm = false, Language = System.IO.Path.GetFullPath(language),
            Vision = System.IO.Path.GetFullPath(vision),
        };
    }

    [GeneratedRegex(@"\.(\d{1,4})\.gated_cross_attn_layer\.")]
    private static partial Regex GatedLayer();

    private static FlamingoConfig ReadConfig(string path)
    {
        var file = System.IO.Path.Combine(path, FlamingoConfig.FileName);
        return File.Exists(file) ? ConfigFile.Read<FlamingoConfig>(file) : throw new CheckpointNotFoundException(
            $"{path} has no {FlamingoConfig.FileName}; it gives cross_attn_every_n_layers (1 for OpenFlamingo 3B, 2 for 4B, 4 for 9B), "
            + "patch_norm (false for these) "
            + "and the folders of vision and language.");
    }

    private static string? CheckpointOf(string path) =>
        CheckpointNames.Select(name => System.IO.Path.Combine(path, name)).FirstOrDefault(File.Exists);

    /// <summary>Text before the names: a training checkpoint has the tensors under a key, and <c>module.</c> before each.</summary>
    private static string PrefixOf(TensorSource checkpoint) =>
        checkpoint.Names.FirstOrDefault(name => name == Latents || name.EndsWith("." + Latents, StringComparison.Ordinal)) is { } found
            ? found[..^Latents.Length] : Prefixes.FirstOrDefault(prefix => checkpoint.Names.Any(
                name => name.StartsWith(prefix, StringComparison.Ordinal))) ?? "";

    /// <summary>Usual prefixes, where the latents themselves are missing.</summary>
    private static readonly string[] Prefixes = ["model_state_dict.module.", "model_state_dict.", "module."];
}
