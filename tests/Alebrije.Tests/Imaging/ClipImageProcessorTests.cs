using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Imaging;

public sealed class ClipImageProcessorTests
{
    private static readonly PixelGolden Golden = new("pixels-clip");

    public static TheoryData<string> CaseIds => new(Golden.Cases.Select(c => c.GetProperty("id").GetString()!));

    [Theory]
    [MemberData(nameof(CaseIds))]
    public void Prepare_OfGolden_IsWhatTheLibraryGives(string id)
    {
        var golden = Golden.Cases.Single(c => c.GetProperty("id").GetString() == id);
        var (call, arguments) = (golden.GetProperty("call").GetString()!, golden.GetProperty("arguments"));
        var image = PillowImage.Load(Path.Combine(Golden.Folder, arguments.GetProperty("file").GetString()!));
        var output = golden.GetProperty("outputs").EnumerateObject().Single();
        if (call == "convert(\"RGB\")")
        {
            var tolerance = output.Value.GetProperty("atol").GetInt32();
            Assert.True(image.ToRgb().Pixels.Zip(Golden.Bytes($"{id}/rgb"), (a, b) => Math.Abs(a - b)).Max() <= tolerance);
            return;
        }
        var size = arguments.GetProperty("size").GetInt32();
        var processor = call switch
        {
            "openai" => ClipImageProcessor.OpenAi(size),
            "transformers" => ClipImageProcessor.Transformers(size),
            "open_clip" => ClipImageProcessor.OpenClip(size),
            "open_clip-squash" => ClipImageProcessor.OpenClip(size, ImageFit.Squash),
            "open_clip-longest" => ClipImageProcessor.OpenClip(size, ImageFit.Longest),
            _ => throw new ArgumentException(call),
        };
        var (ours, expected) = (processor.Prepare(image), Golden.Floats($"{id}/pixel_values"));
        Assert.Equal(expected.Length, ours.Length);
        var worst = ours.Zip(expected, (a, b) => Math.Abs(a - b) - 1e-6 * Math.Abs(b)).Max();
        Assert.True(worst <= 1e-6,
            $"off by {worst:g3}, {ours.Zip(expected, (a, b) => Math.Abs(a - b) > 1e-5 ? 1 : 0).Sum()} of {ours.Length} values");
    }

    [Fact]
    public void Load_OfPublishedSettings_ReadsEveryForm()
    {
        var clip = Read("preprocessor_config.json", """
            {"crop_size": {"height": 24, "width": 20}, "do_center_crop": true, "do_normalize": true, "feature_extractor_type": "CLIPFeatureExtractor",
             "image_mean": [0.5, 0.25, 0.125], "image_std": [0.1, 0.2, 0.3], "resample": 2, "size": {"shortest_edge": 32}}
            """);
        Assert.Equal((ImageConvention.Transformers, ImageFit.Shortest, 32, 32, 24, 20),
            (clip.Convention, clip.Fit, clip.ResizeHeight, clip.ResizeWidth, clip.CropHeight, clip.CropWidth));
        Assert.Equal((ResizeFilter.Bilinear, 0.25, 0.3), (clip.Filter, clip.Mean[1], clip.Deviation[2]));
        Assert.Equal((24, 20), new ClipImageProcessor(clip).OutputSize(100, 50));

        var legacy = Read("preprocessor_config.json", """{"crop_size": 224, "size": 256, "do_rescale": null, "image_mean": null}""");
        Assert.Equal((ImageFit.Shortest, 256, 224, true, 0.48145466),
            (legacy.Fit, legacy.ResizeHeight, legacy.CropHeight, legacy.DoRescale, legacy.Mean[0]));

        var siglip = Read("preprocessor_config.json",
            """{"image_processor_type": "SiglipImageProcessor", "size": {"height": 384, "width": 384}}""");
        Assert.Equal((ImageFit.Squash, false, 384, 0.5), (siglip.Fit, siglip.DoCrop, siglip.ResizeWidth, siglip.Mean[0]));

        var open = Read("open_clip_config.json", """
            {"model_cfg": {"vision_cfg": {"image_size": 48}}, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "resize_mode": "squash"}}
            """);
        Assert.Equal((ImageConvention.Torchvision, ImageFit.Squash, 48, 0.5),
            (open.Convention, open.Fit, open.CropWidth, open.Deviation[0]));
    }

    [Fact]
    public void Load_OfAProcessorOfTransformers5_ReadsTheImageProcessorInIt()
    {
        const string nested = """
            {"image_processor": {"crop_size": {"height": 24, "width": 20}, "image_mean": [0.5, 0.25, 0.125], "image_processor_type": "CLIPImageProcessorFast", "resample": 2,
             "size": {"shortest_edge": 32}}, "processor_class": "CLIPProcessor"}
            """;
        var read = Read("processor_config.json", nested);
        Assert.Equal((ImageConvention.Transformers, ImageFit.Shortest, 32, 24, 20),
            (read.Convention, read.Fit, read.ResizeHeight, read.CropHeight, read.CropWidth));
        Assert.Equal((ResizeFilter.Bilinear, 0.25), (read.Filter, read.Mean[1]));

        // Both files: the processor's goes first if it contains an image processor, as in transformers.
        Assert.Equal(20, Read(("processor_config.json", nested), ("preprocessor_config.json", """{"crop_size": 224}""")).CropWidth);
        Assert.Equal(48, Read(("processor_config.json", """{"processor_class": "CLIPProcessor"}"""),
            ("preprocessor_config.json", """{"crop_size": 48}""")).CropWidth);
        Assert.Contains("processor_config.json with an image_processor", Assert.Throws<FileNotFoundException>(() =>
            Read("processor_config.json", """{"image_processor": null}""")).Message, StringComparison.Ordinal);
        Assert.Contains("processor_config.json is not valid JSON",
            Assert.Throws<InvalidDataException>(() => Read("processor_config.json", "{\"image_")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[1]")]
    [InlineData("""{"size": {"width": 3}}""")]
    [InlineData("""{"size": 0}""")]
    [InlineData("""{"size": 99999999}""")]
    [InlineData("""{"size": "large"}""")]
    [InlineData("""{"resample": 9}""")]
    [InlineData("""{"image_std": [0, 1, 1]}""")]
    [InlineData("""{"image_mean": [0.5]}""")]
    [InlineData("""{"image_processor_type": "FlavaImageProcessor"}""")]
    public void Load_OfSettingsThatCannotBe_NamesTheFile(string json)
    {
        var message = Assert.Throws<InvalidDataException>(() => Read("preprocessor_config.json", json)).Message;
        Assert.Contains("preprocessor_config.json", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfAFolderWithoutSettings_SaysWhatIsMissing()
        => Assert.Contains("preprocessor_config.json",
            Assert.Throws<FileNotFoundException>(() => ClipImageProcessor.Load(Golden.Folder)).Message, StringComparison.Ordinal);

    [Fact]
    public void Crop_OfAnOddRest_RoundsDownInTransformersAndToEvenInTorchvision()
    {
        // 11 to 8 leaves 3: 1 before by rounding down, 2 by rounding 1.5 to even.
        var image = new PillowImage(PixelMode.Grey, 8, 11, [.. Enumerable.Range(0, 88).Select(i => (byte)(i / 8))]);
        Assert.Equal(1, ClipImageProcessor.Transformers(8).PrepareBytes(image).Pixels[0]);
        Assert.Equal(2, ClipImageProcessor.OpenAi(8).PrepareBytes(image).Pixels[0]);
    }

    [Fact]
    public void Prepare_OfExtremeShapes_GivesTheAskedSize()
    {
        foreach (var mode in Enum.GetValues<PixelMode>())
        {
            foreach (var (width, height) in new[] { (1, 1), (1, 200), (300, 1), (2, 3) })
            {
                var pixels = TestPictures.Noise(width * height * PillowImage.BytesPerPixel(mode), 2);
                if (mode == PixelMode.Float)
                    pixels.AsSpan().Clear();
                var image = new PillowImage(mode, width, height, pixels) { Palette = TestPictures.Noise(1024, 3) };
                foreach (var processor in new[] { ClipImageProcessor.OpenAi(16), ClipImageProcessor.Transformers(16),
                    ClipImageProcessor.OpenClip(16, ImageFit.Longest), ClipImageProcessor.OpenClip(16, ImageFit.Squash) })
                    Assert.Equal(3 * 16 * 16, processor.Prepare(image).Length);
            }
        }
    }

    [Fact]
    public void Prepare_WithoutSteps_GivesBytesAsNumbers()
    {
        var processor = new ClipImageProcessor(new ClipImageOptions { DoResize = false,
            DoCrop = false, DoRescale = false, DoNormalize = false });
        Assert.Equal([1f, 4f, 2f, 5f, 3f, 6f], processor.Prepare(new RgbImage(2, 1, [1, 2, 3, 4, 5, 6])));
        Assert.Equal((1, 2), processor.OutputSize(1, 2));
    }

    private static ClipImageOptions Read(string name, string json) => Read((name, json));

    private static ClipImageOptions Read(params (string Name, string Json)[] files)
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-images-").FullName;
        try
        {
            foreach (var (name, json) in files) File.WriteAllText(Path.Combine(folder, name), json);
            return ClipImageProcessor.Load(folder).Options;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
