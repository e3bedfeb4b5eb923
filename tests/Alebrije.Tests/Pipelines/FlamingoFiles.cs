using System.Globalization;
using System.Text.Json;
using Alebrije.Models.Clip;
using Alebrije.Models.Flamingo;
using Alebrije.Nn;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tests.Models;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Folders of tiny Flamingos with random weights, in the layout of OpenFlamingo's parts.</summary>
internal static class FlamingoFiles
{
    /// <summary>Ids of the bytes; the two further tokens are Flamingo's, the last is the padding.</summary>
    public const int Vocabulary = 257, End = 257, Image = 258, Tokens = 260;

    public const string NeoX = """
        { "model_type": "gpt_neox", "hidden_size": 24, "intermediate_size": 48, "num_attention_heads": 3, "num_hidden_layers": 4,
          "vocab_size": 257, "max_position_embeddings": 256, "rotary_pct": 0.5, "use_parallel_residual": false }
        """;

    public const string Mpt = """
        { "model_type": "mpt", "d_model": 24, "n_heads": 3, "n_layers": 2, "vocab_size": 257, "max_seq_len": 256,
          "attn_config": { "alibi": true } }
        """;

    private const string Vision = """
        { "model_cfg": { "embed_dim": 8,
            "vision_cfg": { "image_size": 16, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8 },
            "text_cfg": { "context_length": 8, "vocab_size": 20, "width": 8, "heads": 2, "layers": 1 } }, "preprocess_cfg": {} }
        """;

    /// <summary>Writes a whole folder.</summary>
    /// <param name="folder">An empty folder.</param>
    /// <param name="language">config.json of the language model.</param>
    /// <param name="maxImages">Images of a prompt at most, or null.</param>
    public static void Write(string folder, string language, int? maxImages = null)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var noise = new Noise(3);
        Directory.CreateDirectory(Path.Combine(folder, "language"));
        Directory.CreateDirectory(Path.Combine(folder, "vision"));
        File.WriteAllText(Path.Combine(folder, "language", "config.json"), language);
        File.WriteAllText(Path.Combine(folder, "flamingo.json"), string.Create(CultureInfo.InvariantCulture, $$"""
            { "cross_attn_every_n_layers": 2, "latents": 4, "resampler_layers": 2, "heads": 2, "head_width": 8,
              "max_images": {{maxImages?.ToString(CultureInfo.InvariantCulture) ?? "null"}} }
            """));
        WriteTokenizer(Path.Combine(folder, "language"));
        File.WriteAllText(Path.Combine(folder, "vision", "open_clip_config.json"), Vision);
        SafeTensorsWriter.Write(Path.Combine(folder, "vision", OpenClipFiles.FileName),
            OpenClipFiles.Tensors(OpenClipConfig.Read(Path.Combine(folder, "vision"))));

        var config = ConfigFile.Read<FlamingoConfig>(Path.Combine(folder, "flamingo.json"));
        var sizes = LanguageConfig.Read(Path.Combine(folder, "language"));
        using var network = new FlamingoNetwork(config, sizes.WithVocabulary(Tokens), 16) { MediaToken = Image };
        var (trained, frozen) = (new Dictionary<string, Tensor>(), new Dictionary<string, Tensor>());
        foreach (var (name, parameter) in network.named_parameters())
        {
            var isTable = parameter.shape[0] == Tokens;
            if (name.EndsWith("_gate", StringComparison.Ordinal)) parameter.fill_(0.8);
            else if (parameter.dim() > 1)
                parameter.copy_(noise.Randn(parameter.shape).mul(isTable ? 0.5 : 0.6 / Math.Sqrt(parameter.shape[^1])));
            else if (name.EndsWith("bias", StringComparison.Ordinal)) parameter.zero_();
            if (isTable || FlamingoNetwork.IsTrained(name)) trained[name] = parameter.detach();
            if (!FlamingoNetwork.IsTrained(name))
                frozen[name["lang_encoder.".Length..]] = isTable ? parameter.detach().narrow(0, 0, Vocabulary) : parameter.detach();
        }

        SafeTensorsWriter.Write(Path.Combine(folder, "checkpoint.safetensors"), trained);
        SafeTensorsWriter.Write(Path.Combine(folder, "language", "model.safetensors"), frozen);
    }

    /// <summary>Writes a tokenizer of single bytes, two merges and GPT-NeoX's kinds of added tokens.</summary>
    public static void WriteTokenizer(string folder)
    {
        var symbols = Enumerable.Range(0, 256).Select(value => ByteSymbols.Of((byte)value).ToString()).ToList();
        var vocabulary = symbols.Select((symbol, id) => (symbol, id)).ToDictionary(pair => pair.symbol, pair => pair.id);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), JsonSerializer.Serialize(new
        {
            added_tokens = new[] { new { id = 256, content = "<|endoftext|>", normalized = false, special = true } },
            normalizer = new { type = "NFC" },
            pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false },
            model = new { type = "BPE", vocab = vocabulary, merges = Array.Empty<string>() },
        }));
    }

    /// <summary>An image of one colour with a spot, different for each number.</summary>
    public static RgbImage Picture(int number)
    {
        var pixels = new byte[20 * 20 * 3];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = (byte)((i * (number + 3) * 7) % 251);
        return new RgbImage(20, 20, pixels);
    }
}
