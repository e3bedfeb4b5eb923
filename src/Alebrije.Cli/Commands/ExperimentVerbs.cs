using System.CommandLine;
using Alebrije.Pipelines.Experiments;

namespace Alebrije.Cli.Commands;

/// <summary>The verbs for the experiments of the DALL-E 2 paper.</summary>
internal static class ExperimentVerbs
{
    public static IEnumerable<Command> Create(Terminal terminal) =>
        [Vary(terminal), Interpolate(terminal), Mix(terminal), TextDiff(terminal),
            PcaReconstruct(terminal), Inpaint(terminal), Sweep(terminal)];

    private static Command Vary(Terminal terminal)
    {
        var picture = Picture();
        var count = Count(5);
        var fresh = FreshNoise();
        var prompt = Prompt();
        return ExperimentCommand.Create(terminal, ExperimentKind.Vary, "vary", [picture, count, fresh, prompt],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PictureOf(parsed, parsed.GetValue(picture)!)],
                Count = parsed.GetValue(count), Invert = !parsed.GetValue(fresh),
                Request = experiment.Request with { Prompt = parsed.GetValue(prompt)! },
            });
    }

    private static Command Interpolate(Terminal terminal)
    {
        var from = new Argument<string>("from");
        var to = new Argument<string>("to");
        var count = new Option<int>("--frames", "--count") { HelpName = "N", DefaultValueFactory = _ => 7 };
        var mode = new Option<string>("--mode") { HelpName = "slerp|lerp", DefaultValueFactory = _ => "slerp" };
        mode.AcceptOnlyFromAmong("slerp", "lerp");
        var fresh = FreshNoise();
        var prompt = Prompt();
        return ExperimentCommand.Create(terminal, ExperimentKind.Interpolate, "interpolate", [from, to, count, mode, fresh, prompt],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PartOf(parsed, parsed.GetValue(from)!), ExperimentCommand.PartOf(parsed, parsed.GetValue(to)!)],
                Count = parsed.GetValue(count),
                Straight = parsed.GetValue(mode) == "lerp", Invert = !parsed.GetValue(fresh),
                Request = experiment.Request with { Prompt = parsed.GetValue(prompt)! },
            });
    }

    private static Command Mix(Terminal terminal)
    {
        var parts = new Argument<string[]>("part") { Arity = ArgumentArity.OneOrMore };
        var weights = new Option<double[]>("--weights") { HelpName = "W", AllowMultipleArgumentsPerToken = true };
        var count = Count(4);
        return ExperimentCommand.Create(terminal, ExperimentKind.Mix, "mix", [parts, weights, count],
            (parsed, experiment) =>
            {
                var (texts, given) = (parsed.GetValue(parts)!, parsed.GetValue(weights) ?? []);
                if (given.Length > 0 && given.Length != texts.Length)
                    throw new UsageException(new Words(CommonOptions.LanguageOf(parsed))["experiment.weights-and-parts",
                        given.Length, texts.Length]);
                return experiment with { Parts = [.. texts.Select((text, i) =>
                    ExperimentCommand.PartOf(parsed, text, given.Length > 0 ? given[i] : 1))], Count = parsed.GetValue(count) };
            });
    }

    private static Command TextDiff(Terminal terminal)
    {
        var picture = Picture();
        var from = new Option<string>("--from") { HelpName = "TEXT", Required = true };
        var to = new Option<string>("--to") { HelpName = "TEXT", Required = true };
        var amount = new Option<double>("--amount") { HelpName = "SHARE", DefaultValueFactory = _ => 0.5 };
        var count = Count(6);
        var fresh = FreshNoise();
        var prompt = Prompt();
        return ExperimentCommand.Create(terminal, ExperimentKind.TextDiff, "textdiff", [picture, from, to, amount, count, fresh, prompt],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PictureOf(parsed, parsed.GetValue(picture)!)],
                From = parsed.GetValue(from), To = parsed.GetValue(to), Amount = parsed.GetValue(amount),
                Count = parsed.GetValue(count), Invert = !parsed.GetValue(fresh),
                Request = experiment.Request with { Prompt = parsed.GetValue(prompt)! },
            });
    }

    private static Command PcaReconstruct(Terminal terminal)
    {
        var picture = Picture();
        var components = new Option<int[]>("--components") { HelpName = "N", AllowMultipleArgumentsPerToken = true };
        var images = new Option<string[]>("--images") { HelpName = "PATH", AllowMultipleArgumentsPerToken = true };
        return ExperimentCommand.Create(terminal, ExperimentKind.PcaReconstruct, "pca-reconstruct", [picture, components, images],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PictureOf(parsed, parsed.GetValue(picture)!)], Components = parsed.GetValue(components) ?? [],
                BasisPictures = parsed.GetValue(images) is { Length: > 0 } paths
                ? ImageFiles.Expand(paths, new Words(CommonOptions.LanguageOf(parsed))) : [],
            });
    }

    private static Command Inpaint(Terminal terminal)
    {
        var picture = Picture();
        var mask = new Option<string>("--mask") { HelpName = "FILE", Required = true };
        var prompt = Prompt();
        var count = Count(4);
        var adapters = new AdapterOptions();
        return ExperimentCommand.Create(terminal, ExperimentKind.Inpaint, "inpaint", [picture, mask, prompt, count, .. adapters.All],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PictureOf(parsed, parsed.GetValue(picture)!)],
                Mask = ExperimentCommand.PictureOf(parsed, parsed.GetValue(mask)!).Picture, Count = parsed.GetValue(count),
                Request = adapters.Fill(
                    parsed, experiment.Request with { Prompt = parsed.GetValue(prompt)! }, new Words(CommonOptions.LanguageOf(parsed))),
            });
    }

    private static Command Sweep(Terminal terminal)
    {
        var prompt = new Argument<string>("prompt");
        var guidance = new Option<double[]>("--guidance") { HelpName = "SCALE",
            AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 2, 4, 8] };
        var prior = new Option<double[]>("--prior-guidance") { HelpName = "SCALE",
            AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 2, 4] };
        var steps = new Option<int[]>("--steps") { HelpName = "N", AllowMultipleArgumentsPerToken = true };
        return ExperimentCommand.Create(terminal, ExperimentKind.Sweep, "sweep", [prompt, guidance, prior, steps],
            (parsed, experiment) => experiment with
            {
                Guidances = parsed.GetValue(guidance)!, PriorGuidances = parsed.GetValue(prior)!,
                StepCounts = parsed.GetValue(steps) is { Length: > 1 } counts ? counts : null,
                Request = experiment.Request with { Prompt = parsed.GetValue(prompt)!,
                    Steps = parsed.GetValue(steps) is [var all] ? all : null },
            });
    }

    private static Argument<string> Picture() => new("picture");

    private static Option<int> Count(int count) => new("--count") { HelpName = "N", DefaultValueFactory = _ => count };

    private static Option<bool> FreshNoise() => new("--fresh-noise");

    private static Option<string> Prompt() => new("--prompt") { HelpName = "TEXT", DefaultValueFactory = _ => "" };
}
