using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Bicubic enlargement against torch's own, taken from the golden of Karlo's pipeline, and against Pillow's.</summary>
public sealed class BicubicTests
{
    public BicubicTests() => TorchRuntime.Initialize();

    [Fact]
    public void Resize_OfTheDecodersPicture_IsTorchs()
    {
        using var scope = NewDisposeScope();
        using var golden = new SafeTensorsFile(Path.Combine(AppContext.BaseDirectory, "Fixtures", "unclip-bicubic", "tensors.safetensors"));
        var small = golden.Read("guided/decoder_latents_after")[-1].clamp(-1, 1);                            // [1, 3, 8, 8]
        var expected = golden.Read("guided/super_res_first_0_in_sample").narrow(1, 3, 3);                    // [1, 3, 16, 16]
        Assert.InRange((Bicubic.Resize(small, 16, 16) - expected).abs().max().item<float>(), 0, 2e-6f);
    }

    [Theory]
    [InlineData(7, 5, 19, 23)]
    [InlineData(31, 20, 9, 11)]
    [InlineData(12, 12, 12, 12)]
    [InlineData(1, 9, 5, 3)]
    public void Resize_ToAnySize_IsPillowsBeforeRounding(int width, int height, int toWidth, int toHeight)
    {
        using var scope = NewDisposeScope();
        var picture = new RgbImage(width, height);
        for (var i = 0; i < picture.Pixels.Length; i++) picture.Pixels[i] = (byte)(64 + (i * 37 % 128));
        var pixels = tensor(picture.Pixels).reshape(1, height, width, 3).permute(0, 3, 1, 2).to(ScalarType.Float32);
        var ours = Bicubic.Resize(pixels, toHeight, toWidth)[0].permute(1, 2, 0).contiguous().data<float>().ToArray();
        var pillow = picture.Resize(toWidth, toHeight).Pixels;

        // Pillow rounds after each of two passes, and clips what overshoots.
        for (var i = 0; i < pillow.Length; i++) Assert.InRange(Math.Clamp(ours[i], 0, 255) - pillow[i], -1.3, 1.3);
    }

    [Fact]
    public void Resize_OfOneColour_KeepsIt()
    {
        using var scope = NewDisposeScope();
        Assert.True(Bicubic.Resize(full(2, 3, 5, 4, value: 0.3), 11, 9).allclose(full(2, 3, 11, 9, value: 0.3), 1e-6, 1e-6));
    }

    [Fact]
    public void Resize_OfNoBatch_SaysWhatItTakes() =>
        Assert.Contains("[batch, channels, h, w]", Assert.Throws<ArgumentException>(() => Bicubic.Resize(ones(3, 4, 4), 8, 8)).Message,
            StringComparison.Ordinal);
}
