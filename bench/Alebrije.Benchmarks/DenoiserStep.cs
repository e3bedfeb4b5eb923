using System.Globalization;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Estimates;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Benchmarks;

/// <summary>
/// One guided step of Stable Diffusion 1.5's denoiser at 512 x 512 pixels (batch 2, 64 x 64 latents, 77 tokens), as run by pipelines,
/// against the same network in plain float32.
/// </summary>
internal static class DenoiserStep
{
    public static void Run(int rounds)
    {
        TorchRuntime.Initialize();
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var type = Processor.ScalarType(Precision.Auto);
        using var folder = new SizedFolder("sd-step",
            """{ "_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"] }""");
        folder.Network("unet", "UNet2DConditionModel", SizedPipelines.Sd15UNet);
        var opened = PipelineFolder.Open(folder.Path);
        using var plain = opened.Load<UNet2DConditionModel>("unet");
        using var ours = opened.Load<UNet2DConditionModel>("unet", type);
        var (x, text, t) = (randn(2, 4, 64, 64), randn(2, 77, 768), tensor(500L));
        var conditions = new UNetConditions(text);
        var difference = 0.0;
        using (NewDisposeScope())
        {
            var (exact, fast) = (plain.call(x, t, conditions), ours.call(x.to(type), t, conditions.To(type)).to(ScalarType.Float32));
            difference = ((exact - fast).norm() / exact.norm()).ToDouble();
        }

        var measured = Comparison.Run(rounds, _ => Step(ours, x.to(type), conditions.To(type)),
            _ => Step(plain, x, conditions), warmUps: 1);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{get_num_threads()} threads, {type} against plain float32, {rounds} rounds"));
        Console.WriteLine($"ours  {measured.Ours} s\nplain {measured.Theirs} s\nratio {measured.Ratio}");
        var (speed, cost) = (MachineSpeed.Current(type), NetworkCost.OfUNet(ours, ours.Config.BlockOutChannels.Length, 64 * 64, 77));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"estimated: convolutions {2 * cost.Convolution / speed.Convolutions:F1} "
                + $"s, linear layers {2 * cost.Linear / speed.Products:F1} s, "
                + $"attention {2 * cost.Attention / speed.Attention:F1} s, calls {cost.Layers * speed.Call:F1} s"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"relative difference of the output: {difference:E1}"));

        void Step(UNet2DConditionModel network, Tensor sample, UNetConditions bound)
        {
            using var inner = NewDisposeScope();
            network.call(sample, t, bound);
        }
    }
}
