using System.Numerics.Tensors;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Pipelines;

/// <summary>The small Imagen of the clone: two stages, found by name, judged by mini's CLIP.</summary>
public sealed class MiniCascadeTests
{
    [Fact]
    public void Imagine_ByName_DrawsWhatThePromptsName()
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var pipeline = ImagePipeline.Load(ModelCatalog.Create().Find("mini-cascade"));
        (string Prompt, ulong Seed)[] requests = [("a panda on a yellow background", 7), ("una manzana verde", 12)];
        RgbImage[] images = [.. requests.Select(request => pipeline.Generate(
            new GenerationRequest { Prompt = request.Prompt, Seed = request.Seed }, cancellation: cancellation).Image)];

        Assert.All(images, image => Assert.Equal((128, 128), (image.Width, image.Height)));
        var (yellow, green) = (Colour(images[0], 0), Colour(images[1], 60));
        Assert.True(yellow.Red > 150 && yellow.Green > 120 && yellow.Blue < 130, yellow.ToString());
        Assert.True(green.Green > green.Red + 40 && green.Green > green.Blue + 40, green.ToString());
        using var judge = ClipModel.Load(ModelCatalog.Create().Find("mini"));
        var seen = judge.EmbedImages(images, cancellation: cancellation);
        var texts = judge.EmbedTexts(["a panda on a yellow background", "a green apple"], cancellation: cancellation);
        Assert.True(TensorPrimitives.Dot<float>(seen[0], texts[0]) > TensorPrimitives.Dot<float>(seen[0], texts[1]));
        Assert.True(TensorPrimitives.Dot<float>(seen[1], texts[1]) > TensorPrimitives.Dot<float>(seen[1], texts[0]));
    }

    /// <summary>Mean colour of 8 x 8 pixels.</summary>
    /// <param name="image">The image.</param>
    /// <param name="at">Column and row of their upper left corner.</param>
    private static (double Red, double Green, double Blue) Colour(RgbImage image, int at)
    {
        double Mean(int channel) => Enumerable.Range(0, 64)
            .Average(i => image.Pixels[(((at + (i / 8)) * image.Width) + at + (i % 8)) * 3 + channel]);
        return (Mean(0), Mean(1), Mean(2));
    }
}
