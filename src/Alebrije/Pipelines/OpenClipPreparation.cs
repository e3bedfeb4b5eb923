using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Models.Clip;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Weights;

namespace Alebrije.Pipelines;

/// <summary>Preparation of texts and images for a folder of open_clip.</summary>
internal static class OpenClipPreparation
{
    /// <summary>Preprocessing of images for a folder's model: its <c>preprocess_cfg</c>, else open_clip's defaults.</summary>
    /// <exception cref="WeightsException">It specifies an unsupported method.</exception>
    public static ClipImageProcessor ProcessorOf(string folder, int size)
    {
        var path = Path.Combine(folder, OpenClipConfig.FileName);
        var settings = ConfigFile.ReadObject(path)["preprocess_cfg"] is JsonObject given
            ? given.Deserialize<Preprocessing>(JsonForms.Line)! : new Preprocessing();
        var options = new ClipImageOptions { Convention = ImageConvention.Torchvision }.WithSize(size, size);
        return new ClipImageProcessor(options with
        {
            Mean = settings.Mean ?? options.Mean, Deviation = settings.Std ?? options.Deviation,
            Filter = settings.Interpolation switch
            {
                "bicubic" or "random" => ResizeFilter.Bicubic,
                "bilinear" => ResizeFilter.Bilinear,
                var other => throw new WeightsException(
                    $"{path}: the interpolation '{other}' is not supported; it must be bicubic or bilinear."),
            },
            Fit = settings.ResizeMode switch
            {
                "shortest" => ImageFit.Shortest,
                "longest" => ImageFit.Longest,
                "squash" => ImageFit.Squash,
                var other => throw new WeightsException(
                    $"{path}: the resize_mode '{other}' is not supported; it must be shortest, longest or squash."),
            },
        });
    }

    /// <summary>Rules for texts that open_clip's <c>tokenizer_kwargs</c> set.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="otherwise">Value used when they specify none.</param>
    public static ClipDialect DialectOf(string folder, ClipDialect otherwise = ClipDialect.OpenClip)
    {
        var path = Path.Combine(folder, OpenClipConfig.FileName);
        var root = ConfigFile.ReadObject(path);
        var clean = (root["model_cfg"] ?? root)["text_cfg"]?["tokenizer_kwargs"]?["clean"]?.GetValue<string>();
        return clean switch
        {
            null => otherwise,
            "lower" => ClipDialect.OpenClip,
            "whitespace" => ClipDialect.OpenClipWhitespace,
            "canonicalize" => ClipDialect.OpenClipCanonicalize,
            _ => throw new WeightsException(
                $"{path}: the text cleaning '{clean}' is not supported; it must be lower, whitespace or canonicalize."),
        };
    }

    /// <summary>
    /// Another rule for texts than <see cref="DialectOf"/> reads that a config specifies, verbatim, or null (open_clip,
    /// tokenizer.py, SimpleTokenizer).
    /// </summary>
    public static string? UnknownRule(string folder)
    {
        var root = ConfigFile.ReadObject(Path.Combine(folder, OpenClipConfig.FileName));
        var text = (root["model_cfg"] ?? root)["text_cfg"];
        if (text?["tokenizer_mode"] is { } mode) return $"tokenizer_mode {mode.ToJsonString()}";
        return text?["tokenizer_kwargs"] is JsonObject rules ? rules.Where(pair =>
            pair.Key is not ("clean" or "context_length") && pair.Value is not null && pair.Value.ToJsonString() is not ("false" or "\"\"")
            ).Select(pair => $"{pair.Key} {pair.Value!.ToJsonString()} (tokenizer_kwargs)").FirstOrDefault() : null;
    }

    /// <summary>open_clip's transform.py, PreprocessCfg.</summary>
    private sealed record Preprocessing
    {
        public double[]? Mean { get; init; }
        public double[]? Std { get; init; }
        public string Interpolation { get; init; } = "bicubic";
        public string ResizeMode { get; init; } = "shortest";
    }
}
