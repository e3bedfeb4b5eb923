using Alebrije.Datasets;
using Alebrije.Tests.Datasets;
using Alebrije.Training;

namespace Alebrije.Tests.Training;

public sealed class StyleBlendTests
{
    private readonly CaptionedScenes scenes = new(World.Open());

    [Fact]
    public void Apply_MixesAsOftenAsAsked_TheSameForTheSameNumber()
    {
        var picture = Picture(0);
        var mixed = Enumerable.Range(0, 200).Count(i => !StyleBlend.Apply(picture, 0.4, 1, i).Pixels.SequenceEqual(picture.Pixels));
        Assert.InRange(mixed, 55, 105);
        Assert.Equal(StyleBlend.Apply(picture, 1, 1, 5).Pixels, StyleBlend.Apply(picture, 1, 1, 5).Pixels);
        Assert.NotEqual(StyleBlend.Apply(picture, 1, 1, 5).Pixels, StyleBlend.Apply(picture, 1, 1, 6).Pixels);
        Assert.Same(picture, StyleBlend.Apply(picture, 0, 1, 5));
    }

    [Fact]
    public void Apply_NeverGivesAStyleItself()
    {
        // A red background stays redder than green in every mixture: none is black and white.
        var picture = Picture(0);
        for (var i = 0; i < 100; i++)
        {
            var mixed = StyleBlend.Apply(picture, 1, 2, i);
            Assert.True(Spread(mixed) >= (1 - StyleBlend.Most) * Spread(picture) * 0.8, $"mixture {i} is nearly grey");
        }

        static double Spread(Alebrije.Preprocessing.Imaging.RgbImage image) => Math.Abs(image.Pixels[0] - image.Pixels[1]);
    }

    private Alebrije.Preprocessing.Imaging.RgbImage Picture(long index)
    {
        var scene = scenes.World.Scene(1, index, SceneOptions.SingleObjects with { StyleShare = 0, Backgrounds = [Background.Red] });
        return scenes.Draw(scene);
    }
}
