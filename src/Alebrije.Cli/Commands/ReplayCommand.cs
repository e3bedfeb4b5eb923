using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije replay PICTURE</c>: draws a picture again from the recipe in its file, and compares.</summary>
internal static class ReplayCommand
{
    private static readonly Argument<string> Picture = new("picture");
    private static readonly Option<string?> Prior = new("--prior") { HelpName = "FOLDER" };
    private static readonly Option<string?> Out = new("--out") { HelpName = "FILE" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("replay") { Picture, Prior, Out };
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
        CommonOptions.StartTorch(parsed, recipe.Threads);
        using var pipeline = UnClipPipeline.Load(folder, new UnClipOptions
        {
            PriorFolder = recipe.PriorFrom is { } prior ? parsed.GetValue(Prior) ?? catalog.Find(prior) : null, CompanionFolder = catalog.CompanionOf(asked),
            Precision = named ? CommonOptions.PrecisionOf(parsed) : recipe.Precision?.Decoder ?? CommonOptions.PrecisionOf(parsed), PriorPrecision = named ? null : recipe.Precision?.Prior,
        });
        var progress = new StepProgress(terminal, words);
        var again = recipe switch
        {
            { Request: { } request } => pipeline.Generate(request, progress.Show, null, cancellation).Image,
            { Experiment: { } experiment } => Drawn(new UnClipExperiments(pipeline).Run(experiment, progress.Show, cancellation: cancellation), recipe.Picture),
            _ => throw new InvalidDataException($"{path} holds no recipe of a picture."),
        };
        terminal.CloseLine();
        if (parsed.GetValue(Out) is { } file) again.SavePng(file);

        var comparison = PictureComparison.Of(given, again, pipeline.Precision);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new
            {
                model = pipeline.Name, comparison.Same, before = Hash(given), after = Hash(again), largest_difference = comparison.Largest, comparison.MeanDifference, comparison.IsRounding, TorchRuntime.Threads,
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
        if (comparison.Same) return words.In($"The same picture, to the byte: {Hash(again)}", $"La misma imagen, byte a byte: {Hash(again)}");
        if (comparison.Largest is not { } largest)
            return words.In($"Another picture: {given.Width} x {given.Height} and {again.Width} x {again.Height}.", $"Otra imagen: {given.Width} x {given.Height} y {again.Width} x {again.Height}.");
        var mean = comparison.MeanDifference!.Value.ToString("F3", CultureInfo.InvariantCulture);
        if (!comparison.IsRounding)
        {
            return words.In(
                $"Another picture: bytes differ by up to {largest} of 255, {mean} on average ({Hash(given)} and {Hash(again)}).",
                $"Otra imagen: los bytes difieren hasta en {largest} de 255, {mean} de media ({Hash(given)} y {Hash(again)}).");
        }

        var now = TorchRuntime.Threads;
        return words.In(
            $"The same picture up to rounding: bytes differ by up to {largest} of 255, {mean} on average. The bytes are the same on the same kind of processor, with as many threads ({threads?.ToString(CultureInfo.InvariantCulture) ?? "unknown"} then, {now} now).",
            $"La misma imagen salvo redondeo: los bytes difieren hasta en {largest} de 255, {mean} de media. Los bytes son iguales en el mismo tipo de procesador, con los mismos hilos ({threads?.ToString(CultureInfo.InvariantCulture) ?? "no consta"} entonces, {now} ahora).");
    }

    private static RgbImage Drawn(ExperimentResult result, int? picture) => picture is { } number ? result.Pictures[number].Image : result.Sheet();

    private static string Hash(RgbImage picture) => Convert.ToHexStringLower(SHA256.HashData(picture.Pixels));
}
