using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Evaluation;

public sealed class PictureJudgeTests
{
    public PictureJudgeTests() => TorchRuntime.Initialize();

    [Fact]
    public void Answers_CountWhatTheyAreAskedFor()
    {
        var scenes = new EvaluationScenes(World.Open(), 2);
        var prompts = scenes.Prompts(EvaluationScenes.CoreSingles, 4);
        int Right(int i) => prompts[i].Scene.Objects[0].Concept.Index;
        var other = prompts.Max(p => p.Scene.Objects[0].Concept.Index) + 1;
        PictureAnswer[] answers =
        [
            new([Right(0), other, other, other, other], prompts[0].Scene.Background),
            new([other, Right(1), other, other, other], Other(prompts[1].Scene.Background)),
            new([other, other, other, other, Right(2)], Other(prompts[2].Scene.Background)),
            new([other, other, other, other, other], Other(prompts[3].Scene.Background)),
        ];
        Assert.Equal(0.25, PictureJudge.Named(prompts, answers, 1).Value);
        Assert.Equal(0.5, PictureJudge.Named(prompts, answers, 2).Value);
        Assert.Equal(0.75, PictureJudge.Named(prompts, answers, 5).Value);
        Assert.Equal(0.25, PictureJudge.Coloured(prompts, answers).Value);
        Assert.Equal(4, PictureJudge.Named(prompts, answers, 1).Count);
    }

    [Fact]
    public void Pairs_AreBothNamedFirst_InEitherOrder()
    {
        var scenes = new EvaluationScenes(World.Open(), 2);
        var duets = scenes.Prompts(EvaluationScenes.CoreDuets, 3);
        Assert.All(duets, duet => Assert.True(HeldOut.Pair(duet.Scene.Objects[0].Concept, duet.Scene.Objects[1].Concept)));
        Assert.All(duets, duet => Assert.All(duet.Scene.Objects, o => Assert.True(o.Concept.IsCore)));
        int[] Of(int i) => [.. duets[i].Scene.Objects.Select(o => o.Concept.Index)];
        PictureAnswer[] answers = [Answer([.. Of(0), -1]), Answer([Of(1)[1], Of(1)[0]]), Answer([Of(2)[0], -1, Of(2)[1]])];
        Assert.Equal(2 / 3.0, PictureJudge.Both(duets, answers).Value);
    }

    [Fact]
    public void Found_CountsTheObjectsOfAScene()
    {
        var duets = new EvaluationScenes(World.Open(), 2).Prompts(EvaluationScenes.CoreDuets, 4);
        int Of(int i, int which) => duets[i].Scene.Objects[which].Concept.Index;
        HashSet<int>[] found = [[Of(0, 0), Of(0, 1), -1], [Of(1, 1), -1], [Of(2, 0)], [-1]];
        Assert.Equal((0.25, 0.75, 4), (PictureJudge.Found(duets, found, 2).Value, PictureJudge.Found(duets, found, 1).Value,
            PictureJudge.Found(duets, found, 2).Count));
    }

    [Fact]
    public void Windows_FindTwoObjects_ThatTheWholeImageHides()
    {
        // The space classifies by the mean red value: 3 for a red image, 5 for a black one, 7 for anything between.
        var world = World.Open();
        using var scope = NewDisposeScope();
        var sizes = new List<(int, int)>();
        var judge = new PictureJudge(new JointSpace(
            pictures =>
            {
                sizes.AddRange(pictures.Select(picture => (picture.Width, picture.Height)));
                return stack([.. pictures.Select(p => OneHot(p.Pixels.Where((_, i) => i % 3 == 0).Average(v => v) switch
                    { > 250 => 3, < 5 => 5, _ => 7 }))]);
            },
            texts => stack([.. texts.Select(t => OneHot(world.Concepts.First(c => c.Label(Language.English) == t).Index))])), world);
        var halves = new RgbImage(16, 16);
        for (var i = 0; i < halves.Pixels.Length; i += 3) halves.Pixels[i] = (byte)(i / 3 % 16 < 8 ? 255 : 0);
        Assert.Equal(7, judge.Ask([halves])[0].Best[0]);
        sizes.Clear();
        var found = judge.InWindows([halves, Filled(255, 0, 0)]);
        Assert.Equal([3, 5, 7], found[0].Order()); // 7 is that of the whole image and of the windows in the middle
        Assert.Equal([3], found[1]);
        Assert.Equal(28, sizes.Count);
        Assert.Equal([(16, 16), (12, 12), (12, 12), (12, 12), (12, 12), (8, 8)], sizes.Take(6));

        Tensor OneHot(int index) => zeros(world.Concepts.Count).index_fill(0, tensor((long)index), 1);
    }

    [Fact]
    public void Judge_WithEyesForColourOnly_NamesTheConceptOfThatColour()
    {
        // Texts point to the concept's number, images to number 3 when red and to number 5 when blue.
        var world = World.Open();
        using var scope = NewDisposeScope();
        var space = new JointSpace(
            pictures => stack([.. pictures.Select(p => one_hot(p.Pixels[0] > 128 ? 3 : 5))]),
            texts => stack([.. texts.Select(t => one_hot(world.Concepts.First(c => c.Label(Language.English) == t).Index))]));
        var answers = new PictureJudge(space, world).Ask([Filled(212, 36, 40), Filled(30, 70, 200)]);
        Assert.Equal([3, 5], answers.Select(answer => answer.Best[0]));
        Assert.Equal([Background.Red, Background.Blue], answers.Select(answer => answer.Border));
        Assert.All(answers, answer => Assert.Equal(5, answer.Best.Distinct().Count()));

        Tensor one_hot(int index) => zeros(world.Concepts.Count).index_fill(0, tensor((long)index), 1);
    }

    [Fact]
    public void Prompts_SayConceptAndColour_InBothLanguages()
    {
        var scenes = new EvaluationScenes(World.Open(), 2);
        var prompts = scenes.Prompts(EvaluationScenes.CoreSingles, 20);
        for (var i = 0; i < prompts.Length; i++)
        {
            var (scene, language) = (prompts[i].Scene, i % 2 == 0 ? Language.English : Language.Spanish);
            Assert.Contains(scene.Objects[0].Concept.Name(language), prompts[i].Prompt, StringComparison.Ordinal);
            Assert.Contains(scene.Background.Name(language), prompts[i].Prompt, StringComparison.Ordinal);
            Assert.Equal((SceneStyle.Plain, SceneSize.Normal), (scene.Style, scene.Size));
        }
    }

    private static Background Other(Background colour) => colour == Background.White ? Background.Black : Background.White;

    private static PictureAnswer Answer(int[] best) => new(best, Background.White);

    private static RgbImage Filled(byte r, byte g, byte b)
    {
        var picture = new RgbImage(8, 8);
        for (var i = 0; i < picture.Pixels.Length; i += 3) (picture.Pixels[i], picture.Pixels[i + 1], picture.Pixels[i + 2]) = (r, g, b);
        return picture;
    }
}
