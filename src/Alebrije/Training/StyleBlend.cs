using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Training;

/// <summary>
/// Augmentation of plain scenes: a mixture with the same image in a style, never the styled image alone. A network that
/// gets some concepts only in colour learns that grey images show none of them; mixtures of every concept make style uninformative.
/// </summary>
internal static class StyleBlend
{
    /// <summary>Least and largest share of the styled image.</summary>
    internal const double Least = 0.15, Most = 0.7;

    private static readonly SceneStyle[] Styles = [SceneStyle.PencilSketch,
        SceneStyle.BlackAndWhite, SceneStyle.Night, SceneStyle.PencilSketch, SceneStyle.BlackAndWhite];

    /// <summary>Mixes a picture with itself in a random style, or leaves it; drawn from seed and index alone.</summary>
    /// <param name="picture">A plain scene.</param>
    /// <param name="chance">Share of the pictures that are mixed, from 0 to 1.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="index">Number of the scene.</param>
    public static RgbImage Apply(RgbImage picture, double chance, ulong seed, long index)
    {
        var random = ConditionDropout.Generator(seed + 0x626C656E64, index);
        if (random.NextDouble() >= chance) return picture;
        var styled = PictureStyles.Apply(picture, Styles[random.Next(Styles.Length)], (ulong)random.NextInt64())!;
        var share = Least + (random.NextDouble() * (Most - Least));
        var mixed = new RgbImage(picture.Width, picture.Height);
        for (var i = 0; i < mixed.Pixels.Length; i++)
            mixed.Pixels[i] = (byte)Math.Round((share * styled.Pixels[i]) + ((1 - share) * picture.Pixels[i]));
        return mixed;
    }
}
