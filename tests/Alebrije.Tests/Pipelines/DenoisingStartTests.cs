using Alebrije.Diffusion;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Denoising;
using Alebrije.Pipelines.Families;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

public sealed class DenoisingStartTests
{
    private static readonly DrawOptions Run = new(Steps: 10, Guidance: 1) { Height = 4, Width = 4 };

    public DenoisingStartTests() => TorchRuntime.Initialize();

    [Fact]
    public void Scheduler_IsTheModelsOwn_UnlessEtaOrAStartAskForDdim()
    {
        using var scope = NewDisposeScope();
        var config = SchedulerConfig.For("UnCLIPScheduler");
        using var own = DenoisingStart.Scheduler(config, Run);
        using var eta = DenoisingStart.Scheduler(config, Run with { Eta = 0 });
        using var start = DenoisingStart.Scheduler(config, Run with { Start = zeros(1, 1, 4, 4) });
        Assert.IsType<UnClipScheduler>(own);
        Assert.IsType<DdimScheduler>(eta);
        Assert.IsType<DdimScheduler>(start);
    }

    [Fact]
    public void Begin_WithoutAPicture_IsTheDrawnNoiseAtTheSamplersScale()
    {
        using var scope = NewDisposeScope();
        using var scheduler = Started("EulerDiscreteScheduler");
        var begin = DenoisingStart.Begin(scheduler, Run, new Noise(5), [2, 1, 4, 4], null, repaints: false);
        var drawn = new Noise(5).Randn(2, 1, 4, 4);
        Assert.Equal(0, begin.Index);
        Assert.True(drawn.equal(begin.Noise).all().item<bool>());
        Assert.True((drawn * scheduler.InitNoiseSigma).equal(begin.Start).all().item<bool>());
        Assert.True(scheduler.InitNoiseSigma > 2);
    }

    [Theory]
    [InlineData(1.0, true, 0)]
    [InlineData(0.5, true, 5)]
    [InlineData(0.0, true, 9)]
    [InlineData(1.0, false, 0)]
    [InlineData(0.5, false, 5)]
    [InlineData(0.0, false, 9)]
    public void Begin_WithAPicture_NoisesItForTheFirstStepThatIsTaken_ButRepaintsFromNoiseAloneAtFullStrength(double strength,
        bool repaints, int first)
    {
        using var scope = NewDisposeScope();
        using var scheduler = Started("DDIMScheduler");
        var known = ones(1, 1, 4, 4);
        var begin = DenoisingStart.Begin(scheduler, Run with { Strength = strength }, new Noise(5), [1, 1, 4, 4], known, repaints);
        var drawn = new Noise(5).Randn(1, 1, 4, 4);
        Assert.Equal(first, begin.Index);
        var alphaBar = scheduler.Schedule.AlphaBar((int)scheduler.Timesteps[first]);
        var expected = repaints && strength >= 1 ? drawn : Math.Sqrt(alphaBar) * known + Math.Sqrt(1 - alphaBar) * drawn;
        Assert.InRange((expected - begin.Start).abs().max().item<float>(), 0, 1e-6f);
        Assert.Equal(!(repaints && strength >= 1), begin.IsPicture);
    }

    [Fact]
    public void Begin_WithAGivenStart_TakesItAndDrawsNothing_OfAnotherSizeItIsRefused()
    {
        using var scope = NewDisposeScope();
        using var scheduler = Started("DDIMScheduler");
        using var noise = new Noise(5);
        var start = ones(1, 1, 4, 4);
        var begin = DenoisingStart.Begin(scheduler, Run with { Start = start }, noise, [3, 1, 4, 4], null, repaints: false);
        Assert.Equal([3L, 1, 4, 4], begin.Start.shape);
        Assert.True(new Noise(5).Randn(1).equal(noise.Randn(1)).all().item<bool>());
        var message = Assert.Throws<ArgumentException>(() =>
            DenoisingStart.Begin(scheduler, Run with { Start = start }, noise, [1, 1, 8, 8], null, repaints: false)).Message;
        Assert.Contains("The start is [1, 1, 4, 4], and this decoder draws [1, 1, 8, 8]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_PutBackWhatIsKept_NoisedForTheNextStep_AndCleanAfterTheLast()
    {
        using var scope = NewDisposeScope();
        using var scheduler = Started("DDIMScheduler");
        var (known, repaint) = (full(1, 1, 4, 4, 0.25f), zeros(1, 1, 4, 4));
        repaint[0, 0, 1, 2] = 1;
        var begin = DenoisingStart.Begin(scheduler, Run, new Noise(5), [1, 1, 4, 4], known, repaints: true);
        var seen = new List<string>();
        var options = DenoisingStart.Options(scheduler, Run with { After = (stage, _) => seen.Add(stage) },
            begin, known, repaint, keepsClean: false, x => x);
        var x = full(1, 1, 4, 4, 9f);
        foreach (var done in new[] { 0, 9 })
        {
            var after = options.AfterStep!(x, done);
            var kept = done == 9 ? known : scheduler.AddNoise(known, begin.Noise, done + 1);
            Assert.Equal(9f, after[0, 0, 1, 2].item<float>());
            Assert.True(where(repaint.to_type(ScalarType.Bool), x, kept).equal(after).all().item<bool>());
        }

        Assert.Equal(["decoder", "decoder"], seen);
        Assert.Same(x, DenoisingStart.Options(scheduler, Run, begin, known, null, keepsClean: false, y => y).AfterStep!(x, 3));
        Assert.Same(x, DenoisingStart.Options(scheduler, Run, begin, null, null, keepsClean: false, y => y).AfterStep!(x, 3));
    }

    [Fact]
    public void RepaintMask_GrowsTowardsSixNeighbours_AsTheReferenceShrinksWhatIsKept()
    {
        using var scope = NewDisposeScope();
        var mask = zeros(1, 1, 5, 5);
        mask[0, 0, 2, 2] = 1;
        // Not towards the upper right and the lower left.
        float[,] grown =
        {
            { 0, 0, 0, 0, 0 },
            { 0, 1, 1, 0, 0 },
            { 0, 1, 1, 1, 0 },
            { 0, 0, 1, 1, 0 },
            { 0, 0, 0, 0, 0 },
        };
        Assert.True(tensor(grown).equal(RepaintMask.AtLatents(mask, 5, 5)[0, 0]).all().item<bool>());
        // A corner grows inwards only, and a mask that is twice as fine is first subsampled by two.
        var fine = zeros(1, 1, 6, 6);
        fine[0, 0, 0, 0] = 1;
        fine[0, 0, 5, 5] = 1;
        float[,] corner = { { 1, 1, 0 }, { 1, 1, 0 }, { 0, 0, 0 } };
        Assert.True(tensor(corner).equal(RepaintMask.AtLatents(fine, 3, 3)[0, 0]).all().item<bool>());
    }

    [Theory]
    [InlineData(64, 8, 8)]
    [InlineData(65, 8, 16)]
    [InlineData(768, 8, 96)]
    [InlineData(100, 4, 28)]
    public void LatentSide_IsRoundedUp_AsTheReferenceDoes(int side, int factor, int latents) =>
        Assert.Equal(latents, side.LatentSide(factor));

    [Fact]
    public void ImageTensors_GoThereAndBack_ToTheByte()
    {
        using var scope = NewDisposeScope();
        var picture = new RgbImage(16, 16, [.. Enumerable.Range(0, 768).Select(i => (byte)i)]);
        var pixels = ImageTensors.FromImage(picture);
        Assert.Equal([1L, 3, 16, 16], pixels.shape);
        Assert.Equal((-1f, 1f), (pixels.min().item<float>(), pixels.max().item<float>()));
        Assert.Equal((picture.Pixels[(3 * 16 + 5) * 3 + 2] / 127.5f) - 1, pixels[0, 2, 3, 5].item<float>(), 1e-6f);
        Assert.Equal(picture.Pixels, ImageTensors.ToImages(pixels.div(2).add(0.5))[0].Pixels);
        var clamped = ImageTensors.ToImages(tensor(new[] { -3f, 0.5f, 7f }).reshape(1, 3, 1, 1))[0];
        Assert.Equal([0, 128, 255], clamped.Pixels);
        Assert.Equal(2, ImageTensors.ToImages(zeros(2, 3, 4, 4)).Length);
    }

    [Fact]
    public void Mask_IsOneWhereItIsHalfOfWhiteAndMore()
    {
        using var scope = NewDisposeScope();
        var mask = ImageTensors.FromMask(new PillowImage(PixelMode.Grey, 4, 1, [0, 127, 128, 255]), 1, 4);
        Assert.Equal([1L, 1, 1, 4], mask.shape);
        Assert.Equal([0f, 0, 1, 1], mask.data<float>().ToArray());
    }

    private static IScheduler Started(string className)
    {
        var scheduler = Schedulers.Create(SchedulerConfig.For(className));
        scheduler.SetTimesteps(10);
        return scheduler;
    }
}
