using System.Text.Json;
using Alebrije.Diffusion;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Tests.Diffusion;

/// <summary>
/// Every scheduler against diffusers 0.42.1: tables within 1e-6 / 1e-5, steps within 1e-4, as in the fixtures' cases.json.
/// </summary>
public sealed class SchedulerGoldenTests
{
    public SchedulerGoldenTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Fixtures =>
        [.. Directory.GetDirectories(SchedulerFixture.Root).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Scheduler_OnGolden_MatchesReference(string name)
    {
        using var scope = NewDisposeScope();
        var fixture = new SchedulerFixture(name);
        var differences = fixture.Cases.SelectMany(fixtureCase => Differences(fixture, fixtureCase)).ToList();
        Assert.True(differences.Count == 0, $"{name}:\n{string.Join("\n", differences)}");
    }

    [Fact]
    public void Scheduler_OneNumberMoved_IsNoticed()
    {
        using var scope = NewDisposeScope();
        var fixture = new SchedulerFixture("scheduler-ddim-sd");
        var first = fixture.Cases.First();
        var reference = fixture.Read($"{first.GetProperty("id").GetString()}/prev_samples");
        Assert.Null(fixture.Compare(first, "prev_samples", reference));
        reference[0, 0, 0, 0, 0] += 0.01f;
        Assert.NotNull(fixture.Compare(first, "prev_samples", reference));
    }

    private static IEnumerable<string> Differences(SchedulerFixture fixture, JsonElement fixtureCase)
    {
        var id = fixtureCase.GetProperty("id").GetString();
        var arguments = fixtureCase.GetProperty("arguments");
        var start = arguments.TryGetProperty("start", out var given) ? given.GetInt32() : 0;
        var eta = arguments.TryGetProperty("eta", out given) ? given.GetSingle() : 0;
        var feedback = arguments.TryGetProperty("feedback", out given) ? given.GetSingle() : 0.3f;
        var (x, outputs, noises) = (fixture.Read($"{id}/sample"), fixture.Read($"{id}/model_outputs"), fixture.Read($"{id}/noises"));

        using var scheduler = Schedulers.Create(fixture.Model);
        scheduler.SetTimesteps(arguments.GetProperty("num_inference_steps").GetInt32());
        var ours = new Dictionary<string, Tensor>
        {
            ["alphas_cumprod"] = tensor(scheduler.Schedule.AlphasCumprod.ToArray()),
            ["timesteps"] = tensor(scheduler.Timesteps.ToArray()),
            ["init_noise_sigma"] = tensor([scheduler.InitNoiseSigma]),
        };
        if (scheduler.Sigmas is { } sigmas) ours["sigmas"] = tensor(sigmas.ToArray());
        if (fixtureCase.GetProperty("outputs").TryGetProperty("noised", out _)) ours["noised"] = scheduler.AddNoise(x, noises[0], start);

        var (scaled, previous, original) = (new List<Tensor>(), new List<Tensor>(), new List<Tensor>());
        for (var index = start; index < scheduler.Timesteps.Count; index++)
        {
            using var noise = Noise.Replay([noises[index - start]]);
            scaled.Add(scheduler.ScaleModelInput(x, index));
            var output = outputs[index - start].clone();
            output.narrow(1, 0, x.shape[1]).add_(feedback * scaled[^1]);
            var step = scheduler.Step(output, index, x, noise, eta);
            previous.Add(step.Previous);
            original.Add(step.Original);
            x = step.Previous;
        }

        (ours["scaled_inputs"], ours["prev_samples"], ours["pred_original_samples"]) = (stack(scaled), stack(previous), stack(original));
        return [.. fixtureCase.GetProperty("outputs").EnumerateObject()
            .Select(output => ours.TryGetValue(output.Name, out var value)
                ? fixture.Compare(fixtureCase, output.Name, value)
                : $"{id}/{output.Name}: not given")
            .OfType<string>()];
    }
}
