using Alebrije.Diffusion;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Verification.Runners;

/// <summary>Samplers: their tables, and a run in which recorded values plus a share of the input replace the network's output.</summary>
internal static class SchedulerRunners
{
    private const double Feedback = 0.3;

    public static bool Knows(string className) => Schedulers.Known.Contains(className);

    public static IReadOnlyDictionary<string, Tensor> Sample(FixtureCase c)
    {
        using var guard = no_grad();
        using var scheduler = Schedulers.Create(c.Fixture.Model(c.Component));
        var start = (int)c.Number("start", 0);
        var (eta, feedback) = ((float)c.Number("eta", 0), c.Number("feedback", Feedback));
        var (x, outputs, noises) = (c.Input("sample"), c.Input("model_outputs"), c.Input("noises"));
        scheduler.SetTimesteps(c.Integer("num_inference_steps"));
        var ours = new Dictionary<string, Tensor>
        {
            ["alphas_cumprod"] = tensor(scheduler.Schedule.AlphasCumprod.ToArray()),
            ["timesteps"] = tensor(scheduler.Timesteps.ToArray()),
            ["init_noise_sigma"] = tensor([scheduler.InitNoiseSigma]),
        };
        if (scheduler.Sigmas is { } sigmas) ours["sigmas"] = tensor(sigmas.ToArray());
        if (c.Wants("noised")) ours["noised"] = scheduler.AddNoise(x, noises[0], start);

        var (scaled, previous, original) = (new List<Tensor>(), new List<Tensor>(), new List<Tensor>());
        for (var index = start; index < scheduler.Timesteps.Count; index++)
        {
            using var noise = Noise.Replay([noises[index - start]]);
            var input = scheduler.ScaleModelInput(x, index);
            var output = outputs[index - start].clone();
            output.narrow(1, 0, x.shape[1]).add_(feedback * input);
            var step = scheduler.Step(output, index, x, noise, eta);
            scaled.Add(input);
            previous.Add(step.Previous);
            original.Add(step.Original);
            x = step.Previous;
        }

        (ours["scaled_inputs"], ours["prev_samples"], ours["pred_original_samples"]) = (stack(scaled), stack(previous), stack(original));
        return ours;
    }
}
