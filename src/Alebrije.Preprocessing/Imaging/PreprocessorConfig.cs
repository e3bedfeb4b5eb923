using System.Text.Json;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>The preprocessing settings of published checkpoints: those of transformers and diffusers, and those of open_clip.</summary>
internal static class PreprocessorConfig
{
    /// <summary>File of an image processor of transformers.</summary>
    internal const string FileName = "preprocessor_config.json";

    /// <summary>File of a processor of transformers; since version 5 it replaces <see cref="FileName"/>.</summary>
    internal const string ProcessorFileName = "processor_config.json";

    private const string OpenClipFileName = "open_clip_config.json", Nested = "image_processor";
    public static ClipImageOptions Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var path = File.Exists(folder) ? folder : FileOf(folder);
        if (path is null && Path.Combine(folder, OpenClipFileName) is var open && File.Exists(open)) path = open;
        if (path is null)
        {
            throw new FileNotFoundException(
                $"{folder} has neither {FileName} nor {ProcessorFileName} with "
                    + $"an {Nested} nor {OpenClipFileName} with the preprocessing of images.", Path.Combine(folder, FileName));
        }

        using var json = Parse(path);
        try
        {
            var root = Settings(json.RootElement) ?? json.RootElement;
            var options = root.TryGetProperty("preprocess_cfg", out var preprocess)
                ? OpenClip(root, preprocess, path) : Transformers(root, path);
            options.Validate();
            return options;
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or OverflowException or ArgumentException)
        {
            throw new InvalidDataException($"{path} cannot be parsed: {e.Message}", e);
        }
    }

    /// <summary>File of a folder with transformers' settings, or null; a processor's file first (image_processing_base.py).</summary>
    /// <exception cref="InvalidDataException">The processor's file is not JSON.</exception>
    internal static string? FileOf(string folder)
    {
        var (processor, alone) = (Path.Combine(folder, ProcessorFileName), Path.Combine(folder, FileName));
        return HoldsNested(processor) ? processor : File.Exists(alone) ? alone : null;
    }

    /// <summary>True if a file contains the settings as a part of a processor's.</summary>
    internal static bool HoldsNested(string path)
    {
        if (!File.Exists(path)) return false;
        using var json = Parse(path);
        return Settings(json.RootElement) is not null;
    }

    /// <summary>Writes settings as <c>preprocessor_config.json</c> of <c>CLIPImageProcessor</c>; <see cref="Read"/> reads them.</summary>
    /// <param name="options">Any except those that add borders.</param>
    internal static byte[] Write(ClipImageOptions options)
    {
        object size = options.Fit == ImageFit.Shortest ? new { shortest_edge = options.ResizeHeight }
            : new { height = options.ResizeHeight, width = options.ResizeWidth };
        return JsonSerializer.SerializeToUtf8Bytes(new
        {
            image_processor_type = "CLIPImageProcessor", do_resize = options.DoResize, size, resample = (int)options.Filter,
            do_center_crop = options.DoCrop, crop_size = new { height = options.CropHeight, width = options.CropWidth },
            do_convert_rgb = true,
            do_rescale = options.DoRescale, rescale_factor = options.RescaleFactor,
            do_normalize = options.DoNormalize, image_mean = options.Mean, image_std = options.Deviation,
        }, JsonForms.Indented);
    }

    private static JsonElement? Settings(JsonElement root) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty(Nested, out var nested)
        && nested.ValueKind == JsonValueKind.Object ? nested : null;

    private static JsonDocument Parse(string path)
    {
        try
        {
            return JsonText.Parse(RegularFile.ReadAllBytes(path),
                new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        }
        catch (JsonException e)
        {
            throw new InvalidDataException(
                $"{path} is not valid JSON: it breaks off at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.", e);
        }
    }

    private static ClipImageOptions Transformers(JsonElement root, string path)
    {
        var type = (Value(root, "image_processor_type") ?? Value(root, "feature_extractor_type"))?.GetString() ?? "CLIPImageProcessor";
        var (siglip, vit) = (type.StartsWith("Siglip", StringComparison.Ordinal), type.StartsWith("ViT", StringComparison.Ordinal));
        if (!siglip && !vit && !type.StartsWith("CLIP", StringComparison.Ordinal) && !type.StartsWith("Bit", StringComparison.Ordinal))
            throw new InvalidDataException($"{path} sets image processor {type}; only those of CLIP, SigLIP, ViT and BiT are supported.");
        var defaults = siglip || vit
            ? new ClipImageOptions { Fit = ImageFit.Squash, DoCrop = false,
                Mean = [0.5, 0.5, 0.5], Deviation = [0.5, 0.5, 0.5], Filter = siglip ? ResizeFilter.Bicubic : ResizeFilter.Bilinear }
            : new ClipImageOptions();
        var options = defaults with
        {
            DoResize = Value(root, "do_resize")?.GetBoolean() ?? true,
            DoCrop = Value(root, "do_center_crop")?.GetBoolean() ?? defaults.DoCrop,
            DoRescale = Value(root, "do_rescale")?.GetBoolean() ?? true,
            DoNormalize = Value(root, "do_normalize")?.GetBoolean() ?? true,
            RescaleFactor = Value(root, "rescale_factor")?.GetDouble() ?? defaults.RescaleFactor,
            Filter = (ResizeFilter)(Value(root, "resample")?.GetInt32() ?? (int)defaults.Filter),
            Mean = Value(root, "image_mean") is { } mean ? Three(mean) : defaults.Mean,
            Deviation = Value(root, "image_std") is { } deviation ? Three(deviation) : defaults.Deviation,
        };
        if (!Enum.IsDefined(options.Filter))
            throw new InvalidDataException($"{path} sets resample to {(int)options.Filter}, but it must be between 0 and 5.");
        if (Value(root, "size") is { } size)
            options = WithResize(options, size, shortest: !(siglip || vit), path);
        if (Value(root, "crop_size") is { } crop)
        {
            var (height, width) = Sides(crop, path);
            return options with { CropHeight = height, CropWidth = width };
        }
        return options;
    }

    /// <summary><c>size</c> is a number, <c>{"shortest_edge": n}</c> or <c>{"height": h, "width": w}</c>.</summary>
    private static ClipImageOptions WithResize(ClipImageOptions options, JsonElement size, bool shortest, string path)
    {
        if (size.ValueKind == JsonValueKind.Object && Value(size, "shortest_edge") is { } edge)
        {
            if (Value(size, "longest_edge") is not null)
                throw new InvalidDataException(
                    $"{path} limits both the shortest and the longest edge, which CLIP's preprocessing does not support.");
            return options with { Fit = ImageFit.Shortest, ResizeHeight = edge.GetInt32(), ResizeWidth = edge.GetInt32() };
        }
        var (height, width) = Sides(size, path);
        return options with
        {
            Fit = shortest && size.ValueKind == JsonValueKind.Number ? ImageFit.Shortest : ImageFit.Squash,
            ResizeHeight = height,
            ResizeWidth = width,
        };
    }

    /// <summary>Settings of open_clip_config.json: the image size of the named tower, else open_clip's defaults.</summary>
    private static ClipImageOptions OpenClip(JsonElement root, JsonElement preprocess, string path)
    {
        var size = Value(preprocess, "size") ?? (Value(root, "model_cfg") is { } model
            && Value(model, "vision_cfg") is { } vision ? Value(vision, "image_size") : null);
        var (height, width) = size is { } given ? Sides(given, path) : (224, 224);
        var (mode, filter) = (Value(preprocess, "resize_mode")?.GetString() ?? "shortest",
            Value(preprocess, "interpolation")?.GetString() ?? "bicubic");
        if (Value(preprocess, "fill_color") is { } fill && fill.EnumerateNumbers().Any(n => n != 0))
            throw new InvalidDataException($"{path} sets a fill colour, but only black (0) is supported.");
        var defaults = new ClipImageOptions();
        return defaults.WithSize(height, width) with
        {
            Convention = ImageConvention.Torchvision,
            Fit = mode switch
            {
                "shortest" => ImageFit.Shortest,
                "longest" => ImageFit.Longest,
                "squash" => ImageFit.Squash,
                _ => throw new InvalidDataException($"{path} sets resize_mode to {mode}, but it must be shortest, longest or squash."),
            },
            Filter = filter switch
            {
                "bicubic" => ResizeFilter.Bicubic,
                "bilinear" => ResizeFilter.Bilinear,
                _ => throw new InvalidDataException($"{path} sets interpolation to {filter}, but it must be bicubic or bilinear."),
            },
            Mean = Value(preprocess, "mean") is { } mean ? Three(mean) : defaults.Mean,
            Deviation = Value(preprocess, "std") is { } deviation ? Three(deviation) : defaults.Deviation,
        };
    }

    private static (int Height, int Width) Sides(JsonElement size, string path) => size.ValueKind switch
    {
        JsonValueKind.Number => (size.GetInt32(), size.GetInt32()),
        JsonValueKind.Array when size.GetArrayLength() == 2 => (size[0].GetInt32(), size[1].GetInt32()),
        JsonValueKind.Object when Value(size, "height") is { } height
        && Value(size, "width") is { } width => (height.GetInt32(), width.GetInt32()),
        _ => throw new InvalidDataException($"{path} has an invalid size: {size.GetRawText()}."),
    };

    private static double[] Three(JsonElement numbers) => [.. numbers.EnumerateNumbers()];

    private static IEnumerable<double> EnumerateNumbers(this JsonElement element)
        => element.ValueKind == JsonValueKind.Number ? [element.GetDouble()] : element.EnumerateArray().Select(n => n.GetDouble());

    private static JsonElement? Value(JsonElement element, string name)
        => element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
