using System.CommandLine;
using Alebrije.Pipelines.Experiments;

namespace Alebrije.Cli.Commands;

/// <summary>The verbs that show what the DALL-E 2 paper shows.</summary>
internal static class ExperimentVerbs
{
    public static IEnumerable<Command> Create(Terminal terminal) =>
        [Vary(terminal), Interpolate(terminal), Mix(terminal), TextDiff(terminal), PcaReconstruct(terminal), Inpaint(terminal), Sweep(terminal)];

    private static Command Vary(Terminal terminal)
    {
        var picture = Picture("The picture to vary.");
        var count = Count("Variations, with seeds that follow each other.", 5);
        var fresh = FreshNoise();
        var prompt = Prompt();
        return ExperimentCommand.Create(terminal, ExperimentKind.Vary, "vary",
            "Draws other pictures of a picture's embedding: what it holds stays, the rest changes.", [picture, count, fresh, prompt],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PictureOf(parsed, parsed.GetValue(picture)!)], Count = parsed.GetValue(count), Invert = !parsed.GetValue(fresh),
                Request = experiment.Request with { Prompt = parsed.GetValue(prompt)! },
            });
    }

    private static Command Interpolate(Terminal terminal)
    {
        var from = new Argument<string>("from") { Description = "Where it begins: a picture's path, or a text." };
        var to = new Argument<string>("to") { Description = "Where it ends: a picture's path, or a text." };
        var count = new Option<int>("--frames", "--count") { HelpName = "N", Description = "Pictures, both ends among them.", DefaultValueFactory = _ => 7 };
        var mode = new Option<string>("--mode") { HelpName = "slerp|lerp", Description = "Along the sphere or along a straight line.", DefaultValueFactory = _ => "slerp" };
        mode.AcceptOnlyFromAmong("slerp", "lerp");
        var fresh = FreshNoise();
        return ExperimentCommand.Create(terminal, ExperimentKind.Interpolate, "interpolate",
            "Draws the way from one picture or text to another.", [from, to, count, mode, fresh],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PartOf(parsed, parsed.GetValue(from)!), ExperimentCommand.PartOf(parsed, parsed.GetValue(to)!)], Count = parsed.GetValue(count),
                Straight = parsed.GetValue(mode) == "lerp", Invert = !parsed.GetValue(fresh),
            });
    }

    private static Command Mix(Terminal terminal)
    {
        var parts = new Argument<string[]>("part") { Description = "Pictures' paths and texts.", Arity = ArgumentArity.OneOrMore };
        var weights = new Option<double[]>("--weights") { HelpName = "W", Description = "One weight for each part; without it all weigh the same.", AllowMultipleArgumentsPerToken = true };
        var count = Count("Pictures of the mixture, with seeds that follow each other.", 4);
        return ExperimentCommand.Create(terminal, ExperimentKind.Mix, "mix",
            "Draws a weighted mixture of texts and pictures.", [parts, weights, count],
            (parsed, experiment) =>
            {
                var (texts, given) = (parsed.GetValue(parts)!, parsed.GetValue(weights) ?? []);
                if (given.Length > 0 && given.Length != texts.Length)
                {
                    throw new UsageException(new Words(CommonOptions.LanguageOf(parsed)).In(
                        $"{given.Length} weights were given for {texts.Length} parts; --weights takes one for each.",
                        $"Se dieron {given.Length} pesos para {texts.Length} partes; --weights toma uno para cada una."));
                }

                return experiment with { Parts = [.. texts.Select((text, i) => ExperimentCommand.PartOf(parsed, text, given.Length > 0 ? given[i] : 1))], Count = parsed.GetValue(count) };
            });
    }

    private static Command TextDiff(Terminal terminal)
    {
        var picture = Picture("The picture to change.");
        var from = new Option<string>("--from") { HelpName = "TEXT", Description = "What is in the picture.", Required = true };
        var to = new Option<string>("--to") { HelpName = "TEXT", Description = "What is wanted.", Required = true };
        var amount = new Option<double>("--amount") { HelpName = "SHARE", Description = "How far the last picture is turned towards the difference; the paper goes to between 0.25 and 0.5.", DefaultValueFactory = _ => 0.5 };
        var count = Count("Pictures, the unchanged one first.", 6);
        var fresh = FreshNoise();
        var prompt = Prompt();
        return ExperimentCommand.Create(terminal, ExperimentKind.TextDiff, "textdiff",
            "Turns a picture towards the difference of two texts.", [picture, from, to, amount, count, fresh, prompt],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PictureOf(parsed, parsed.GetValue(picture)!)], From = parsed.GetValue(from), To = parsed.GetValue(to), Amount = parsed.GetValue(amount),
                Count = parsed.GetValue(count), Invert = !parsed.GetValue(fresh), Request = experiment.Request with { Prompt = parsed.GetValue(prompt)! },
            });
    }

    private static Command PcaReconstruct(Terminal terminal)
    {
        var picture = Picture("The picture to rebuild.");
        var components = new Option<int[]>("--components") { HelpName = "N", Description = "How many components are kept, picture by picture; without it from few to all.", AllowMultipleArgumentsPerToken = true };
        var images = new Option<string[]>("--images") { HelpName = "PATH", Description = "Pictures, folders or patterns that say in which directions pictures differ; without it what the model brings.", AllowMultipleArgumentsPerToken = true };
        return ExperimentCommand.Create(terminal, ExperimentKind.PcaReconstruct, "pca-reconstruct",
            "Rebuilds a picture from more and more of its embedding's principal components.", [picture, components, images],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PictureOf(parsed, parsed.GetValue(picture)!)], Components = parsed.GetValue(components) ?? [],
                BasisPictures = parsed.GetValue(images) is { Length: > 0 } paths ? ImageFiles.Expand(paths, new Words(CommonOptions.LanguageOf(parsed))) : [],
            });
    }

    private static Command Inpaint(Terminal terminal)
    {
        var picture = Picture("The picture of which a part is drawn anew.");
        var mask = new Option<string>("--mask") { HelpName = "FILE", Description = "A picture that is bright where the other is drawn anew.", Required = true };
        var prompt = Prompt();
        var count = Count("Pictures, with seeds that follow each other.", 4);
        return ExperimentCommand.Create(terminal, ExperimentKind.Inpaint, "inpaint",
            "Draws a part of a picture anew, after a text or after the picture itself.", [picture, mask, prompt, count],
            (parsed, experiment) => experiment with
            {
                Parts = [ExperimentCommand.PictureOf(parsed, parsed.GetValue(picture)!)], Mask = ExperimentCommand.PictureOf(parsed, parsed.GetValue(mask)!).Picture, Count = parsed.GetValue(count),
                Request = experiment.Request with { Prompt = parsed.GetValue(prompt)! },
            });
    }

    private static Command Sweep(Terminal terminal)
    {
        var prompt = new Argument<string>("prompt") { Description = "What to draw." };
        var guidance = new Option<double[]>("--guidance") { HelpName = "SCALE", Description = "Guidance scales of the decoder, the columns.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 2, 4, 8] };
        var prior = new Option<double[]>("--prior-guidance") { HelpName = "SCALE", Description = "Guidance scales of the prior, the rows.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 2, 4] };
        return ExperimentCommand.Create(terminal, ExperimentKind.Sweep, "sweep",
            "Draws one prompt under several guidance scales of decoder and prior.", [prompt, guidance, prior],
            (parsed, experiment) => experiment with
            {
                Guidances = parsed.GetValue(guidance)!, PriorGuidances = parsed.GetValue(prior)!, Request = experiment.Request with { Prompt = parsed.GetValue(prompt)! },
            });
    }

    private static Argument<string> Picture(string description) => new("picture") { Description = description };

    private static Option<int> Count(string description, int count) => new("--count") { HelpName = "N", Description = description, DefaultValueFactory = _ => count };

    private static Option<bool> FreshNoise() => new("--fresh-noise") { Description = "Begins with drawn noise instead of the noise that DDIM inversion finds for the picture." };

    private static Option<string> Prompt() => new("--prompt") { HelpName = "TEXT", Description = "What the decoder is told besides the embedding.", DefaultValueFactory = _ => "" };
}
