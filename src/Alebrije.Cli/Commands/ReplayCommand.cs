using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije replay PICTURE</c>: generates an image again from the recipe in its file, and compares.</summary>
internal static class ReplayCommand
{
    private static readonly Argument<string> Picture = new("picture");
    private static readonly Option<string?> Prior = new("--prior") { HelpName = "FOLDER" };
    private static readonly StageOption Stage = new();
    private static readonly Option<string?> Judge = new("--judge") { HelpName = "MODEL" };
    private static readonly Option<string?> Out = new("--out") { HelpName = "FILE" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("replay") { Picture, Prior, Judge, Stage.Option, Out };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, terminal, cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, Terminal terminal, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var path = parsed.GetValue(Picture)!;
        if (!File.Exists(path)) throw new FileNotFoundException(words["replay.no-picture", path]);
        OutputFile.Check(parsed.GetValue(Out), words);
        var given = RgbImage.Load(path);
        var recipe = Recipe.Read(path);
        if (parsed.GetValue(Prior) is not null && recipe.PriorFrom is null)
            throw new UsageException(words["replay.prior-not-used", path]);
        var asked = parsed.GetResult(CommonOptions.Model) is { Implicit: false } ? parsed.GetValue(CommonOptions.Model)!
            : recipe.ModelFile is { } single && File.Exists(single.File) ? single.File : recipe.Model;
        var catalog = ModelCatalog.Create();
        var folder = catalog.Find(asked);
        var named = parsed.GetResult(CommonOptions.PrecisionName) is { Implicit: false };
        CommonOptions.StartTorch(parsed, recipe.Threads);
        using var pipeline = ImagePipeline.Load(folder, new ImagePipelineOptions
        {
            PriorFolder = recipe.PriorFrom is { } prior ? parsed.GetValue(Prior) ?? catalog.Find(prior) : null,
            CompanionFolders = Stage.Folders(parsed, catalog) ?? catalog.CompanionsOf(asked),
            JudgeFolder = recipe.Judge is { } judge ? catalog.Find(parsed.GetValue(Judge) ?? judge) : null,
            Precision = named ? CommonOptions.PrecisionOf(parsed) : recipe.Precision?.Decoder ?? CommonOptions.PrecisionOf(parsed),
            PriorPrecision = named ? null : recipe.Precision?.Prior,
        });
        recipe.CheckModel(pipeline.File);
        var progress = new StepProgress(terminal, words);
        var again = recipe switch
        {
            { Request: { } request } => pipeline.Generate(request, progress.Show, null, cancellation).Image,
            { Experiment: { } experiment } =>
                Drawn(new ImageExperiments(pipeline).Run(experiment, progress.Show, cancellation: cancellation), recipe.Picture),
            _ => throw new InvalidDataException(words["replay.no-recipe", path]),
        };
        terminal.CloseLine();
        if (parsed.GetValue(Out) is { } file) again.SavePng(file);

        var comparison = PictureComparison.Of(given, again, pipeline.Precision);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new
            {
                model = pipeline.Name, comparison.Same, before = Hash(given), after = Hash(again),
                largest_difference = comparison.Largest, comparison.MeanDifference, comparison.IsRounding, TorchRuntime.Threads,
            });
        }
        else
        {
            terminal.Say(Sentence(comparison, given, again, recipe.Threads, words));
        }

        return comparison.Same || comparison.IsRounding ? 0 : 1;
    }

    private static string Sentence(PictureComparison comparison, RgbImage given, RgbImage again, int? threads, Words words)
    {
        if (comparison.Same) return words["replay.same", Hash(again)];
        if (comparison.Largest is not { } largest)
            return words["replay.other-size", given.Width, given.Height, again.Width, again.Height];
        var mean = comparison.MeanDifference!.Value.ToString("F3", CultureInfo.InvariantCulture);
        if (!comparison.IsRounding)
            return words["replay.other", largest, mean, Hash(given), Hash(again)];
        var (then, now) = (threads?.ToString(CultureInfo.InvariantCulture) ?? words["replay.threads-unknown"], TorchRuntime.Threads);
        return words["replay.rounding", largest, mean, then, now];
    }

    private static RgbImage Drawn(ExperimentResult result, int? picture) =>
        picture is { } number ? result.Pictures[number].Image : result.Sheet();

    private static string Hash(RgbImage picture) => Convert.ToHexStringLower(SHA256.HashData(picture.Pixels));
}
