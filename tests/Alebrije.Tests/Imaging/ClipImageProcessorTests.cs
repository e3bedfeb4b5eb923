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
        Assert.True(worst <= 1e-6, $"off by {worst:g3}, {ours.Zip(expected, (a, b) => Math.Abs(a - b) > 1e-5 ? 1 : 0).Sum()} of {ours.Length} values");
    }
}
