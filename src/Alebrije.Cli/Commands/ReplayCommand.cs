using System.CommandLine;
using System.Security.Cryptography;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije replay PICTURE</c>: draws a picture again from the recipe in its file, and compares.</summary>
internal static class ReplayCommand
{
    private static readonly Argument<string> Picture = new("picture") { Description = "A .png that imagine or one of the other drawing verbs wrote." };
    private static readonly Option<string?> Prior = new("--prior") { HelpName = "FOLDER", Description = "Where the prior is that the recipe took from elsewhere; else it is looked for by its name." };
    private static readonly Option<string?> Out = new("--out") { HelpName = "FILE", Description = "A .png file for the picture as it was drawn again." };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("replay", "Draws a picture again from the recipe in its file, and compares the two to the byte.") { Picture, Prior, Out };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, terminal, cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, Terminal terminal, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var path = parsed.GetValue(Picture)!;
        if (!File.Exists(path)) throw new FileNotFoundException(words.In($"There is no picture {path}.", $"No existe la imagen {path}."));
        OutputFile.Check(parsed.GetValue(Out), words);
        var given = RgbImage.Load(path);
        var recipe = Recipe.Read(path);
        if (parsed.GetValue(Prior) is not null && recipe.PriorFrom is null)
            throw new UsageException(words.In($"--prior was given, but {path} was drawn with its model's own prior; leave it out.", $"Se dio --prior, pero {path} se dibujó con el prior de su modelo; omítelo."));
        var asked = parsed.GetResult(CommonOptions.Model) is { Implicit: false } ? parsed.GetValue(CommonOptions.Model)! : recipe.Model;
        var catalog = ModelCatalog.Create();
        var folder = catalog.Find(asked);
        var named = parsed.GetResult(CommonOptions.PrecisionName) is { Implicit: false };
        CommonOptions.StartTorch(parsed);
        using var pipeline = UnClipPipeline.Load(folder, new UnClipOptions
        {
            PriorFolder = recipe.PriorFrom is { } prior ? parsed.GetValue(Prior) ?? catalog.Find(prior) : null, CompanionFolder = catalog.CompanionOf(asked),
            Precision = named ? CommonOptions.PrecisionOf(parsed) : recipe.Precision?.Decoder ?? CommonOptions.PrecisionOf(parsed), PriorPrecision = named ? null : recipe.Precision?.Prior,
        });
        var progress = new StepProgress(terminal, words, "");
        var again = recipe switch
        {
            { Request: { } request } => pipeline.Generate(request, progress.Show, null, cancellation).Image,
            { Experiment: { } experiment } => Drawn(new UnClipExperiments(pipeline).Run(experiment, (_, _, step) => progress.Show(step), cancellation), recipe.Picture),
            _ => throw new InvalidDataException($"{path} holds no recipe of a picture."),
        };
        terminal.CloseLine();
        if (parsed.GetValue(Out) is { } file) again.SavePng(file);

        var (before, after) = (Hash(given), Hash(again));
        var same = before == after;
        var difference = same || (given.Width, given.Height) != (again.Width, again.Height) ? (int?)null : given.Pixels.Zip(again.Pixels, (a, b) => Math.Abs(a - b)).Max();
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { model = pipeline.Name, same, before, after, largest_difference = same ? 0 : difference });
        }
        else
        {
            terminal.Say(same
                ? words.In($"The same picture, to the byte: {after}", $"La misma imagen, byte a byte: {after}")
                : difference is { } largest
                    ? words.In($"Another picture: bytes differ by up to {largest} of 255 ({before} and {after}).", $"Otra imagen: los bytes difieren hasta en {largest} de 255 ({before} y {after}).")
                    : words.In($"Another picture: {given.Width} x {given.Height} and {again.Width} x {again.Height}.", $"Otra imagen: {given.Width} x {given.Height} y {again.Width} x {again.Height}."));
        }

        return same ? 0 : 1;
    }

    private static RgbImage Drawn(ExperimentResult result, int? picture) => picture is { } number ? result.Pictures[number].Image : result.Sheet();

    private static string Hash(RgbImage picture) => Convert.ToHexStringLower(SHA256.HashData(picture.Pixels));
}
