using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Search;

namespace Alebrije.Benchmarks;

/// <summary>
/// The relevance cut on held-out EmojiWorld scenes with <c>mini</c>. A true match is a scene and its caption, or the name of its one
/// object; a false alarm is a scene that passes for the name of a concept that no scene shows.
/// </summary>
internal static class RelevanceBenchmark
{
    private const int Scenes = 1000, Sample = 256;
    private static readonly double[] Rates = [0.05, 0.01, 0.001];

    /// <summary>Runs the benchmark once.</summary>
    public static void Run(int rounds)
    {
        var world = EmojiWorld.Open();
        using var model = ClipModel.Load(Path.Combine(Tests.Repository.Root, "models", "mini"));
        var options = SceneOptions.Default with { Split = SceneSplit.HeldOut };
        var scenes = Enumerable.Range(0, Scenes).Select(i => world.Scene(11, 1_000_000 + i, options)).ToArray();
        var images = model.EmbedImages([.. scenes.Select(scene => new RgbImage(Scene.Side, Scene.Side, world.Render(scene, Scene.Side)))]);
        var shown = scenes.SelectMany(scene => scene.Objects).Select(one => one.Concept.Index).ToHashSet();
        var strange = world.Concepts.Where(concept => !shown.Contains(concept.Index)).ToArray();
        var background = model.EmbedTexts(BackgroundTexts.All);
        var sample = images.Where((_, i) => i % (Scenes / Sample) == 0).Take(Sample).ToArray();
        var scale = RelevanceScale.Create(new SearchQuery("any"), background, sample)!;
        Console.WriteLine($"{Scenes} held-out scenes of {shown.Count} concepts; {strange.Length} concepts that none shows");
        foreach (var language in new[] { Language.English, Language.Spanish })
        {
            var captions = model.EmbedTexts([.. scenes.Select(scene => world.Caption(scene, language, CaptionOptions.Complete))]);
            var alone = scenes.Index().Where(scene => scene.Item.Objects.Count == 1).ToArray();
            var names = model.EmbedTexts([.. alone.Select(scene => scene.Item.Objects[0].Concept.Label(language))]);
            var absent = model.EmbedTexts([.. strange.Select(concept => concept.Label(language))]);
            (string Name, Func<float[], float[], double> Of)[] methods =
            [
                ("cosine", (text, image) => Dot(text, image)),
                ("normalised by the query's scores", (text, image) => Normalised(Dot(text, image), sample, text)),
                ("normalised by the image's scores", (text, image) => Normalised(Dot(text, image), background, image)),
                ("relevance", (text, image) => scale.Of(image, Dot(text, image))),
            ];
            foreach (var (name, of) in methods)
            {
                double[] ofCaptions = [.. captions.Zip(images, of)];
                double[] ofNames = [.. alone.Zip(names, (scene, text) => of(text, images[scene.Index]))];
                double[][] alarms = [.. absent.Select(text =>
                    images.Where((_, i) => i % 4 == 0).Select(image => of(text, image)).ToArray())];
                double[] all = [.. alarms.SelectMany(one => one).Order()];
                foreach (var rate in Rates)
                {
                    // The relevance has its cut from its definition; the others get the cut that has the rate on these very scenes.
                    var cut = name == "relevance" ? 1 - rate : all[(int)Math.Min(all.Length - 1, Math.Ceiling(all.Length * (1 - rate)))];
                    Console.WriteLine(FormattableString.Invariant($"{language,-8} {name,-34} rate {rate,6:P1}: captions kept ")
                        + FormattableString.Invariant($"{Share(ofCaptions, cut),6:P1}, names kept {Share(ofNames, cut),6:P1}, ")
                        + FormattableString.Invariant($"false alarms {Share(all, cut),6:P2} of the images, ")
                        + FormattableString.Invariant($"{(double)alarms.Count(one => one.Max() >= cut) / alarms.Length,5:P0} of the ")
                        + "queries");
                }
            }
        }
    }

    private static double Share(double[] values, double cut) => (double)values.Count(value => value >= cut) / values.Length;

    private static float Dot(float[] a, float[] b) => System.Numerics.Tensors.TensorPrimitives.Dot<float>(a, b);

    private static double Normalised(double score, float[][] bank, float[] vector)
    {
        var (sum, squares) = (0.0, 0.0);
        foreach (var other in bank)
        {
            double one = Dot(other, vector);
            (sum, squares) = (sum + one, squares + (one * one));
        }

        var mean = sum / bank.Length;
        return (score - mean) / Math.Sqrt(Math.Max(1e-12, (squares / bank.Length) - (mean * mean)));
    }
}
