using System.Text.Json;
using System.Text.Json.Serialization;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Pipelines.Denoising;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Imaging;
using TorchSharp;

namespace Alebrije.Tests.Pipelines.Experiments;

/// <summary>Every experiment of the paper on pipelines with random weights.</summary>
public sealed class ImageExperimentsTests : IDisposable
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-experiments-").FullName;
    private readonly ExperimentPart a, b;
    private readonly string mask;

    public ImageExperimentsTests()
    {
        TorchRuntime.Initialize();
        (a, b) = (Picture("a.png", 1), Picture("b.png", 2));
        // The right half is regenerated.
        mask = Path.Combine(folder, "mask.png");
        new RgbImage(40, 40, [.. Enumerable.Range(0, 40 * 40).SelectMany(i => Enumerable.Repeat((byte)(i % 40 < 20 ? 0 : 255), 3))])
            .SavePng(mask);
    }

    public static TheoryData<ExperimentKind, string> EveryKind
    {
        get
        {
            var data = new TheoryData<ExperimentKind, string>();
            foreach (var kind in Enum.GetValues<ExperimentKind>())
                foreach (var model in new[] { "stable", "kandinsky" }) data.Add(kind, model);
            return data;
        }
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [MemberData(nameof(EveryKind))]
    public void Run_OfEveryKind_GivesTheSamePicturesAgain_AndCountsThem(ExperimentKind kind, string model)
    {
        using var pipeline = Load(model);
        var experiment = Of(kind, model);
        var (first, second) = (Run(pipeline, experiment), Run(pipeline, experiment));
        Assert.Equal(first.Pictures.Select(Bytes), second.Pictures.Select(Bytes));
        var count = kind switch { ExperimentKind.Sweep => 4, ExperimentKind.PcaReconstruct => 3, _ => 2 };
        Assert.Equal(count, first.Pictures.Count);
        Assert.Equal(count, first.Pictures.Select(Bytes).Distinct().Count());
        Assert.Equal(count, first.Pictures.Select(picture => picture.Label).Distinct().Count());
        Assert.Equal(kind switch { ExperimentKind.Sweep => 0, ExperimentKind.Interpolate or ExperimentKind.Inpaint => 2, _ => 1 },
            first.Given.Count);
        var side = model == "stable" ? 32 : 16;
        Assert.All(first.Pictures, picture => Assert.Equal((side, side), (picture.Image.Width, picture.Image.Height)));
        Assert.All(first.Pictures, picture => Assert.Contains(picture.Numbers,
            number => number.Key.StartsWith("cosine to ", StringComparison.Ordinal) && number.Value is >= -1.0001 and <= 1.0001));
        // The request of the result is complete.
        Assert.Equal((2, 2.0, side), (first.Experiment.Request.Steps, first.Experiment.Request.Guidance, first.Experiment.Request.Size));
        var sheet = first.Sheet("title");
        Assert.True(sheet.Width >= 128 && sheet.Height >= 128);
        // With the images' own noise the seed has no effect, except that Stable unCLIP adds noise to the embedding.
        var reseeded = Bytes(Run(pipeline, experiment with { Request = experiment.Request with { Seed = 99 } }).Pictures[^1]);
        Assert.Equal(kind is ExperimentKind.TextDiff or ExperimentKind.Interpolate && model == "kandinsky",
            reseeded == Bytes(first.Pictures[^1]));
    }

    [Theory]
    [InlineData(ExperimentKind.Vary)]
    [InlineData(ExperimentKind.Mix)]
    [InlineData(ExperimentKind.Inpaint)]
    public void Picture_DoesNotDependOnHowManyWereAskedFor(ExperimentKind kind)
    {
        using var pipeline = Load("stable");
        // A text's own embedding is sampled once, from the experiment's seed; that of an image is deterministic.
        var experiment = Of(kind, "stable") with { Parts = kind == ExperimentKind.Mix ? [a, b] : [a] };
        var three = Run(pipeline, experiment with { Count = 3 }).Pictures.Select(Bytes).ToArray();
        Assert.Equal(three[..2], Run(pipeline, experiment with { Count = 2 }).Pictures.Select(Bytes));
        // Nor on the previous ones: the second has the following seed.
        Assert.Equal(three[1], Bytes(Run(pipeline,
            experiment with { Count = 1, Request = experiment.Request with { Seed = experiment.Request.Seed + 1 } }).Pictures[0]));
    }

    [Theory]
    [InlineData("stable")]
    [InlineData("kandinsky")]
    public void EndsOfPaths_AreThePicturesDecodedFromTheirOwnNoise(string model)
    {
        using var pipeline = Load(model);
        var (own, other) = (Decoded(a), Decoded(b));
        Near(own, Run(pipeline, Of(ExperimentKind.TextDiff, model)).Pictures[0]);
        var path = Run(pipeline, Of(ExperimentKind.Interpolate, model) with { Count = 3 }).Pictures;
        Near(own, path[0]);
        Near(other, path[2]);
        Assert.NotEqual(Bytes(own), Bytes(path[1]));
        Assert.NotEqual(Bytes(path[1]),
            Bytes(Run(pipeline, Of(ExperimentKind.Interpolate, model) with { Count = 3, Straight = true }).Pictures[1]));
        Assert.NotEqual(Bytes(own), Bytes(Run(pipeline, Of(ExperimentKind.TextDiff, model) with { Invert = false }).Pictures[0]));

        // A variation without inverted noise is the decoding of the image's own embedding.
        ExperimentPicture Decoded(ExperimentPart part)
        {
            var vary = Of(ExperimentKind.Vary, model);
            return Run(pipeline, vary with { Parts = [part], Count = 1, Request = vary.Request with { Eta = 0 } }).Pictures[0];
        }
    }

    [Fact]
    public void Inversion_FindsTheNoiseOfThePicture()
    {
        using var pipeline = Load("stable");
        var vary = Of(ExperimentKind.Vary, "stable") with { Count = 1 };
        vary = vary with { Request = vary.Request with { Eta = 0, Guidance = 1, Steps = 25 } };
        // The codec's own loss is the floor: compare with the image reconstructed by the decoder's autoencoder.
        var original = PillowReduce.Resize(RgbImage.Load(a.Picture!), 32, 32);
        double found = Distance(Run(pipeline, vary).Pictures[0]), drawn = Distance(Run(pipeline, vary with { Invert = false }).Pictures[0]);
        Assert.True(found < drawn, $"{found} and {drawn}");

        double Distance(ExperimentPicture picture)
        {
            using var scope = torch.NewDisposeScope();
            using var loan = ((KlCodec)pipeline.Decoder.Codec).Network.Borrow();
            var given = loan.Value.Decode(loan.Value.Encode(ImageTensors.FromImage(original)).Mean).div(2).add(0.5).clamp(0, 1);
            return (given - ImageTensors.FromImage(picture.Image).div(2).add(0.5)).square().mean().ToDouble();
        }
    }

    [Theory]
    [InlineData("stable")]
    [InlineData("kandinsky")]
    public void Inpaint_KeepsTheDarkPartToTheByte_AndDrawsTheBright(string model)
    {
        using var pipeline = Load(model);
        var result = Run(pipeline, Of(ExperimentKind.Inpaint, model));
        var side = result.Pictures[0].Image.Width;
        var given = PillowReduce.Resize(RgbImage.Load(a.Picture!), side, side);
        var changed = 0;
        foreach (var drawn in result.Pictures.Select(picture => picture.Image))
        {
            for (var i = 0; i < side * side; i++)
            {
                var same = given.Pixels.AsSpan(3 * i, 3).SequenceEqual(drawn.Pixels.AsSpan(3 * i, 3));
                if (i % side < side / 2) Assert.True(same, $"pixel {i % side}, {i / side} was to be kept");
                else if (!same) changed++;
            }
        }

        Assert.True(changed > side * side / 2);
        // The prompt describes the region; without one it is the image's own embedding.
        var experiment = Of(ExperimentKind.Inpaint, model);
        Assert.NotEqual(Bytes(result.Pictures[0]),
            Bytes(Run(pipeline, experiment with { Request = experiment.Request with { Prompt = "a dog" } }).Pictures[0]));
    }

    [Fact]
    public void Mix_OfWeightNought_IsWithoutThatPart_AndTextsMixWithPictures()
    {
        using var pipeline = Load("stable");
        var mix = Of(ExperimentKind.Mix, "stable") with { Count = 1 };
        var (text, alone) = (new ExperimentPart("a dog", null), Run(pipeline, mix with { Parts = [a] }).Pictures[0]);
        Assert.Equal(Bytes(alone), Bytes(Run(pipeline, mix with { Parts = [a, text with { Weight = 0 }] }).Pictures[0]));
        var both = Run(pipeline, mix with { Parts = [a, text] });
        Assert.NotEqual(Bytes(alone), Bytes(both.Pictures[0]));
        Assert.Equal(["cosine to a", "cosine to a dog"], both.Pictures[0].Numbers.Keys);
        Assert.Equal(["a 1"], both.Given.Select(given => given.Label));
        Assert.Equal(Bytes(both.Pictures[0]),
            Bytes(Run(pipeline, mix with { Parts = [a with { Weight = 3 }, text with { Weight = 3 }] }).Pictures[0]));
    }

    [Fact]
    public void Rebuild_CountsWhatEveryComponentHolds()
    {
        using var pipeline = Load("stable");
        var rebuild = Of(ExperimentKind.PcaReconstruct, "stable");
        var numbers = Run(pipeline, rebuild).Pictures.Select(picture => picture.Numbers).ToArray();
        Assert.Equal([0, 1, 2], numbers.Select(number => (int)number["components"]));
        Assert.Equal(0, numbers[0]["variance"]);
        Assert.InRange(numbers[1]["variance"], 0.4, 1);
        Assert.Equal(1, numbers[2]["variance"], 1e-6);
        // Three pictures span two directions, and the rebuilt one is among them.
        Assert.Equal(1, numbers[2]["embedding_cosine"], 1e-4);
        Assert.Contains("The number of components is 5, but there are only 2",
            Refusal<ArgumentException>(rebuild with { Components = [1, 5] }), StringComparison.Ordinal);
        Assert.Contains("has no principal components of its own",
            Refusal<InvalidOperationException>(rebuild with { BasisPictures = [] }), StringComparison.Ordinal);
        Assert.Equal([1, 2], Run(pipeline, rebuild with { Components = [] }).Experiment.Components);

        string Refusal<T>(PictureExperiment experiment) where T : Exception => Assert.Throws<T>(() => Run(pipeline, experiment)).Message;
    }

    [Fact]
    public void Sweep_HasAPictureForEveryPair_RowsByThePrior()
    {
        using var pipeline = Load("karlo");
        var result = Run(pipeline, Of(ExperimentKind.Sweep, "karlo") with { Guidances = [1, 2, 4], PriorGuidances = [1, 3] });
        Assert.Equal(3, result.Columns);
        Assert.Equal([(1, 1), (1, 2), (1, 4), (3, 1), (3, 2), (3, 4)],
            result.Pictures.Select(p => ((int)p.Numbers["prior_guidance"], (int)p.Numbers["guidance"])));
        Assert.Equal(6, result.Pictures.Select(Bytes).Distinct().Count());
    }

    [Fact]
    public void Texts_NeedNoImageEncoder_PicturesDo()
    {
        using var pipeline = Load("karlo");
        var mix = Run(pipeline, Of(ExperimentKind.Mix, "karlo") with { Parts = [new("a cat", null), new("a dog", null, 2)] });
        Assert.Empty(mix.Pictures[0].Numbers);
        Assert.Empty(mix.Given);
        Assert.Equal(2, Run(pipeline, Of(ExperimentKind.Interpolate, "karlo") with { Parts = [new("a cat", null), new("a dog", null)] })
            .Pictures.Count);
        foreach (var kind in new[] { ExperimentKind.Vary, ExperimentKind.TextDiff, ExperimentKind.PcaReconstruct, ExperimentKind.Inpaint })
            Assert.Contains("has no image encoder",
                Assert.Throws<InvalidOperationException>(() => Run(pipeline, Of(kind, "karlo"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_TellsWhichPictureItIsAt_AndStopsWhenAsked()
    {
        using var pipeline = Load("stable");
        var told = new List<(int, int, string)>();
        new ImageExperiments(pipeline).Run(Of(ExperimentKind.Vary, "stable"), (done, of, step) =>
            told.Add((done, of, $"{step.Stage} {step.Step}/{step.Of}")), cancellation: TestContext.Current.CancellationToken);
        Assert.Equal([(0, 1, "inversion 1/2"), (0, 1, "inversion 2/2"),
            (0, 2, "decoder 1/2"), (0, 2, "decoder 2/2"), (1, 2, "decoder 1/2"), (1, 2, "decoder 2/2")], told);
        using var stop = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            new ImageExperiments(pipeline).Run(Of(ExperimentKind.Vary, "stable"), (_, _, _) => stop.Cancel(), cancellation: stop.Token));
    }

    public static TheoryData<ExperimentKind, string, string> Refused => new()
    {
        { ExperimentKind.Interpolate, "one part", "1 texts and images were given; this experiment takes 2." },
        { ExperimentKind.Mix, "no part", "0 texts and images were given; this experiment takes 1 to 64." },
        { ExperimentKind.Sweep, "one part", "1 texts and images were given; this experiment takes 0." },
        { ExperimentKind.Vary, "a text", "'a cat' is not an image" },
        { ExperimentKind.TextDiff, "a text", "'a cat' is not an image" },
        { ExperimentKind.Vary, "count 0", "The number of images is 0" },
        { ExperimentKind.Vary, "count 1001", "between 1 and 1000" },
        { ExperimentKind.TextDiff, "no from", "A difference needs two texts" },
        { ExperimentKind.TextDiff, "amount 0", "The amount is 0" },
        { ExperimentKind.TextDiff, "amount NaN", "The amount is NaN" },
        { ExperimentKind.Mix, "weights", "The weights of a mixture have to sum to more than 0" },
        { ExperimentKind.Inpaint, "no mask", "Inpainting needs a mask" },
        { ExperimentKind.Sweep, "no columns", "not 0 x 2" },
        { ExperimentKind.Sweep, "no prompt", "The prompt is empty" },
        { ExperimentKind.PcaReconstruct, "negative", "Numbers of components are 0 or more" },
        { ExperimentKind.Vary, "eta", "Eta is 2" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void Check_OfWhatIsMissingOrOutOfRange_SaysSoInOneSentence(ExperimentKind kind, string fault, string says)
    {
        var sound = Of(kind, "stable");
        sound.Check();
        var bad = fault switch
        {
            "one part" => sound with { Parts = [a] },
            "no part" => sound with { Parts = [] },
            "a text" => sound with { Parts = [new("a cat", null)] },
            "count 0" => sound with { Count = 0 },
            "count 1001" => sound with { Count = 1001 },
            "no from" => sound with { From = " " },
            "amount 0" => sound with { Amount = 0 },
            "amount NaN" => sound with { Amount = double.NaN },
            "weights" => sound with { Parts = [a with { Weight = 1 }, b with { Weight = -1 }] },
            "no mask" => sound with { Mask = null },
            "no columns" => sound with { Guidances = [] },
            "no prompt" => sound with { Request = sound.Request with { Prompt = "" } },
            "negative" => sound with { Components = [-1] },
            _ => sound with { Request = sound.Request with { Eta = 2 } },
        };
        var message = Assert.Throws<ArgumentException>(bad.Check).Message;
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Recipe_HoldsTheWholeExperiment_SoThatItCanBeMadeAgain()
    {
        using var pipeline = Load("stable");
        foreach (var kind in Enum.GetValues<ExperimentKind>())
        {
            var result = Run(pipeline, Of(kind, "stable") with { Amount = 0.3, Straight = true });
            var recipe = Recipe.Of("tiny", result, 1)[Recipe.JsonKeyword];
            using var json = JsonDocument.Parse(recipe);
            Assert.Equal(("tiny", 1),
                (json.RootElement.GetProperty("model").GetString(), json.RootElement.GetProperty("picture").GetInt32()));
            Assert.Equal(("fp32", "fp32"), (json.RootElement.GetProperty("precision").GetProperty("decoder").GetString(),
                json.RootElement.GetProperty("precision").GetProperty("prior").GetString()));
            var read = json.RootElement.GetProperty("experiment").Deserialize<PictureExperiment>(Format)!;
            Assert.Equal((kind, 0.3, true), (read.Kind, read.Amount, read.Straight));
            Assert.Equal(recipe, Recipe.Of("tiny", result with { Experiment = read }, 1)[Recipe.JsonKeyword]);
            Assert.Equal(result.Pictures.Select(Bytes), Run(pipeline, read).Pictures.Select(Bytes));
        }
    }

    private static ExperimentResult Run(ImagePipeline pipeline, PictureExperiment experiment) =>
        new ImageExperiments(pipeline).Run(experiment, cancellation: TestContext.Current.CancellationToken);

    private static ImagePipeline Load(string model) => model switch
    {
        "stable" => ImagePipeline.Load(TestModels.StableUnClip),
        "karlo" => ImagePipeline.Load(TestModels.Karlo),
        _ => ImagePipeline.Load(TestModels.Kandinsky, new ImagePipelineOptions { PriorFolder = TestModels.KandinskyPrior }),
    };

    /// <summary>A valid experiment of a kind, with as few steps as possible.</summary>
    private PictureExperiment Of(ExperimentKind kind, string model) => new()
    {
        Kind = kind,
        Request = new GenerationRequest
        {
            Prompt = kind == ExperimentKind.Sweep ? "a cat" : "", Seed = 5,
            Steps = 2, PriorSteps = 2, Guidance = 2, Size = model == "stable" ? 32 : 16,
        },
        Parts = kind switch { ExperimentKind.Interpolate => [a, b], ExperimentKind.Mix => [a, new("a dog", null)],
            ExperimentKind.Sweep => [], _ => [a] },
        Count = 2,
        From = "a cat",
        To = "a dog",
        Mask = mask,
        Components = [0, 1, 2],
        BasisPictures = [a.Picture!, b.Picture!, Picture("c.png", 3).Picture!],
        Guidances = [1, 4],
        PriorGuidances = [1, 3],
    };

    private ExperimentPart Picture(string name, uint seed)
    {
        var path = Path.Combine(folder, name);
        if (!File.Exists(path)) new RgbImage(6, 5, TestPictures.Noise(6 * 5 * 3, seed)).Resize(48, 40).SavePng(path);
        return new ExperimentPart(null, path);
    }

    private static string Bytes(ExperimentPicture picture) => Convert.ToHexString(picture.Image.Pixels);

    /// <summary>Compares with a tolerance: lengths and angles are recomputed on a path, which may change a byte.</summary>
    private static void Near(ExperimentPicture expected, ExperimentPicture actual) =>
        Assert.All(expected.Image.Pixels.Zip(actual.Image.Pixels), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
}
